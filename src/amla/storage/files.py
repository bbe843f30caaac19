"""The files of studies: snapshots, learning curves, and texts such as reports."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from amla.spec.text import explain
from amla.storage.errors import DamagedFile
from amla.storage.folder import Folder
from amla.storage.tensors import packed, packed_weights, unpacked, unpacked_weights
from amla.trials.progress import Progress
from amla.trials.snapshot import Arrays, Snapshot

SUFFIX = ".safetensors"
NO_NOTES: Mapping[str, str] = MappingProxyType({})

_progress = TypeAdapter(Progress)


class Files:
    """Files below `root`, a local path or a URL that fsspec understands; the snapshots are below `shared`, if given.

    Keys and names are relative paths such as "digits/7"; ValueError for any other. A file is there whole or not at
    all. Raises OSError, with its errno and naming the file, where a disk or its permissions are in the way.
    """

    def __init__(self, root: str | Path, shared: str | None = None) -> None:
        self.shared = shared
        self._folder = Folder(root)
        self._snapshots = self._folder if shared is None else Folder(shared)

    def save(self, key: str, snapshot: Snapshot) -> None:
        """Write a snapshot, replacing one of the same key."""
        self._snapshots.write(_snapshot(key), packed(snapshot))

    def load(self, key: str) -> Snapshot:
        """Return a snapshot. Raises FileNotFoundError if there is none, DamagedFile if it is torn or altered."""
        return unpacked(self._snapshots.read(_snapshot(key)), self._snapshots.path(_snapshot(key)))

    def packed(self, key: str) -> bytes:
        """Return a snapshot as the bytes of its file. Raises FileNotFoundError if there is none."""
        return self._snapshots.read(_snapshot(key))

    def save_packed(self, key: str, content: bytes) -> None:
        """Write a snapshot that comes as the bytes of its file. Raises DamagedFile for what is none."""
        unpacked(content, key)
        self._snapshots.write(_snapshot(key), content)

    def path(self, key: str) -> str:
        """Return where a snapshot is, or would be."""
        return self._snapshots.path(_snapshot(key))

    def exists(self, key: str) -> bool:
        """Return whether there is such a snapshot."""
        return self._snapshots.exists(_snapshot(key))

    def drop(self, key: str) -> None:
        """Delete a snapshot, if it is there."""
        self._snapshots.drop(_snapshot(key))

    def snapshots(self, under: str) -> list[str]:
        """Return the keys of the snapshots there are that begin with `under` and "/"."""
        names = self._snapshots.names(f"snapshots/{under}")
        return [f"{under}/{name.rpartition('/')[2].removesuffix(SUFFIX)}" for name in names if name.endswith(SUFFIX)]

    def save_weights(self, key: str, snapshot: Snapshot, notes: Mapping[str, str] = NO_NOTES) -> str:
        """Write the weights alone, under canonical names, for any reader of safetensors; return where they are.

        The file's metadata hold the architecture as JSON, the steps, `notes`, and a checksum of it all.
        """
        name = _weights(key)
        self._folder.write(name, packed_weights(snapshot, notes))
        return self._folder.path(name)

    def load_weights(self, key: str) -> tuple[Arrays, Mapping[str, str]]:
        """Return weights by canonical name, and their notes. Raises FileNotFoundError, DamagedFile."""
        return unpacked_weights(self._folder.read(_weights(key)), self._folder.path(_weights(key)))

    def start_curve(self, key: str, step: int = 0) -> None:
        """Begin a learning curve, or keep of one what was written up to `step`, from where its leg is resumed.

        A damaged one begins anew: a leg must not fail for its picture.
        """
        try:
            kept = [progress for progress in self.curve(key) if progress.step <= step] if step else []
        except DamagedFile:
            kept = []
        self._folder.write(_curve(key), b"".join(map(_line, kept)))

    def append_curve(self, key: str, progress: Progress) -> None:
        """Append a line to a learning curve that was started."""
        self._folder.append(_curve(key), _line(progress))

    def curve(self, key: str) -> list[Progress]:
        """Return a learning curve, empty if there is none. Raises DamagedFile, though not for a torn last line."""
        if not self._folder.exists(_curve(key)):
            return []
        *lines, _torn = self._folder.read(_curve(key)).split(b"\n")
        try:
            return [_progress.validate_json(line) for line in lines]
        except ValidationError as error:
            path, what = self._folder.path(_curve(key)), explain(error)
            raise DamagedFile(f"'{path}' is no learning curve: {what}. Delete it; only pictures need it.") from None

    def write_text(self, name: str, text: str) -> None:
        """Write a text, replacing one of the same name."""
        self._folder.write(name, text.encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file, replacing one of the same name."""
        self._folder.write(name, content)

    def read_text(self, name: str) -> str:
        """Return a text. Raises FileNotFoundError."""
        return self._folder.read(name).decode()

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a file. Raises FileNotFoundError."""
        return self._folder.read(name)


def _snapshot(key: str) -> str:
    return f"snapshots/{key}{SUFFIX}"


def _weights(key: str) -> str:
    return f"weights/{key}{SUFFIX}"


def _curve(key: str) -> str:
    return f"curves/{key}.jsonl"


def _line(progress: Progress) -> bytes:
    return _progress.dump_json(progress) + b"\n"
