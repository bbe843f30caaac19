"""The checklist of good practice in research on architecture search, filled in from what a comparison did.

All but the last are those of Lindauer & Hutter, "Best Practices for Scientific Research on Neural Architecture Search",
JMLR 21(243), 2020, in words of ours. Where tables answer, nothing is trained, and other things are to be said.
"""

from collections.abc import Callable

from amla.comparison.circumstances import mixed
from amla.comparison.comparison import Comparison
from amla.comparison.controls import HAND_MADE, RANDOM, SAMPLING
from amla.comparison.judgement import Judgement, OnTask
from amla.comparison.spending import spending
from amla.comparison.tabled import RECORDS, is_tabled
from amla.comparison.words import energy, spent
from amla.reports.numbers import count, duration, plural
from amla.spec.values import value
from amla.study.settings.places import Inline, Local


@value
class Item:
    """A practice, whether it was followed (None: only its author can say), and by what that is seen."""

    practice: str
    met: bool | None
    evidence: str


def checklist(comparison: Comparison, judgement: Judgement) -> tuple[Item, ...]:
    """Return the checklist of a comparison, item by item."""
    return tuple(Item(practice, *found(comparison, judgement)) for practice, found in _PRACTICES.items())


Found = tuple[bool | None, str]


def _pipeline(comparison: Comparison, judgement: Judgement) -> Found:
    if is_tabled(comparison):
        return None, "nothing was trained here; the trainings are those of the table, so cite their authors' code"
    versions = " and ".join(judgement.about.get("code", ())) or "version unknown"
    return True, f"amla, {versions}; recipe and task are in the comparison's file"


def _method(comparison: Comparison, judgement: Judgement) -> Found:
    return True, "every contender is a setting of that code, and is in the file"


def _at_once(comparison: Comparison, judgement: Judgement) -> Found:
    return None, "publish the folder of the comparison with the paper, not after it"


def _benchmark(comparison: Comparison, judgement: Judgement) -> Found:
    refused = sum(len(task.refused) for task in judgement.tasks)
    digests = {task.task: task.benchmark for task in judgement.tasks if task.benchmark}
    said = ", ".join(f"{task}: {found}" for task, found in digests.items())
    return (
        True,
        f"one digest a task of data, split, metric, space, recipe and final training ({said}); {refused} runs refused",
    )


def _ablations(comparison: Comparison, judgement: Judgement) -> Found:
    found = [name for name in _controls(judgement) if "random-pruning" in name or "worst-case" in name]
    if found:
        return True, f"NAC's statistic is ablated: {', '.join(found)}"
    return None, "add contenders that differ in one setting each"


def _protocol(comparison: Comparison, judgement: Judgement) -> Found:
    if is_tabled(comparison):
        same = "what each contender chooses is looked up in the same table, by its test accuracy after all epochs"
        if all(task.known.held_out for task in judgement.tasks if task.known):
            return True, f"{same}; searches see the validation part alone"
        return True, f"{same}; the table has no validation part, so what searches see is of the test part too"
    return True, "all contenders end in the same final training and one look at the test part, after the search chose"


def _over_time(comparison: Comparison, judgement: Judgement) -> Found:
    if is_tabled(comparison):
        return True, "curves of the best so far, and of what is chosen, against networks and simulated seconds"
    joules = ", joules" if any(task.curves.get("joules") for task in judgement.tasks) else ""
    return True, f"curves of the best so far against networks, steps, operations{joules} and seconds"


def _chance(comparison: Comparison, judgement: Judgement) -> Found:
    missing = [
        f"{name} on {task.called}"
        for task in judgement.tasks
        for name in (SAMPLING, RANDOM)
        if name not in _names(task)
    ]
    if missing:
        return (
            False,
            f"missing: {', '.join(missing)}; {'run the rest' if comparison.controls else 'set controls to true'}",
        )
    by_hand = [task.called for task in judgement.tasks if HAND_MADE in _names(task)]
    without = [task.called for task in judgement.tasks if HAND_MADE not in _names(task)]
    hand = [f"{said} on {', '.join(tasks)}" for said, tasks in (("one", by_hand), ("none", without)) if tasks]
    return True, f"random sampling and random search, by the same pipeline; of networks made by hand {', '.join(hand)}"


