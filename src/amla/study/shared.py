"""Where the snapshots of a run are: in its folder, or at an address that the folder names and all machines reach."""

from pathlib import Path
from secrets import token_hex

from pydantic import TypeAdapter, ValidationError

from amla.spec.text import explain
from amla.spec.values import value
from amla.storage.files import Files
from amla.storage.folder import Folder
from amla.study.folder import BEST, REPORT, STUDY, WEIGHTS
from amla.study.rules import has_password
from amla.study.study import StudyError

SHARED = "files.json"  # in a run folder
TRIED = "amla-was-here"
OUT = (STUDY, BEST, WEIGHTS, REPORT)  # what is put to the address, too


@value
class Shared:
    """An address that fsspec understands, such as "s3://bucket/amla/digits-1f2e3d4c"."""

    url: str

    def __post_init__(self) -> None:
        if "://" not in self.url:
            raise StudyError(
                f"The files' address {self.url!r} is no URL; write s3://BUCKET/PATH or the like. Without --files they "
                "are in the run folder."
            )
        if has_password(self.url):
            raise StudyError(
                "The files' address has a password, which the run folder would keep for everybody to read. Leave it "
                "out, and put it where the library for such addresses looks for it, as AWS_SECRET_ACCESS_KEY."
            )


_shared = TypeAdapter(Shared)


def shared(folder: Path) -> Shared | None:
    """Return where the snapshots of a run are, None if its folder has them. Raises StudyError."""
    try:
        return _shared.validate_json(Files(folder).read_text(SHARED))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise StudyError(f"'{folder / SHARED}' does not say where the files are: {explain(error)}") from None


def files_of(folder: Path) -> Files:
    """Return the files of a run. Raises StudyError."""
    found = shared(folder)
    return Files(folder, None if found is None else found.url)


def reach(url: str) -> None:
    """Raise StudyError if nothing can be written to an address, before a folder names it."""
    address = Shared(url).url
    try:
        files = Folder(address)
        files.write(TRIED, b"")
        files.drop(TRIED)
    except ImportError as error:
        raise StudyError(f"The files' address {url}: {error}") from None
    except (OSError, ValueError) as error:
        raise StudyError(f"Nothing can be written to the files' address {url}: {error}") from None


def share(folder: Path, url: str | None, name: str) -> None:
    """Have the snapshots of a run below `url`, if it is given and they are not there already.

    Raises StudyError if they are elsewhere.
    """
    if url is None:
        return
    chosen, found = Shared(f"{url.rstrip('/')}/{name}-{token_hex(4)}"), shared(folder)
    if found is None and (folder / "snapshots").exists():
        raise StudyError(f"'{folder}' has its snapshots in it. Leave --files out, or name another folder with --run.")
    if found is None:
        Files(folder).write_text(SHARED, _shared.dump_json(chosen, indent=1).decode() + "\n")
    elif found.url.rpartition("/")[0] != url.rstrip("/"):
        raise StudyError(
            f"'{folder}' has its snapshots at {found.url}, not at {url}. Leave --files out; if they have moved, write "
            f"the new address into {SHARED}."
        )


def publish(folder: Path) -> None:
    """Put what came out of a run to where its snapshots are, unless that is its folder. Raises OSError."""
    if (found := shared(folder)) is None:
        return
    here, there = Files(folder), Files(found.url)
    for name in OUT:
        if (folder / name).is_file():
            there.write_bytes(name, here.read_bytes(name))


def clear(folder: Path) -> None:
    """Delete what a run has at the address that its folder names, if it names one. Raises OSError."""
    if (found := shared(folder)) is not None:
        Folder(found.url).clear()
