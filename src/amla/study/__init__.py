"""One search: what it is, and the loop that runs it."""
