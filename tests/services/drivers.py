"""Drivers that are no processes: a test says when and how they end."""

import signal
from pathlib import Path

from amla.services.drivers import Drivers


class MadeUp(Drivers):
    """Drivers with numbers from 1, which live until they are said to be over."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Path] = []
        self.codes: dict[int, int | None] = {}
        self.signals: list[tuple[int, int]] = []
        self.are_ours = True

    def start(self, folder: Path, trace: str) -> tuple[int, str]:
        self.started.append(folder)
        return len(self.started), f"number {len(self.started)}"

    def code(self, pid: int) -> int | None:
        return self.codes.get(pid) if self.are_ours else None

    def is_live(self, pid: int, called: str) -> bool:
        return called == f"number {pid}" and pid not in self.codes

    def interrupt(self, pid: int, called: str, number: int = signal.SIGINT) -> None:
        self.signals.append((pid, number))

    def forget(self, pid: int) -> None:
        """Forget nothing: tests look at it."""
