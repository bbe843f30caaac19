"""Where things are written down: the event log, and files."""
