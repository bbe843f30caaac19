"""The phases of a study: each has a history of its own in the event log."""

REHEARSAL, SEARCH, BASELINES, FINAL = "rehearsal", "search", "baselines", "final"
PHASES = REHEARSAL, SEARCH, BASELINES, FINAL
SHORT = SEARCH, BASELINES  # whose trainings compare networks, several at once and each for a limited time
TIMING = "timing"  # which leaves no history
