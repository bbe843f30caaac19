"""The phases of a study: each has a history of its own in the event log."""

REHEARSAL, SEARCH, BASELINES, TUNING, FINAL = "rehearsal", "search", "baselines", "tuning", "final"
PHASES = REHEARSAL, SEARCH, BASELINES, TUNING, FINAL
ALONE = REHEARSAL, FINAL  # whose trainings run one after another; those of all others are compared, several at once
RUN_OFF_SEED, BASELINES_SEED, TUNING_SEED = 1, 2, 3  # of what follows a search, from its own: each has another one
TIMING = "timing"  # which leaves no history
