"""A run folder: what a study writes, where, and what can be read back from it while it runs or afterwards."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from importlib import metadata, resources
from pathlib import Path
from shlex import quote
from typing import Any

from amla import __version__
from amla.backends import processor
from amla.spec import text
from amla.storage.errors import DamagedFile
from amla.storage.files import Files
from amla.study import log
from amla.study.phases import PHASES, REHEARSAL
from amla.study.settings.places import TabularSettings
from amla.study.settings.searches import FixedSettings
from amla.study.study import Provenance, Study, StudyError, load, to_plain, to_yaml
from amla.tasks.findings import findings
from amla.tasks.task import Task
from amla.trials.history import History
from amla.trials.progress import Progress

STUDY, REPORT, BEST, WEIGHTS = "study.yaml", "report.html", "best.arch.json", "weights/best.safetensors"
COMPARED = "report.json"  # what a comparison writes into its folder, and no run does
LIBRARIES = ("numpy", "torch", "pydantic", "sqlalchemy", "safetensors")


@dataclass(frozen=True)
class Run:
    """What a run folder holds of a study."""

    folder: Path
    study: Study
    search: History
    final: History
    rehearsal: History = field(default_factory=History)
    baselines: History = field(default_factory=History)
    tuning: History = field(default_factory=History)

    @property
    def phases(self) -> dict[str, History]:
        """The histories of all phases, by name and in order."""
        return {phase: getattr(self, phase) for phase in PHASES}

    def curves(self) -> dict[str, list[Progress]]:
        """Return the learning curves there are and that can be read, by phase and trial: "search/0"."""
        found = {key: curve for key in self._keys() if not isinstance(curve := self._curve(key), DamagedFile)}
        return {key: curve for key, curve in found.items() if curve}

    def damaged_curves(self) -> list[str]:
        """Return what is wrong with those that cannot be read, in words."""
        return [str(curve) for key in self._keys() if isinstance(curve := self._curve(key), DamagedFile)]

    def _keys(self) -> list[str]:
        phases = (item for item in self.phases.items() if item[0] != REHEARSAL)
        return [f"{name}/{trial.id}" for name, past in phases for trial in past.trials]

    def _curve(self, key: str) -> list[Progress] | DamagedFile:
        try:
            return Files(self.folder).curve(key)
        except DamagedFile as error:
            return error


def read(folder: Path) -> Run:
    """Return what `folder` holds, also while it is being written. Raises StudyError if it is no run folder."""
    if not (folder / STUDY).is_file():
        raise StudyError(
            f"'{folder}' is no run: it has no {STUDY}. Name the folder that `amla search` or `amla run` wrote."
        )
    study = load(folder / STUDY)
    if not log.exists(folder):
        return Run(folder, study, History(), History())
    with log.reading(folder) as records:
        return Run(folder, study, **{phase: records.history(phase) for phase in PHASES})


def prepare(folder: Path, study: Study, task: Task, store: str | None = None) -> Study:
    """Make `folder` the run folder of `study`, or check that it is, and return the study with its provenance.

    With `store`, a URL, the events are in that database. Raises StudyError if something has been trained there for
    another study, or on other data.
    """
    whole = replace(study, provenance=provenance(task))
    if study.provenance and study.provenance.data != task.dataset.fingerprint:
        raise StudyError(
            f"The study was written for data with the fingerprint {study.provenance.data}, but {study.data.source!r} "
            f"now has {task.dataset.fingerprint}. Find the data it was written for, or delete its provenance."
        )
    path = folder / STUDY
    if not path.exists() and (folder / COMPARED).exists():
        raise StudyError(f"'{folder}' is the folder of a comparison. Name another folder with --run.")
    if path.exists() and not _is_unused(folder):
        held = _where_networks_lie(load(path), study, folder)
        _check_same(folder, held, whole)
        log.choose(folder, store, study.name)
        # where it is shown is no part of what it is, nor how its data are read, nor where given networks lie
        return replace(held, trackers=study.trackers, data=replace(held.data, stream=study.data.stream))
    if not path.exists() and log.exists(folder):
        raise StudyError(
            f"'{folder}' holds the records of a study, but no {STUDY} that says which. Name another folder with --run, "
            f"or restore {STUDY}."
        )
    log.choose(folder, store, study.name)
    folder.mkdir(parents=True, exist_ok=True)
    whole = replace(whole, provenance=replace(provenance(task), findings=_findings(study, task)))
    Files(folder).write_text(STUDY, to_yaml(whole))
    return whole


def provenance(task: Task) -> Provenance:
    """Return what a study is about to be run with."""
    return Provenance(
        data=task.dataset.fingerprint,
        task=task.digest,
        code=f"amla {__version__}, {_code_digest()}",
        versions={"python": platform.python_version()} | {name: _version(name) for name in LIBRARIES},
        machine=f"{platform.system()} {platform.machine()}, {processor.cores()} cores",
        examples=tuple(len(part.labels) for part in (task.parts.train, task.parts.validation, task.parts.test)),
    )


def _findings(study: Study, task: Task) -> tuple[str, ...]:
    """Return what a reader of its results must know of the data; a table that answers the trials has none."""
    return () if isinstance(study.backend, TabularSettings) else tuple(findings(task))


def _where_networks_lie(held: Study, asked: Study, folder: Path) -> Study:
    """Return a study that is held with the files of given networks named as `asked` names them, if they are the same.

    They are what was trained; of one that was not yet, what its file holds.
    """
    match held.algorithm, asked.algorithm:
        case FixedSettings(architectures=there), FixedSettings(architectures=here) if len(there) == len(here):
            tried = [trial.proposal.architecture for trial in read(folder).search.trials[: len(there)]]
            untried = [text.load(Path(file)) if Path(file).is_file() else None for file in there[len(tried) :]]
            pairs = zip(there, here, (*tried, *untried), strict=True)
            if there != here and all(one == other or text.load(Path(other)) == known for one, other, known in pairs):
                return replace(held, algorithm=replace(held.algorithm, architectures=here))
    return held


def _check_same(folder: Path, held: Study, asked: Study) -> None:
    same = replace(asked, trackers=held.trackers, data=replace(asked.data, stream=held.data.stream))
    one, other = (flat(to_plain(replace(each, provenance=None))) for each in (held, same))
    keys = [key for key in one | other if one.get(key) != other.get(key)]
    differing = [f"{key}: {one.get(key)} there, {other.get(key)} here" for key in keys]
    if differing:
        raise StudyError(
            f"'{folder}' holds another study. Name another folder with --run, delete this one, or go on as it was "
            f"begun: amla run {quote(str(folder / STUDY))} --run {quote(str(folder))}. They differ in\n  "
            + "\n  ".join(differing)
        )
    if held.provenance and asked.provenance and held.provenance.data != asked.provenance.data:
        raise StudyError(
            f"The data {held.data.source!r} have changed since '{folder}' was begun: their fingerprint was "
            f"{held.provenance.data}, and is {asked.provenance.data}. Name another folder with --run, or restore them."
        )


def flat(plain: object, address: str = "") -> dict[str, object]:
    """Return plain values by address: {"recipe": {"batch": 64}} as {"recipe.batch": 64}."""
    if not isinstance(plain, dict):
        return {address: plain}
    parts = [flat(part, f"{address}.{name}" if address else name) for name, part in plain.items()]
    return {key: leaf for part in parts for key, leaf in part.items()}


def nested(leaves: Mapping[str, object]) -> dict[str, Any]:
    """Return plain values of those by address: what `flat` was told, less what was empty."""
    found: dict[str, Any] = {}
    for address, leaf in leaves.items():
        *steps, last = address.split(".")
        inner = found
        for step in steps:
            inner = inner.setdefault(step, {})
        inner[last] = leaf
    return found


def _is_unused(folder: Path) -> bool:
    """Return whether amla began a study in `folder`, but nothing was trained: such a study may be replaced."""
    run = read(folder)
    return run.study.provenance is not None and not any(map(len, run.phases.values()))


def _code_digest() -> str:
    hashed = blake2b(digest_size=8)
    root = Path(str(resources.files("amla")))
    for path in sorted(root.rglob("*.py")):
        hashed.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return hashed.hexdigest()


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"
