"""A model card (Mitchell et al. 2019): what a network is for, how it was made, how good it is, and its limits."""

from math import isfinite

from amla.algorithms.protocol import best
from amla.reports.beside import advice
from amla.reports.names import metric_name
from amla.reports.numbers import count, duration, interval, metric_interval, percent, size
from amla.reports.tuning import changes_in_words
from amla.spec.costs import costs
from amla.spec.digest import digest
from amla.study.baselines import beside
from amla.study.folder import Run
from amla.study.report import latency_words
from amla.study.result import Result, by_class, result, winner
from amla.study.study import to_yaml
from amla.study.trained import Trained
from amla.tasks.recipe import Recipe

_CALIBRATION = "- Probabilities were not calibrated."
FEWEST = 30  # test examples of a class, below which its accuracy says little


def card(found: Trained, *limits: str) -> str:
    """Return the card as Markdown, with these limits among others.

    What amla cannot know is left for its user to fill in, and says so.
    """
    run, facts = found.run, found.facts
    known = result(run)
    if known is None:
        return ""
    study, counted, tested = run.study, costs(found.architecture), known.tested
    lines = [f"# {study.name}", ""]
    what = f"tells {len(facts.classes)} classes apart" if tested else f"predicts {_names(facts.classes)}"
    lines += [f"A network that {what}, found by architecture search with amla.", ""]
    lines += _table(
        *_measured(known),
        ("Chosen by", f"{metric_name(study.metric)} on the validation part"),
        ("Measured on", f"{known.examples:,} test examples, read once, after everything was decided"),
        ("Parameters", f"{counted.parameters:,} ({size(4 * counted.parameters)} in single precision)"),
        ("Multiply-accumulates", f"{count(counted.macs)} an example"),
        ("Peak memory", f"{size(counted.peak_memory)} of activations, one example"),
        *([("Latency", said)] if (said := latency_words(run, winner(run))) else []),
        ("Digest", f"`{digest(found.architecture)}`"),
    )
    if facts.mirrored:
        lines += ["What was measured is the mean of two passes, of an example and of its mirror image.", ""]
    lines += ["## Intended use", "", "To be filled in: who uses it for what, and what it must not be used for.", ""]
    lines += ["## Data", "", *_data(found)]
    lines += ["## Training", "", *_training(found)]
    lines += ["## Accuracy by class", "", *_classes(found)] if tested else ["## Errors", "", *_errors(found, known)]
    lines += ["## Limits", "", *_limits(found, limits)]
    lines += ["## To make it again", "", "```yaml", to_yaml(study).rstrip(), "```", ""]
    return "\n".join(lines).replace("\u202f", "\u00a0")


def _measured(known: Result) -> list[tuple[str, str]]:
    """Return what the test part says."""
    if tested := known.tested:
        accuracy = f"{percent(tested.accuracy, 2)}, 95 % interval {interval(tested.low, tested.high)}"
        return [("Test accuracy", accuracy), *_averages(known)]
    if (scored := known.scored) is None:
        return []
    between = f", 95 % interval {metric_interval(scored.metric, scored.interval)}" if scored.interval else ""
    return [("Test R²", f"{scored.value:.3f}{between}" if isfinite(scored.value) else "not known: none varies")]


def _names(names: tuple[str, ...]) -> str:
    return f"{len(names)} numbers ({', '.join(names)})" if len(names) > 1 else f"a number ({names[0]})"


def _errors(found: Trained, known: Result) -> list[str]:
    """Return how far off each number is, and what it was standardised by in training."""
    facts = found.facts
    lines = ["| number | mean error | root of the mean square | mean | standard deviation |", "|---|---|---|---|---|"]
    columns = zip(facts.classes, known.errors, facts.target_mean, facts.target_deviation, strict=True)
    lines += [f"| {_cell(name)} | {e.mean:.4g} | {e.root:.4g} | {m:.4g} | {d:.4g} |" for name, e, m, d in columns]
    return [*lines, "", "All in the units of the data; mean and deviation are of the training part.", ""]


def _averages(known: Result) -> list[tuple[str, str]]:
    """Return what all classes have on average, where it was measured."""
    if known.balanced_accuracy is None or known.macro_f1 is None:
        return []
    scored = known.scored.interval if known.scored else None
    between = f", 95 % interval {interval(*scored)}" if scored else ""
    return [
        ("Balanced accuracy", f"{percent(known.balanced_accuracy, 2)}{between}"),
        ("Macro F1", f"{known.macro_f1:.3f}"),
    ]


