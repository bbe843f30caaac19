"""Worker services as processes of their own, whose trials are those of `amla.testing:synthetic`.

Run as `python worker_service.py FOLDER SLOTS PORT`: prints its URL and answers until it is killed.
"""

import json
import os
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import Self

from amla.execution.orders import Order
from amla.execution.work import Work


class MadeUp:
    """A trade whose tasks are the config of a factory: that of the landscape, or of `faulty_work`."""

    factory = "amla.testing:synthetic"

    def check(self, order: Order) -> None:
        """Understand everything."""

    def work(self, order: Order, folder: Path) -> Work:
        return Work(self.factory, json.dumps(dict(order.task)))


class Started:
    """A service that is being started; a context that kills it in the end."""

    def __init__(self, folder: Path, slots: int = 1, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(folder), str(slots), str(port)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    @cached_property
    def url(self) -> str:
        """Where it listens, once it does."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def main(folder: str, slots: str, port: str) -> None:
    from amla.services.app import application
    from amla.services.guard import Guard
    from amla.services.serve import serve
    from amla.services.trials import Worker
    from amla.services.workshop import Workshop

    guard = Guard()
    with_slots = Workshop(MadeUp(), Path(folder), slots=int(slots))
    serve(
        application({"worker": Worker(with_slots)}, guard),
        guard,
        int(port),
        listening=lambda url: sys.stdout.write(f"{url}\n") and sys.stdout.flush(),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