def _repeated(comparison: Comparison, judgement: Judgement) -> Found:
    fewest = min((len(s.accuracies) for task in judgement.tasks for s in task.standings), default=0)
    return fewest >= 5, f"{plural(fewest, 'seed')} of every contender at least, from 0 on, all of them shown"


def _tabular(comparison: Comparison, judgement: Judgement) -> Found:
    if is_tabled(comparison):
        return True, "tables answered, so that seeds are cheap; nothing was trained anew"
    return None, "networks were really trained; on tabular benchmarks many more seeds are cheap"


def _confounders(comparison: Comparison, judgement: Judgement) -> Found:
    if differing := mixed(judgement.about, is_tabled(comparison)):
        return False, differing
    if is_tabled(comparison):
        return True, "nothing is trained: the table's accuracies and costs are the same on any machine"
    machine = "".join(judgement.about.get("machine", ()))
    pinned = isinstance(comparison.executor, Inline | Local)
    threads = "threads pinned" if pinned else "see the cluster"
    return bool(machine), f"{machine or 'nothing has been run'}; {threads}; versions are noted, and are the same"


def _tuning(comparison: Comparison, judgement: Judgement) -> Found:
    return None, "say how the settings of the contenders were chosen, and what that cost"


def _cost(comparison: Comparison, judgement: Judgement) -> Found:
    runs = [(s, len(s.accuracies)) for task in judgement.tasks for s in task.standings]
    seconds = sum((s.search_seconds + s.final_seconds) * n for s, n in runs)
    flops = sum(s.flops * n for s, n in runs)
    if is_tabled(comparison):
        whole = f"{count(flops)} operations and {duration(seconds)} of simulated time in all"
        return True, f"{whole}: what the trainings would have taken; looking up takes next to nothing"
    joules = [s.joules * n for s, n in runs if s.joules is not None]
    said = f", {energy(sum(joules))}" if joules and len(joules) == len(runs) else ""
    return True, f"{count(flops)} operations of training{said} and {duration(seconds)} in all, failed trials included"


def _details(comparison: Comparison, judgement: Judgement) -> Found:
    is_whole = judgement.done == judgement.planned
    if is_tabled(comparison):
        each = f"what each came to is in {RECORDS}/ beside this report"
    else:
        each = "every one has its own report beside this one"
    return is_whole, f"{judgement.done} of {judgement.planned} runs done; {each}"


def _equal_spending(comparison: Comparison, judgement: Judgement) -> Found:
    if any(part.limit.flops is None for part in comparison.parts.values()):
        return None, "what limits a search is not its operations; say whether the contenders spent the same"
    found = {task.called: (both, spent(task)) for task in judgement.tasks if (both := spending(task))}
    if not found:
        return None, "there are no two of them whose operations were counted"
    said = " ".join(f"{task}: {words}" if len(found) > 1 else f"{words}" for task, (_, words) in found.items())
    return all(both.is_equal for both, _ in found.values()), f"{said} 5 % at most are held to be equal"


def _controls(judgement: Judgement) -> set[str]:
    return {name for task in judgement.tasks for name in _names(task)}


def _names(task: OnTask) -> set[str]:
    return {standing.name for standing in task.standings}


_PRACTICES: dict[str, Callable[[Comparison, Judgement], Found]] = {
    "1. The code of the training pipeline is released": _pipeline,
    "2. The code of the method is released": _method,
    "3. Not later, but with the paper": _at_once,
    "4. The same benchmark for all, not only the same data": _benchmark,
    "5. Ablations are run": _ablations,
    "6. The same protocol of evaluation for all": _protocol,
    "7. Performance as a function of what was spent": _over_time,
    "8. Random sampling and random search are among the baselines": _chance,
    "9. Several runs, and all are reported": _repeated,
    "10. Tabular or surrogate benchmarks where that helps": _tabular,
    "11. Confounders are controlled": _confounders,
    "12. The tuning of the method is reported": _tuning,
    "13. What it cost from end to end is reported": _cost,
    "14. All details of the experiment are reported": _details,
    "15. Contenders whose limit is the same spent the same": _equal_spending,
}
