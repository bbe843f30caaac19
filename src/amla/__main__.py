"""The command line as `python -m amla`."""

from amla.cli import main

main()
