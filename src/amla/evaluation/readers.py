"""Snapshots that a process reads and another one writes."""

from dataclasses import dataclass

from amla.evaluation.train import Snapshots
from amla.trials.snapshot import Snapshot


@dataclass(frozen=True)
class ReadOnly:
    """The snapshots of others: what is saved or dropped here stays as they have it."""

    theirs: Snapshots

    def save(self, key: str, snapshot: Snapshot) -> None:
        """Leave it to the one who writes."""

    def load(self, key: str) -> Snapshot:
        """Return a snapshot. Raises ValueError for a damaged one, or one that was dropped meanwhile."""
        try:
            return self.theirs.load(key)
        except FileNotFoundError as error:
            raise ValueError(str(error)) from None

    def exists(self, key: str) -> bool:
        """Return whether there is one."""
        return self.theirs.exists(key)

    def drop(self, key: str) -> None:
        """Leave it to the one who writes."""
