"""A study: what is searched, where, how, and for how long. One YAML file is one value, checked whole before it runs."""

import json
import re
from dataclasses import field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import TypeAdapter, ValidationError

from amla.execution.service import address
from amla.spec.bounds import check_plain
from amla.spec.constraints import Constraints
from amla.spec.text import explain, plain_yaml, written_yaml
from amla.spec.values import SpecError, value
from amla.study.numbers import out_of_range
from amla.study.run import Limit
from amla.study.settings.baselines import BaselineSettings
from amla.study.settings.latency import LatencySettings
from amla.study.settings.places import (
    Auto,
    BackendSettings,
    ExecutorSettings,
    Http,
    Inline,
    MlflowSettings,
    OnThisMachine,
    Simulated,
    TabularSettings,
    Torch,
    TrackerSettings,
)
from amla.study.settings.searches import (
    AlgorithmSettings,
    DartsSearchSettings,
    EnasSettings,
    FixedSettings,
    NacSettings,
    RandomSharingSettings,
    RemoteSettings,
    RunOffSettings,
    Terms,
)
from amla.study.settings.spaces import EnvelopeSettings, NasBench201Settings, NasBenchMacroSettings, SpaceSettings
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
    or numbers to be predicted; "auto": as they look.
    """

    source: str
    validation: float = 0.1
    test: float = 0.2
    split_seed: int = 0
    size: tuple[int, ...] | None = None
    canvas: tuple[int, ...] | None = None
    stream: Stream = "auto"
    labels: Labels = "auto"


@value
class Final:
    """The final training, on all that is not test. `steps` None: as many as the limit of seconds allows.

    With `macs` the network found is made wider first, as far as that allows; "auto": as the time pays for. Then
    `stem_stride` may be another one than that of the space.
    """

    steps: int | None = None
    recipe: Recipe | None = None  # None: the recipe of the search
    macs: int | Auto | None = None
    stem_stride: int | None = None


@value
class Provenance:
    """What a study was run with: written into the run's study.yaml, and checked when that is run again."""

    data: str
    task: str
    code: str
    versions: dict[str, str]
    machine: str


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
        if not _NAME.fullmatch(self.name) or not self.name.isprintable():
            raise StudyError(
                f"name is {self.name[:120]!r}; it names a folder: 1 to 100 characters, none of them / or \\, "
                "and not a dot first."
            )
        if wrong := out_of_range(to_plain(self)):
            raise StudyError(wrong)
        if self.limit.seconds is None:
            for place, steps in (("algorithm.steps", self.algorithm.steps), ("final.steps", self.final.steps)):
                if steps is None:
                    raise StudyError(f"{place} is not given, and neither is limit.seconds; one of them must be.")
            if self.final.macs == "auto":
                raise StudyError("final.macs is auto, which needs limit.seconds; give one of them as a number.")
        if self.final.macs is not None and not isinstance(self.space, EnvelopeSettings):
            raise StudyError(f"final.macs is given, but the networks of space.kind {self.space.kind} keep their width.")
        if isinstance(self.backend, TabularSettings) or isinstance(self.executor, Simulated):
            self._check_tabular()
        if self.final.stem_stride is not None and self.final.macs is None:
            raise StudyError("final.stem_stride is given, which needs final.macs, the size of the final network.")
        if self.final.macs is not None and isinstance(self.algorithm, FixedSettings):
            raise StudyError("final.macs is given, but given networks keep their width; leave it out.")
        if isinstance(self.executor, Http):
            self._check_urls(self.executor)
        if isinstance(self.algorithm, RemoteSettings) and has_password(self.algorithm.url):
            raise StudyError(
                "algorithm.url has a password, which the run folder would keep for everybody to read. Leave it out, "
                "and put a token into AMLA_TOKEN."
            )
        if self.run_off is not None:
            self._check_run_off()
        if isinstance(self.backend, TabularSettings) and (self.baselines is not None or self.tuning is not None):
            raise StudyError("baselines or tuning are given, but a table trains nothing; leave them out.")
        if self.terms is not None and isinstance(self.algorithm, NacSettings) and self.algorithm.mode == "paper":
            raise StudyError("terms are given, but paper mode searches as it did in 2018; leave them out.")
        if self.constraints and isinstance(self.algorithm, NacSettings) and self.algorithm.mode == "paper":
            raise StudyError("constraints are given, but networks of 2018 know none; leave them out in paper mode.")
        if self.prefer != "accurate":
            self._check_prefer()
        if self.latency is None and "latency" in getattr(self.algorithm, "costs", ()):
            raise StudyError("algorithm.costs names 'latency', which is measured where latency is given: latency: {}.")
        if self.latency is not None:
            self._check_latency(self.latency)
        if self.devices > 1:
            self._check_devices(self.devices)
        for tracker in self.trackers:
            if isinstance(tracker, MlflowSettings) and has_password(tracker.uri or ""):
                raise StudyError(
                    "trackers: the URI of MLflow has a password, which the run folder would keep for everybody to "
                    "read. Put it into MLFLOW_TRACKING_PASSWORD or MLFLOW_TRACKING_URI, and leave it out."
                )

    @property
    def final_recipe(self) -> Recipe:
        """The recipe of the final training."""
        return self.final.recipe or self.recipe

    @property
    def devices(self) -> int:
        """How many devices the final training is on at once."""
        return self.backend.devices if isinstance(self.backend, Torch) else 1

    def _check_tabular(self) -> None:
        """What is looked up takes simulated time, in the space that the table is about, for the steps that it knows."""
        if not (isinstance(self.backend, TabularSettings) and isinstance(self.executor, Simulated)):
            raise StudyError("backend.kind tabular and executor.kind simulated belong together; give both, or neither.")
        if self.metric != "accuracy":
            raise StudyError(f"metric is {self.metric}, but tables know accuracy alone; leave it out.")
        if self.space.kind != self.backend.table:
            raise StudyError(f"space.kind is {self.space.kind}, but the table is about {self.backend.table}.")
        if self.space not in (NasBench201Settings(), NasBenchMacroSettings()):
            raise StudyError(
                "The table is about networks of the published size; leave all but space.kind out of space."
            )
        for place, steps in (("algorithm.steps", self.algorithm.steps), ("final.steps", self.final.steps)):
            if steps is None:
                raise StudyError(f"{place} is not given; with backend.kind tabular steps are epochs, and must be.")

    def _check_urls(self, executor: Http) -> None:
        if not executor.urls:
            raise StudyError("executor.urls is empty; give the URL of one worker service or more.")
        for place, url in enumerate(executor.urls):
            try:
                address(url)
            except ValueError as error:
                raise StudyError(f"executor.urls[{place}]: {error}") from None

    def _check_run_off(self) -> None:
        """A run-off compares networks that the search has trained from new weights for equally long."""
        match self.algorithm:
            case FixedSettings():
                raise StudyError("run_off is given, but given networks are not searched; leave it out.")
            case DartsSearchSettings() | EnasSettings() | RandomSharingSettings():
                raise StudyError("run_off is given, but one-shot methods train no network by itself; leave it out.")
            case NacSettings(mode="paper"):
                raise StudyError("run_off is given, but paper mode recommends its last network; leave it out.")
            case NacSettings(inherit=True):
                raise StudyError(
                    "run_off is given, but with algorithm.inherit networks do not train alone; leave it out."
                )
            case NacSettings(stable=float()):
                raise StudyError(
                    "run_off is given, but with algorithm.stable trainings end at different times; leave it out."
                )

    def _check_prefer(self) -> None:
        """Another network than the most accurate one can be preferred where several were trained by themselves."""
        match self.algorithm:
            case DartsSearchSettings() | EnasSettings() | RandomSharingSettings():
                raise StudyError(f"prefer is {self.prefer}, but a one-shot search trains no networks to choose from.")
            case NacSettings(mode="paper"):
                raise StudyError(f"prefer is {self.prefer}, but paper mode takes its last network; leave it out.")
        if self.final.macs is not None:
            raise StudyError(
                f"prefer is {self.prefer}, but final.macs makes the final network wider; give final.macs as null."
            )

    def _check_latency(self, latency: LatencySettings) -> None:
        """Latency is measured of closed networks that are trained by themselves."""
        if isinstance(self.backend, TabularSettings):
            raise StudyError("latency is given, but a table trains nothing whose latency could be measured.")
        if latency.url is not None:
            try:
                address(latency.url)
            except ValueError as error:
                raise StudyError(f"latency.url: {error}") from None
        match self.algorithm:
            case DartsSearchSettings() | EnasSettings() | RandomSharingSettings() if latency.at_most is not None:
                raise StudyError(
                    "latency.at_most is given, but a one-shot search trains all networks as one, before it is known "
                    "which of them is the result; take another algorithm, or constraints.macs."
                )
            case NacSettings(mode="paper") if latency.at_most is not None:
                raise StudyError("latency.at_most is given, but networks of 2018 know no limits; leave it out.")

    def _check_devices(self, devices: int) -> None:
        """Several devices train one network on equal shares of each batch, on this machine."""
        if not isinstance(self.executor, OnThisMachine):
            raise StudyError(
                f"backend.devices is {devices}, but with the executor {self.executor.kind!r} every network trains on "
                "one device; use 'local' or 'inline', or leave backend.devices out."
            )
        place = "final.recipe" if self.final.recipe else "recipe"
        if self.final_recipe.batch % devices:
            raise StudyError(
                f"{place}.batch is {self.final_recipe.batch}; the {devices} devices of backend.devices have equal "
                f"shares of a batch, so it must be a multiple of {devices}."
            )


def has_password(url: str) -> bool:
    """Return whether a URL tells a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.password) or "password" in parse_qs(parts.query)


_NAME = re.compile(r"[^./\\][^/\\]{0,99}")
_USUAL = {"space": "envelope", "backend": "torch"}  # kinds that may be left out

_study = TypeAdapter(Study)


def from_yaml(text: str) -> Study:
    """Return the study that `text` describes. Raises StudyError, which says where it breaks which rule."""
    try:
        plain = plain_yaml(text)
    except SpecError as error:
        raise StudyError(str(error)) from None
    return from_plain(plain)


def from_plain(plain: Any) -> Study:
    """Return the study that plain values (dicts, lists, numbers) describe. Raises StudyError."""
    if isinstance(plain, dict):
        plain = plain | {
            place: {"kind": kind, **plain[place]}
            for place, kind in _USUAL.items()
            if isinstance(plain.get(place), dict) and "kind" not in plain[place]
        }
    try:
        check_plain(plain)
        return _study.validate_json(json.dumps(plain))
    except ValidationError as error:
        raise StudyError(explain(error, plain)) from None
    except (TypeError, ValueError, RecursionError) as error:  # YAML knows dates, and values that contain themselves
        raise StudyError(f"This is no study: {error}.") from None


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
