"""What a server checks of a study before it takes it: what it names, what it reaches for, and what it would cost.

All of this is arithmetic on what the study says. Nothing is built for a study that is too large to be built.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from amla.backends import processor
from amla.spaces.envelope import Envelope
from amla.spec.costs import costs
from amla.study import spaces
from amla.study.resolve import algorithm_of
from amla.study.settings.places import Http, MlflowSettings, TensorBoardSettings
from amla.study.settings.searches import FixedSettings, RemoteSettings
from amla.study.settings.spaces import (
    DartsSettings,
    EnasMacroSettings,
    EnvelopeSettings,
    NasBench201Settings,
    NasBenchMacroSettings,
    SpaceSettings,
    TemplateSettings,
)
from amla.study.study import Study, StudyError, to_plain
from amla.tasks.builtin import NAMES, shape_of

NODES = 4_000  # of a template: 35 ms to build, and ten times as many as any network that was ever worth training
STAGES = 16
WIDEST = 4_096  # channels
CHARACTERS = 60  # of a file, at least, for each node of a network
MACS = 10**12  # of a network, on one image
TEXT = 4_096  # characters
MOST = 1e15  # of any number, as in a study file
PIXELS = 512  # along an axis of an image
COUNTS = {"algorithm.iterations": 1_000, "algorithm.candidates": 100, "algorithm.windows": 1_000, "executor.cpus": 256}
ELSEWHERE = {"executor.workers": 1_024, "executor.threads": 256}  # of worker services; here each is a thread that waits


@dataclass(frozen=True)
class Allowed:
    """What uploaded studies may name: files below the folder `data`, addresses in `urls`, so many `workers` here.

    An address is allowed with all that is at the same scheme, host and port.
    """

    data: Path | None = None
    urls: tuple[str, ...] = ()
    workers: int = 2 * processor.cores()


def checked(study: Study, allowed: Allowed) -> Study:
    """Return a study whose files are named by absolute paths. Raises StudyError, SpaceError or SpecError."""
    plain = to_plain(study)
    _check_values(plain)
    _check_sizes(study, plain, allowed)
    _check_addresses(plain, allowed)
    _check_trackers(study, allowed)
    study = _placed(study, allowed)
    _check_space(study.space)
    _check_networks(study)
    return study


def _check_values(plain: Any) -> None:
    """Refuse what no study needs: numbers that are none, texts that are books."""
    for address, leaf in _leaves(plain):
        match leaf:
            case bool() | None:
                continue
            case int() | float() if not (isfinite(leaf) and abs(leaf) <= MOST):
                raise StudyError(f"{address} is {leaf!s:.40}; a number must be finite, and {MOST:g} at most.")
            case str() if len(leaf) > TEXT or not leaf.isprintable():
                raise StudyError(f"{address} must be a text of up to {TEXT:,} characters that can be printed.")


def _check_sizes(study: Study, plain: dict[str, Any], allowed: Allowed) -> None:
    here = {"executor.workers": allowed.workers, "executor.threads": processor.cores()}
    limits = {**COUNTS, **(ELSEWHERE if isinstance(study.executor, Http) else here)}
    for address, most in limits.items():
        group, name = address.split(".")
        number = plain[group].get(name)
        if isinstance(number, int) and number > most:
            raise StudyError(f"{address} is {number}; this server allows up to {most}.")
    if any(not 1 <= length <= PIXELS for length in study.data.size or ()):
        raise StudyError(
            f"data.size is {list(study.data.size or ())}; this server allows up to {PIXELS} pixels an axis."
        )


def _check_space(space: SpaceSettings) -> None:
    """Refuse a space that is too large to be written down."""
    match space:
        case EnvelopeSettings():
            _check_envelope(space)
            widest, nodes = float(space.width), nodes_of(space)
        case NasBench201Settings():
            widest, nodes = 4.0 * space.width, 100 * space.cells
        case NasBenchMacroSettings():
            widest, nodes = float(max(16 * space.width, space.last)), 0
        case DartsSettings():
            widest, nodes = 16.0 * space.width * max(1, space.stem), 200 * space.cells
        case EnasMacroSettings():
            widest, nodes = float(space.width) * max(1, space.growth) ** 2, 40 * space.layers + space.layers**2
        case TemplateSettings():
            widest, nodes = 0.0, Path(space.file).stat().st_size // CHARACTERS
    if widest > WIDEST:
        raise StudyError(f"The space is up to {widest:.0f} channels wide; this server allows up to {WIDEST:,}.")
    if nodes > NODES:
        raise StudyError(f"The space has up to {nodes:,} nodes; this server allows up to {NODES:,}.")


def _check_envelope(space: EnvelopeSettings) -> None:
    if max(len(space.cells), len(space.max_cells), len(space.growth)) > STAGES:
        raise StudyError(f"The space has {len(space.max_cells)} stages; this server allows up to {STAGES}.")
    widest = space.width * max((1.0, *space.growth, 2.0 ** len(space.cells) if not space.growth else 1.0))
    if widest > WIDEST:
        raise StudyError(f"The space is up to {widest:.0f} channels wide; this server allows up to {WIDEST:,}.")
    if any(len(branch) > 64 for branch in space.branches):
        raise StudyError("space.branches: a branch has a name of more than 64 characters.")


def _check_networks(study: Study) -> None:
    """Refuse a space with networks too large to be trained, where the data are of a known size."""
    known = shape_of(study.data.source, study.data.size)
    if known is None:
        return  # what the data are is found out when they are read, and what does not fit then is said then
    space = spaces.space_of(study.space, *known, study.constraints)
    deepest = space.deepest() if isinstance(space, Envelope) else space.space.fullest()
    found = costs(space.space.close(deepest))
    if found.macs > MACS:
        raise StudyError(
            f"The largest network of the space takes {found.macs:.1e} multiply-accumulates an image; this server "
            f"allows up to {MACS:.0e}."
        )
    algorithm_of(study, space, steps=1)


def nodes_of(space: EnvelopeSettings) -> int:
    """Return how many nodes the template of a space has at most."""
    ends = 10  # nodes: of stem and head
    branch = 5  # nodes: a separable one has two convolutions, a pool, a normalisation and a rectifier
    return ends + sum(
        max(0, cells) * (branch * len(space.branches) + 5) + max(0, cells) ** 2 // 2 for cells in space.max_cells
    )


def _check_addresses(plain: dict[str, Any], allowed: Allowed) -> None:
    """Refuse addresses that nobody allowed: a server must not be made to call others for a stranger."""
    places = {_place(url) for url in allowed.urls}
    for address, leaf in _leaves(plain):
        is_address = isinstance(leaf, str) and ("://" in leaf or address == "executor.address")
        if is_address and not address.startswith("algorithm.options") and _place(leaf) not in places:
            raise StudyError(
                f"{address} is {leaf!r}, an address that this server does not allow. Whoever runs it can, with "
                "--allow-url."
            )
    if plain["algorithm"]["kind"] == RemoteSettings.__dataclass_fields__["kind"].default:
        url = plain["algorithm"]["url"]
        if _place(url) not in places:
            raise StudyError(f"algorithm.url is {url!r}, which this server does not allow; --allow-url would.")


def _check_trackers(study: Study, allowed: Allowed) -> None:
    """Refuse MLflow anywhere but where whoever runs the server has it: of itself it would write below any path."""
    places = {_place(url) for url in allowed.urls}
    for tracker in study.trackers:
        match tracker:
            case TensorBoardSettings():
                raise StudyError(
                    "trackers: TensorBoard needs a folder of the server's; fetch the run, and use amla track."
                )
            case MlflowSettings(uri=None) if not os.environ.get("MLFLOW_TRACKING_URI"):
                raise StudyError(
                    "trackers: MLflow has no uri, and this server no MLFLOW_TRACKING_URI; name an address that "
                    "--allow-url allows, or fetch the run, and use amla track."
                )
            case MlflowSettings(uri=str(uri)) if _place(uri) not in places:
                raise StudyError(
                    f"trackers: the uri of MLflow is {uri!r}, which this server does not allow; --allow-url would."
                )


def _place(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", url
    return parts.scheme.lower(), parts.netloc.lower() or url


def _placed(study: Study, allowed: Allowed) -> Study:
    if study.data.source not in NAMES:
        study = replace(study, data=replace(study.data, source=_below(study.data.source, "data.source", allowed)))
    if isinstance(study.space, TemplateSettings):
        study = replace(study, space=replace(study.space, file=_below(study.space.file, "space.file", allowed)))
    if study.terms and study.terms.after:
        raise StudyError("terms.after names run folders; on this server studies cannot begin from others.")
    if isinstance(study.algorithm, FixedSettings):
        files = tuple(_below(file, "algorithm.architectures", allowed) for file in study.algorithm.architectures)
        study = replace(study, algorithm=replace(study.algorithm, architectures=files))
    return study


def _below(name: str, address: str, allowed: Allowed) -> str:
    """Return the path of a file below the folder that may be named. Raises StudyError for one that is not there."""
    if allowed.data is None:
        raise StudyError(
            f"{address} is {name!r}, but this server has no data besides {', '.join(NAMES)}. Whoever runs it can "
            "give it a folder, with --data."
        )
    root = allowed.data.resolve()
    try:
        path = (root / name).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        path = None
    if path is None or not path.is_relative_to(root):  # the same words for both: what is elsewhere is nobody's business
        raise StudyError(f"{address} is {name!r}, which is not below the folder of data of this server.")
    return str(path)


def _leaves(plain: Any, address: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is not made of parts, by address; names in mappings, too."""
    match plain:
        case dict():
            for name, part in plain.items():
                yield f"a name in {address or 'the study'}", name
                yield from _leaves(part, f"{address}.{name}" if address else str(name))
        case list() | tuple():
            for place, part in enumerate(plain):
                yield from _leaves(part, f"{address}[{place}]")
        case _:
            yield address, plain
