"""The role of a worker: trials over HTTP. What it does is in `amla.services.workshop`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response
from fastapi.responses import FileResponse
from prometheus_client import Counter, Gauge, Histogram
from starlette.concurrency import run_in_threadpool

from amla.execution import orders
from amla.execution.orders import Capacity, Order, Status
from amla.services.app import Core
from amla.services.documents import Document
from amla.services.keys import KeyHeader
from amla.services.problems import Problem
from amla.services.workshop import Crowded, Lacking, Workshop
from amla.trials.trial import Failure, Outcome

LONGEST = 30.0  # seconds that an answer waits for a trial to be over
LARGEST = 4 << 20  # bytes of an order; one of the largest network that is built has less
SECONDS = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0)  # of the histogram

JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="What the worker calls a trial.")]
Digest = Annotated[str, Path(pattern=f"^{orders.DIGEST}$", description="SHA-256 of the snapshot's bytes.")]
BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

CAPACITY: Document[Capacity] = Document(Capacity)
ORDER: Document[Order] = Document(Order, LARGEST)
STATUS: Document[Status] = Document(Status)


class Counts:
    """What Prometheus is told of a workshop."""

    def __init__(self, core: Core) -> None:
        self.free = Gauge("amla_worker_free_slots", "Trials that could begin now.", registry=core.metrics)
        self._trials = Counter("amla_worker_trials", "Trials that are over.", ["outcome"], registry=core.metrics)
        self._seconds = Histogram(
            "amla_worker_trial_seconds", "Seconds of a trial.", buckets=SECONDS, registry=core.metrics
        )

    def heard(self, outcome: Outcome | None, seconds: float) -> None:
        """Take in what a trial has come to, None if it was not run."""
        kind = "not_run" if outcome is None else outcome.reason if isinstance(outcome, Failure) else "measured"
        self._trials.labels(kind).inc()
        self._seconds.observe(seconds)


@dataclass(frozen=True)
class Worker:
    """The role that answers for a workshop, and closes it with the server."""

    workshop: Workshop

    def __call__(self, core: Core) -> APIRouter:
        """Return its routes."""
        workshop, counts = self.workshop, Counts(core)
        workshop.heard = counts.heard
        counts.free.set_function(lambda: workshop.capacity().free)

        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            yield
            await run_in_threadpool(workshop.close)

        router = APIRouter(lifespan=lifespan)
        _trials(router, workshop)
        _snapshots(router, workshop)
        return router


def _trials(router: APIRouter, workshop: Workshop) -> None:
    @router.get("/worker", responses=CAPACITY.answered("How many trials it runs at once."))
    async def capacity() -> Response:
        """Say how many trials run at once."""
        return CAPACITY.answer(workshop.capacity())

    @router.post(
        "/trials",
        status_code=HTTPStatus.ACCEPTED,
        responses=STATUS.answered("It is taken; or was, under this key.", HTTPStatus.ACCEPTED),
        openapi_extra=ORDER.asked("A trial, and all that there is to know of it."),
    )
    async def take(request: Request, key: KeyHeader = None) -> Response:
        """Begin a trial. 409: put the snapshot that it starts from before; 503: all slots are busy, come again."""
        order = await ORDER.read(request)
        try:
            status = await run_in_threadpool(workshop.take, key or uuid4().hex, order)
        except Lacking as lacking:
            detail = f"The snapshot {lacking} is not here; put it, in parts, to /v1/snapshots/{lacking}."
            raise Problem(HTTPStatus.CONFLICT, detail) from None
        except Crowded:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "All slots are busy; come again.", {"retry-after": "1"}
            ) from None
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return STATUS.answer(status, HTTPStatus.ACCEPTED)

    @router.get("/trials/{trial}", responses=STATUS.answered("What has become of it."))
    async def status(
        trial: JobId,
        after: Annotated[int, Query(ge=0, le=10**9, description="How many lines of its curve are known.")] = 0,
        wait: Annotated[float, Query(ge=0, le=LONGEST, description="Seconds to wait for its end.")] = 0.0,
    ) -> Response:
        """Say what has become of a trial: at once if it is over, else after `wait` seconds."""
        try:
            await _over(workshop, trial, wait)
            return STATUS.answer(workshop.status(trial, after))
        except LookupError:
            raise _unknown(trial) from None

    @router.delete("/trials/{trial}", status_code=HTTPStatus.NO_CONTENT)
    async def cancel(trial: JobId) -> Response:
        """End a trial, and forget it."""
        try:
            workshop.cancel(trial)
        except LookupError:
            raise _unknown(trial) from None
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _snapshots(router: APIRouter, workshop: Workshop) -> None:
    @router.put(
        "/snapshots/{digest}",
        status_code=HTTPStatus.NO_CONTENT,
        openapi_extra={"requestBody": {"required": True, "content": BYTES}},
    )
    async def put(
        request: Request,
        digest: Digest,
        offset: Annotated[int, Query(ge=0, le=10**12, description="Where the part begins.")],
        length: Annotated[int, Query(ge=1, le=10**12, alias="bytes", description="How long the whole is.")],
    ) -> Response:
        """Take a part of a snapshot; parts come in order."""
        part = await request.body()
        try:
            await run_in_threadpool(workshop.keeper.put, digest, offset, length, part)
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @router.get(
        "/snapshots/{digest}",
        response_class=FileResponse,
        responses={200: {"description": "Its bytes.", "content": BYTES}},
    )
    async def get(digest: Digest) -> Response:
        """Return a snapshot."""
        path = workshop.keeper.path(digest)
        if path is None:
            raise Problem(HTTPStatus.NOT_FOUND, f"The snapshot {digest} is not here.")
        return FileResponse(path, media_type="application/octet-stream")


async def _over(workshop: Workshop, trial: str, wait: float) -> None:
    """Return once a trial is over, or after `wait` seconds. Raises LookupError."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def ended() -> None:
        with suppress(RuntimeError):  # the server has ended meanwhile
            loop.call_soon_threadsafe(over.set)

    undo = workshop.when_over(trial, ended)
    try:
        if wait:
            async with asyncio.timeout(wait):
                await over.wait()
    except TimeoutError:
        pass
    finally:
        undo()


def _unknown(trial: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"There is no trial {trial} here; it was cancelled, or forgotten by now.")
