"""The command line. Each command imports the libraries that it needs, and no other."""

import sys

from amla.cli.app import app

INTERRUPTED = 130  # what shells expect of a process that Ctrl-C has ended


def main() -> None:
    """Run the command line. A user's mistake ends with a message and exit code 2, and loses nothing."""
    try:
        app()
    except KeyboardInterrupt:
        print("\namla: cut off. Start the same command again to go on.", file=sys.stderr)  # noqa: T201
        raise SystemExit(INTERRUPTED) from None


__all__ = ["main"]
