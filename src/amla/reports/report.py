"""What a report tells of a study: its result, its search, its networks and its circumstances."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from amla.evidence.beside import Beside
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.progress import Progress
from amla.trials.trial import Trial, TrialId


@dataclass(frozen=True)
class Verdict:
    """What the test said of the final network, once: `accuracy` on `images`, and its 95 % interval `low` to `high`.

    `scored` is the metric that decided, where that is another one, and `bounds` its 95 % interval, where one is known.
    Where numbers are predicted there is no accuracy (NaN); `errors` has for each, by what it is called, the mean error
    and the root of the mean squared one, in its units.
    """

    accuracy: float
    low: float
    high: float
    images: int
    scored: float | None = None
    bounds: tuple[float, float] | None = None
    errors: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """Everything a report shows. What is not known yet is None or empty, and the report says so.

    `study` is its file as text. `winner` is the trial that the search recommends, `final` the network that was
    trained to the end and `final_seconds` how long that took. A search that never `chooses` recommends a network
    that it has not trained; `ended` says why one ended early. `curves` are learning curves, by "search/<trial>" and
    "final/<trial>". `beside` is what was found and its baselines, trained alike; `tuning` the trials of recipes.
    `classes` holds (right, all) test examples by class. `metric` is the validation metric of the search, and `template`
    the open architecture whose branches get fixed places in drawings. `run` is the folder of the run, and `files` says
    what lies where in it. `front` are the trials that none beats in accuracy and all `costs`,
    `preferred` says why the winner is not simply the most accurate one, and `latency` what is known of its latency.
    `plain` are trials of plain networks, which the search did not come to itself, and `onward` commands that use what
    was found, by what they are for.
    """

    name: str
    history: History
    study: str = ""
    verdict: Verdict | None = None
    winner: TrialId | None = None
    chooses: bool = True
    ended: str | None = None
    final: Architecture | None = None
    final_seconds: float | None = None
    curves: Mapping[str, Sequence[Progress]] = field(default_factory=dict)
    notices: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    beside: Beside | None = None
    tuning: History | None = None
    classes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    metric: str = "accuracy"
    template: Architecture | None = None
    run: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    front: Sequence[Trial] = ()
    costs: Sequence[str] = ()
    preferred: str = ""
    latency: str = ""
    plain: Collection[TrialId] = ()
    onward: Mapping[str, str] = field(default_factory=dict)
