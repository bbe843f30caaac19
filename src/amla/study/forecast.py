"""What the phases of a study will take, in floating-point operations: what an ETA is made of."""

from collections.abc import Sequence

from amla.spec.costs import training_flops
from amla.study import plan
from amla.study.arrangement import Arranged
from amla.study.baselines import DEPTHS
from amla.study.phases import BASELINES, FINAL, SEARCH, TUNING
from amla.study.study import Study


def forecast(
    study: Study,
    legs: Sequence[plan.Leg],
    steps: int,
    batches: tuple[int, int],
    arranged: Arranged,
    speed: plan.Speed | None,
) -> dict[str, float]:
    """Return the operations of each phase, if the search has these legs, a whole one of so many `steps`.

    `batches` are those of the search and of the final training; `speed` is None where no limit of seconds is kept.
    """
    (batch, final_batch), work = batches, [leg.work for leg in legs]
    compared = len(DEPTHS) + 1 + study.baselines.random if study.baselines else 0
    trials, given = (study.tuning.trials, study.tuning.steps) if study.tuning else (0, None)
    most = max(work, default=0.0)
    found: dict[str, float] = {
        SEARCH: training_flops(int(sum(work)), steps * batch),
        BASELINES: training_flops(int(compared * most), steps * batch),
        TUNING: training_flops(int(trials * most), (given or steps) * final_batch),
    }
    if study.is_whole and study.limit.flops is not None:
        found[SEARCH] = min(found[SEARCH], study.limit.flops * study.limit.search)
        return {**found, FINAL: max(0.0, study.limit.flops - sum(found.values()))}
    if study.final.steps is not None or speed is None:
        largest = max((leg.macs for leg in legs), default=0)
        return {**found, FINAL: training_flops(largest, (study.final.steps or 0) * final_batch)}
    seconds = study.limit.seconds or 0.0
    shares = plan.BASELINE_SHARE * bool(compared) + plan.TUNING_SHARE * bool(trials and not given)
    tuning = found[TUNING] / arranged.search.workers if given else 0.0
    searching = training_flops(int(plan.makespan(work, arranged.search.workers)), steps * batch)
    spent = (searching + tuning) / (speed.flops * arranged.pace) + shares * seconds
    return {**found, FINAL: plan.final_seconds(seconds, spent) * speed.flops}
