"""The phases of a study: each has a history of its own in the event log."""

REHEARSAL, SEARCH, FINAL = "rehearsal", "search", "final"
TIMING = "timing"  # which leaves no history
