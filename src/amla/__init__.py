"""amla finds good, small neural networks for your data, and compares the ways of finding them fairly."""

__version__ = "0.1.0"
