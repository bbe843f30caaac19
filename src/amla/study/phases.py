"""The phases of a study: each has a history of its own in the event log."""

REHEARSAL, SEARCH, BASELINES, TUNING, FINAL = "rehearsal", "search", "baselines", "tuning", "final"
PHASES = REHEARSAL, SEARCH, BASELINES, TUNING, FINAL
SHORT = SEARCH, BASELINES, TUNING  # whose trainings are compared, several of them at once
RUN_OFF_SEED, BASELINES_SEED, TUNING_SEED = 1, 2, 3  # of what follows a search, from its own: each has another one
TIMING = "timing"  # which leaves no history
