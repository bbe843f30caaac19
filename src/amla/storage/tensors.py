"""Snapshots as bytes: one safetensors file holds the weights, what is needed to go on, and a checksum of it all."""

import json
from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from amla.spec.text import from_json, to_json
from amla.storage.errors import DamagedFile
from amla.trials.snapshot import Arrays, Snapshot

FORMAT = "amla-snapshot/1"
_MEND = "What wrote it can be run again"
_GROUPS = ("weights", "resume")


def packed(snapshot: Snapshot) -> bytes:
    """Return a snapshot as a safetensors file: tensors "weights/<name>" and "resume/<name>", the rest as metadata."""
    tensors = {
        f"{group}/{name}": _plain(array) for group in _GROUPS for name, array in getattr(snapshot, group).items()
    }
    about = {
        "format": FORMAT,
        "architecture": to_json(snapshot.architecture),
        "method": snapshot.method,
        "steps": str(snapshot.steps),
    }
    return save(tensors, {**about, "checksum": _checksum(about, tensors)})


def unpacked(content: bytes, path: str) -> Snapshot:
    """Return the snapshot in a safetensors file. Raises DamagedFile, naming `path`, unless it is as it was written."""
    try:
        tensors = load(content)
        about = _metadata(content)
        written = about.pop("checksum")
        form = about["format"]
    except (SafetensorError, ValueError, KeyError) as error:
        raise DamagedFile(f"'{path}' is torn, or is no snapshot ({type(error).__name__}: {error}). {_MEND}.") from None
    if form != FORMAT:
        raise DamagedFile(f"'{path}' has format {form!r}; this amla reads {FORMAT!r}. Use the amla that wrote it.")
    if written != _checksum(about, tensors):
        raise DamagedFile(f"'{path}' was altered after it was written: its checksum is wrong. {_MEND}.")
    groups: dict[str, dict[str, NDArray[np.generic]]] = {group: {} for group in _GROUPS}
    try:
        for address, array in tensors.items():
            group, _, name = address.partition("/")
            groups[group][name] = array if array.flags.writeable else array.copy()
        return Snapshot(from_json(about["architecture"]), about["method"], int(about["steps"]), **groups)
    except (ValueError, KeyError) as error:  # whoever wrote it, in whatever language, is to blame, and no accident
        raise DamagedFile(f"'{path}' is no snapshot ({type(error).__name__}: {error}). {_MEND}.") from None


def packed_weights(snapshot: Snapshot, notes: Mapping[str, str]) -> bytes:
    """Return the weights alone as a safetensors file, each tensor under its canonical name; `notes` as metadata."""
    about = {**notes, "architecture": to_json(snapshot.architecture), "steps": str(snapshot.steps)}
    tensors = {name: _plain(array) for name, array in snapshot.weights.items()}
    return save(tensors, {**about, "checksum": _checksum(about, tensors)})


def unpacked_weights(content: bytes, path: str) -> tuple[Arrays, Mapping[str, str]]:
    """Return the weights in a file that has them alone, and its notes.

    Raises DamagedFile, naming `path`, unless it is as written.

    Files of before had no checksum; of them only what is torn is found.
    """
    try:
        tensors, about = load(content), _metadata(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise DamagedFile(f"'{path}' is torn, or has no weights ({type(error).__name__}: {error}).") from None
    if "checksum" in about and about.pop("checksum") != _checksum(about, tensors):
        raise DamagedFile(f"'{path}' was altered after it was written: its checksum is wrong.")
    return tensors, about


def _plain(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the same array laid out as a file holds it: C order, little endian. (A scalar stays one.)"""
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _metadata(content: bytes) -> dict[str, str]:
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata: dict[str, str] = header["__metadata__"]
    return metadata


def _checksum(about: Mapping[str, str], tensors: Arrays) -> str:
    digest = blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=32)
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
