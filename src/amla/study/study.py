"""A study: what is searched, where, how, and for how long. One YAML file is one value, checked whole before it runs."""

import json
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from amla.spec.bounds import check_plain
from amla.spec.constraints import Constraints
from amla.spec.text import explain, plain_yaml, written_yaml
from amla.spec.values import SpecError, value
from amla.study.numbers import out_of_range
from amla.study.phases import SEARCH
from amla.study.rules import contradictions
from amla.study.run import Limit
from amla.study.settings.baselines import BaselineSettings
from amla.study.settings.latency import LatencySettings
from amla.study.settings.places import (
    Auto,
    BackendSettings,
    ExecutorSettings,
    Inline,
    Torch,
    TrackerSettings,
)
from amla.study.settings.searches import (
    AlgorithmSettings,
    NacSettings,
    RunOffSettings,
    Terms,
)
from amla.study.settings.spaces import EnvelopeSettings, SpaceSettings
from amla.study.settings.tuning import TuningSettings
from amla.tasks.readers.source import Labels
from amla.tasks.recipe import Recipe
from amla.tasks.streaming import Stream
from amla.tasks.task import Metric

Prefer = Literal["accurate", "small", "fast"]


class StudyError(ValueError):
    """A study that cannot be run as it is written."""


@value
class Data:
    """Which data, and how they are divided: a built-in name or a path, and shares for the parts that it lacks.

    Images are resized to `size`; or scaled to cover a `canvas`, of which a network reads the middle or crops, of
    `size`. How they are read, `stream`, makes no difference to what comes out. `labels` says whether they are classes
    or numbers to be predicted; "auto": as they look. Networks are compared after trainings on a `share` of the training
    part; tuning and the final training have all of it.
    """

    source: str
    validation: float = 0.1
    test: float = 0.2
    split_seed: int = 0
    size: tuple[int, ...] | None = None
    canvas: tuple[int, ...] | None = None
    stream: Stream = "auto"
    labels: Labels = "auto"
    share: float = 1.0


@value
class Final:
    """The final training, on all that is not test. `steps` None: as many as the limit of seconds, or of flops, leaves.

    With `macs` the network found is made wider first, as far as that allows; "auto": as the limit pays for. Then
    `stem_stride` may be another one than that of the space.
    """

    steps: int | None = None
    recipe: Recipe | None = None  # None: the recipe of the search
    macs: int | Auto | None = None
    stem_stride: int | None = None


@value
class Provenance:
    """What a study was run with: written into the run's study.yaml, and checked when that is run again.

    `examples` is how many there are to train on, to validate and to test on; `findings` say what was found in the data.
    """

    data: str
    task: str
    code: str
    versions: dict[str, str]
    machine: str
    examples: tuple[int, ...] = ()
    findings: tuple[str, ...] = ()


@value
class Study:
    """Everything that determines a search."""

    name: str
    data: Data
    recipe: Recipe = Recipe()
    metric: Metric = field(default="accuracy", kw_only=True)
    space: SpaceSettings = EnvelopeSettings()
    algorithm: AlgorithmSettings = NacSettings()
    terms: Terms | None = field(default=None, kw_only=True)
    run_off: RunOffSettings | None = field(default=None, kw_only=True)
    baselines: BaselineSettings | None = field(default=None, kw_only=True)
    tuning: TuningSettings | None = field(default=None, kw_only=True)
    constraints: Constraints = field(default=Constraints(), kw_only=True)
    latency: LatencySettings | None = field(default=None, kw_only=True)
    prefer: Prefer = field(default="accurate", kw_only=True)
    final: Final = Final()
    backend: BackendSettings = Torch()
    executor: ExecutorSettings = Inline()
    limit: Limit = Limit()
    trial_seconds: float | None = None
    seed: int = 0
    trackers: tuple[TrackerSettings, ...] = field(default=(), kw_only=True)
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        if (wrong := out_of_range(to_plain(self)) or next(contradictions(self), None)) is not None:
            raise StudyError(wrong)

    @property
    def final_recipe(self) -> Recipe:
        """The recipe of the final training."""
        return self.final.recipe or self.recipe

    @property
    def findings(self) -> tuple[str, ...]:
        """What was found in the data it was run on, in words; nothing before that."""
        return self.provenance.findings if self.provenance else ()

    def seconds_a_trial(self, phase: str) -> float | None:
        """Return after how many seconds a trial of a phase has failed, None for never.

        A trial of the search is one leg, and another can take its place. What is trained for a baseline, to tune the
        recipe or to the end is as long as a whole line of legs, and nothing can stand in for it.
        """
        return self.trial_seconds if phase == SEARCH else None

    @property
    def whole_flops(self) -> float | None:
        """The operations of the whole run, whose final training has what others leave; None if no limit is of that."""
        return self.limit.flops if self.limit.seconds is None and self.final.steps is None else None

    @property
    def devices(self) -> int:
        """How many devices the final training is on at once."""
        return self.backend.devices if isinstance(self.backend, Torch) else 1


_USUAL = {"space": "envelope", "backend": "torch"}  # kinds that may be left out
_SHORT = {"algorithm": ("remote", "url"), "executor": ("http", "urls")}  # {remote: URL} is {kind: remote, url: URL}

_study = TypeAdapter(Study)


def from_yaml(text: str) -> Study:
    """Return the study that `text` describes. Raises StudyError, which says where it breaks which rule."""
    try:
        plain = plain_yaml(text)
    except SpecError as error:
        raise StudyError(str(error)) from None
    return from_plain(plain)


def from_json(text: bytes) -> Study:
    """Return the study that a text in JSON describes; the same may be left out as in a file. Raises StudyError."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StudyError(f"This is no JSON: {error}.") from None
    return from_plain(plain)


def from_plain(plain: Any) -> Study:
    """Return the study that plain values (dicts, lists, numbers) describe. Raises StudyError."""
    if isinstance(plain, dict):
        plain = plain | {place: _told(place, plain[place]) for place in (*_USUAL, *_SHORT) if place in plain}
    try:
        check_plain(plain)
        return _study.validate_json(json.dumps(plain))
    except ValidationError as error:
        raise StudyError(explain(error, plain)) from None
    except (TypeError, ValueError, RecursionError) as error:  # YAML knows dates, and values that contain themselves
        raise StudyError(f"This is no study: {error}.") from None


def _told(place: str, settings: Any) -> Any:
    """Return settings with their kind, where that is left out or told in short."""
    if not isinstance(settings, dict) or "kind" in settings:
        return settings
    if place in _USUAL:
        return {"kind": _USUAL[place], **settings}
    kind, name = _SHORT[place]
    if kind not in settings or name in settings:
        return settings
    return {"kind": kind, name: settings[kind], **{each: settings[each] for each in settings if each != kind}}


def to_plain(study: Study) -> dict[str, Any]:
    """Return a study as plain values."""
    plain: dict[str, Any] = _study.dump_python(study, mode="json")
    return plain


def to_yaml(study: Study) -> str:
    """Return a study as YAML, every setting written out."""
    return written_yaml(to_plain(study), width=100)


def load(path: Path) -> Study:
    """Read a study from a file. Raises StudyError, naming the file."""
    try:
        return from_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(f"There is no study '{path}'.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"'{path}' cannot be read: {error}.") from None
    except StudyError as error:
        raise StudyError(f"'{path}' is no study that can be run:\n{error}") from None
