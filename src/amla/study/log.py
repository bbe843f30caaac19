"""Where the events of a run are: in its folder, or in a database that the folder names."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from amla.spec.text import explain
from amla.spec.values import value
from amla.storage.files import Files
from amla.storage.records import Records
from amla.study.phases import PHASES as PHASES
from amla.study.rules import has_password
from amla.study.run import Store
from amla.study.study import StudyError
from amla.trials.history import History
from amla.trials.trial import Outcome, Proposal, TrialId

EVENTS, STORE = "events.sqlite", "store.json"  # one of them is in a run folder


@value
class Place:
    """A database that holds the events of a run: its phases are called "RUN/search" and so on there."""

    url: str
    run: str

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
        except ValueError as error:
            raise StudyError(f"The store {self.url!r} is no URL: {error}.") from None
        if not parts.scheme or not self.url.startswith(f"{parts.scheme}://"):
            raise StudyError(
                f"The store {self.url!r} is no URL; write postgresql+psycopg://USER@HOST/DATABASE. Without --store the "
                "events are in a file in the run folder."
            )
        if has_password(self.url):
            raise StudyError(
                "The URL of the store has a password, which the run folder would keep for everybody to read. Put it "
                "into ~/.pgpass or PGPASSWORD, and leave it out of the URL."
            )


@dataclass(frozen=True)
class Within:
    """A store of many runs, as one of them sees it: its studies have no other names than in a store of its own."""

    store: Store
    run: str

    def history(self, study: str) -> History:
        """Return what has been written of a phase."""
        return self.store.history(f"{self.run}/{study}")

    def asked(self, study: str, proposal: Proposal) -> None:
        """Append a proposal."""
        self.store.asked(f"{self.run}/{study}", proposal)

    def told(self, study: str, trial_id: TrialId, outcome: Outcome) -> None:
        """Append an outcome."""
        self.store.told(f"{self.run}/{study}", trial_id, outcome)


_place = TypeAdapter(Place)


def place(folder: Path) -> Place | None:
    """Return which database holds the events of a run, None if its folder does. Raises StudyError."""
    try:
        return _place.validate_json(Files(folder).read_text(STORE))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise StudyError(f"'{folder / STORE}' does not say where the events are: {explain(error)}") from None


def choose(folder: Path, url: str | None, name: str) -> None:
    """Have the events of a run in the database at `url`, if it is given and they are not there already.

    Raises StudyError if they are elsewhere, StoreError if the database cannot be used.
    """
    if url is None:
        return
    chosen, found = Place(url, f"{name}-{token_hex(4)}"), place(folder)
    if found is None and (folder / EVENTS).exists():
        raise StudyError(
            f"'{folder}' has its events in {EVENTS}. Leave --store out, or name another folder with --run."
        )
    if found is None:
        Records(url).close()  # so that no folder names a database that does not serve
        Files(folder).write_text(STORE, _place.dump_json(chosen, indent=1).decode() + "\n")
    elif found.url != url:
        raise StudyError(
            f"'{folder}' has its events at {found.url}, not at {url}. Leave --store out; if the database has moved, "
            f"write its new URL into {STORE}."
        )


def exists(folder: Path) -> bool:
    """Return whether a folder has, or names, events."""
    return (folder / EVENTS).is_file() or (folder / STORE).is_file()


def where(folder: Path) -> tuple[Path | str, dict[str, str]]:
    """Return where the events of a run are, and what its phases are called there."""
    found = place(folder)
    if found is None:
        return folder / EVENTS, {phase: phase for phase in PHASES}
    return found.url, {phase: f"{found.run}/{phase}" for phase in PHASES}


@contextmanager
def reading(folder: Path) -> Iterator[Store]:
    """Yield the event log of a run to read from, also while it is being written."""
    with Records(where(folder)[0], read_only=True) as records:
        yield _seen(folder, records)


@contextmanager
def writing(folder: Path) -> Iterator[Store]:
    """Yield the event log of a run to write to, and hold its lease. Raises StoreError if another process does."""
    path, names = where(folder)
    with Records(path) as records, records.lease(*names.values()):
        yield _seen(folder, records)


def _seen(folder: Path, records: Records) -> Store:
    found = place(folder)
    return Within(records, found.run) if found else records