def _data(found: Trained) -> list[str]:
    study = found.run.study
    about = study.provenance
    findings = [f"- {finding.rstrip('.')}." for finding in study.findings]
    table = _table(
        ("Source", f"`{study.data.source}`"),
        ("Fingerprint", f"`{about.data}`" if about else "not noted"),
        *(
            [("Examples", "{:,} training, {:,} validation and {:,} test".format(*about.examples))]
            if about and about.examples
            else []
        ),
        ("Validation", f"{percent(study.data.validation, 0)} of the training examples, where the source has none"),
        ("Test", f"{percent(study.data.test, 0)} of the training examples, where the source has none"),
        ("Seed of the split", str(study.data.split_seed)),
        (
            "Inputs",
            f"less {_listed(found.facts.mean)}, divided by {_listed(found.facts.deviation)}, channel by channel",
        ),
        *(
            [("Images", f"scaled to cover {_by(canvas)}, of which the middle is read")]
            if (canvas := found.canvas)
            else []
        ),
        *([("Recordings", f"become {sound}, in decibels")] if (sound := found.sound) else []),
        ("Predicted" if found.facts.target_mean else "Classes", ", ".join(found.facts.classes)),
    )
    return [*table, *(["What was found in the data:", "", *findings, ""] if findings else [])]


def _by(size: tuple[int, ...]) -> str:
    return "x".join(map(str, size))


def _training(found: Trained) -> list[str]:
    run = found.run
    study, known = run.study, result(run)
    recipe: Recipe = study.final_recipe
    tuned = best(run.tuning, run.study.metric)
    about = study.provenance
    return _table(
        ("Search", f"{study.algorithm.kind}, {len(run.search)} networks, {duration(run.search.seconds)}"),
        *_besides(known),
        ("Final training", f"{known.steps if known else 0:,} steps, {duration(run.final.seconds)}"),
        ("Operations", f"{count(sum(history.flops for history in run.phases.values()))} in all trainings"),
        ("Optimiser", f"{recipe.optimiser.kind}, batch {recipe.batch}"),
        *_weights(found, recipe),
        *((("Tuned", changes_in_words(tuned.proposal.recipe)),) if tuned else ()),
        ("Seed", str(study.seed)),
        ("Energy", _energy(run)),
        ("Machine", about.machine if about else "not noted"),
        (
            "Software",
            f"{about.code}; {', '.join(f'{k} {v}' for k, v in about.versions.items())}" if about else "not noted",
        ),
    )


def _besides(known: Result | None) -> list[tuple[str, str]]:
    """Return what was spent besides the search and the final training."""
    if known is None:
        return []
    spent = {
        "rehearsal": known.rehearsal_seconds,
        "baselines": known.baseline_seconds,
        "tuning": known.tuning_seconds,
    }
    said = ", ".join(f"{name} {duration(seconds)}" for name, seconds in spent.items() if seconds)
    return [("Besides", said)] if said else []


def _energy(run: Run) -> str:
    """Return what all trainings used; those that say nothing of their cost, as other programs may, did not ask."""
    done = [trial.measurement.cost for history in run.phases.values() for trial in history.done]
    known = [cost.joules for cost in done if cost and cost.joules is not None]
    if not known:
        return (
            "not readable here: there are no counters of it, or root alone may read them" if any(done) else "not asked"
        )
    part = f", without {len(done) - len(known):,} of {len(done):,} trials" if len(known) < len(done) else ""
    return f"{sum(known) / 3600:.1f} Wh{part}"


def _weights(found: Trained, recipe: Recipe) -> list[tuple[str, str]]:
    if found.facts.target_mean:
        return []
    return [("Classes count", "the same" if recipe.class_weights == "balanced" else "by how many examples they have")]


def _classes(found: Trained) -> list[str]:
    last = found.run.final.done[-1].measurement
    rows = by_class(last, found.facts.classes)
    lines = ["| class | right | of | accuracy |", "|---|---|---|---|"]
    worst = sorted(rows.items(), key=lambda item: item[1][0] / max(1, item[1][1]))
    lines += [
        f"| {_cell(name)} | {right:,} | {of:,} | {percent(right / of) if of else ''} |" for name, (right, of) in worst
    ]
    return [*lines, ""]


def _limits(found: Trained, limits: tuple[str, ...]) -> list[str]:
    last = found.run.final.done[-1].measurement
    few = [name for name, (_, of) in by_class(last, found.facts.classes).items() if of < FEWEST]
    other = "some hundredths or more" if found.facts.target_mean else "some tenths of a point or more"
    said = [
        "- The interval is for examples like those of the test part. It says nothing of others.",
        f"- One training with one seed; another one would differ by {other}.",
        "- Errors were not looked at by the size of the number." if found.facts.target_mean else _CALIBRATION,
    ]
    if compared := beside(found.run):
        said.append(f"- {advice(compared)}")
    if few:
        said.append(f"- Fewer than {FEWEST} test examples: {', '.join(few)}. Their accuracies say little.")
    return [*said, *(f"- {limit}" for limit in limits), ""]


def _table(*rows: tuple[str, str]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {name} | {_cell(text)} |" for name, text in rows), ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _listed(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{number:.4g}" for number in numbers)
