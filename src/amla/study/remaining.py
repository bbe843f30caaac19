"""What a limit leaves: for the search once all is arranged, and for the final training after the others."""

from collections.abc import Callable
from dataclasses import replace

from amla.study import plan
from amla.study.arrangement import Arranged
from amla.study.phases import BASELINES, REHEARSAL, SEARCH, TUNING
from amla.study.run import Limit
from amla.study.settings.places import TabularSettings
from amla.study.study import Study
from amla.trials.history import History


def preparing(study: Study, arranged: Arranged) -> float:
    """Return the seconds until a study is under way: reading data, measuring, and starting workers for the search."""
    learning = study.latency.learned.seconds if study.latency and study.latency.learned else 0.0
    opening = arranged.opening or learning  # of which that is part, where it was noted
    if study.limit.clock == "cpu":  # waiting for workers takes none
        return opening + max(0.0, arranged.seconds - sum(timing.starting for timing in arranged.timings))
    starting = arranged.starting(arranged.final) + arranged.starting(arranged.search)
    return opening + arranged.seconds + starting


def search_limit(study: Study, workers: int = 1) -> Limit:
    """Return what the search of a study may use up: a share of its seconds for each worker, or of its flops.

    Where something else says how long the final training is, all operations are the search's.
    """
    limit = study.limit
    if limit.seconds is not None:
        share = 1.0 if isinstance(study.backend, TabularSettings) else limit.search
        return replace(limit, seconds=limit.seconds * share * workers)
    if study.whole_flops is not None:
        return replace(limit, flops=study.whole_flops * limit.search)
    return limit


def final_flops(study: Study, history: Callable[[str], History]) -> float:
    """Return the operations that a limit leaves for the final training, by the `history` of each phase before it."""
    spent = sum(history(phase).flops for phase in (SEARCH, BASELINES, TUNING))
    return max(0.0, (study.whole_flops or 0.0) - spent)


def final_seconds(study: Study, arranged: Arranged, history: Callable[[str], History]) -> float:
    """Return the seconds that a limit leaves for the final training, by the `history` of each phase before it.

    Each phase has workers of its own, and starting them takes as long as it did when arrangements were timed.
    """
    spent = preparing(study, arranged) + history(REHEARSAL).seconds
    for phase in (SEARCH, BASELINES, TUNING):
        lengths = [trial.outcome.seconds for trial in history(phase).trials if trial.outcome]
        spent += plan.makespan(lengths, arranged.search.workers)
    if study.limit.clock == "wall":
        beside = (study.baselines is not None) + (study.tuning is not None)
        alone = 1 + (study.final.macs == "auto")  # the final training, and a rehearsal of what was made wider
        spent += beside * arranged.starting(arranged.search) + alone * arranged.starting(arranged.final)
    return plan.final_seconds(study.limit.seconds or 0.0, spent)
