"""The role of a device: it measures the latency of networks, one at a time, for whoever searches elsewhere."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from importlib import import_module
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from amla.backends.latency import Latency, Runtime
from amla.backends.probing import LARGEST, MOST_BATCH, MOST_THREADS, Asked, Device
from amla.services.app import Core
from amla.services.documents import Document, too_large
from amla.services.problems import Problem
from amla.spec.costs import BYTES, costs

MACS = 10**11  # of a batch, that a network may have
ROOM = 2 << 30  # bytes of its weights, and of the activations of a batch
WAITING = 64  # questions that may wait for others

ASKED: Document[Asked] = Document(Asked, LARGEST)
DEVICE: Document[Device] = Document(Device)
LATENCY: Document[Latency] = Document(Latency)
ONNX = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

BatchQuery = Annotated[int, Query(ge=1, le=MOST_BATCH, description="Inputs at once.")]
ThreadsQuery = Annotated[int, Query(ge=1, le=MOST_THREADS, description="Threads that it computes with.")]
RuntimeQuery = Annotated[Runtime, Query(description="What it is measured in.")]


class Probe:
    """Measures with what `amla.export.latency` has, or with something like it."""

    def __init__(self, library: Any = None) -> None:
        self._given = library
        self._turn = asyncio.Lock()
        self._waiting = 0

    def __call__(self, core: Core) -> APIRouter:
        """Return its routes."""
        router = APIRouter()

        @router.get("/latency", responses=DEVICE.answered("What it measures on."))
        def device(runtime: RuntimeQuery = "onnx", batch: BatchQuery = 1, threads: ThreadsQuery = 1) -> Response:
            """Say what is measured on: processor, cores, runtime, threads, batch."""
            return DEVICE.answer(Device(self._library().device(runtime, batch, threads)))

        @router.post(
            "/latency",
            openapi_extra=ASKED.asked("A closed architecture, and how it is to be measured."),
            responses=LATENCY.answered("How long it takes, with random weights."),
        )
        async def network(request: Request) -> Response:
            """Measure an architecture. It is counted before it is built."""
            asked = await ASKED.read(request)
            check(asked)
            library, given = self._library(), (asked.architecture, asked.runtime, asked.batch, asked.threads)
            return LATENCY.answer(await self._measured(lambda: library.of_network(*given)))

        @router.post(
            "/latency/onnx",
            openapi_extra={"requestBody": {"required": True, "content": ONNX}},
            responses=LATENCY.answered("How long it takes, on made-up inputs."),
        )
        async def file(request: Request, batch: BatchQuery = 1, threads: ThreadsQuery = 1) -> Response:
            """Measure an ONNX file; a dimension that it leaves free is the batch."""
            content = await request.body()
            if len(content) > LARGEST:
                raise too_large(LARGEST)
            library = self._library()
            return LATENCY.answer(await self._measured(lambda: library.of_file(content, batch, threads)))

        return router

    async def _measured(self, measure: Callable[[], Latency]) -> Latency:
        """Measure once nobody else does: two at a time would slow each other down."""
        if self._waiting >= WAITING:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "Too many wait already; come again.", {"retry-after": "5"})
        self._waiting += 1
        try:
            async with self._turn:
                return await run_in_threadpool(measure)
        except ModuleNotFoundError as error:
            raise _lacking(error) from None
        except (ValueError, MemoryError) as error:
            detail = str(error) or "It does not fit into memory."
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None
        finally:
            self._waiting -= 1

    def _library(self) -> Any:
        try:
            return self._given or import_module("amla.export.latency")
        except ModuleNotFoundError as error:
            raise _lacking(error) from None


def check(asked: Asked) -> None:
    """Raise Problem for a network that is too large to be measured here, and SpecError for one that cannot be built."""
    found = costs(asked.architecture.trunk)
    for name, count, most in (
        ("multiply-accumulates a batch", asked.batch * found.macs, MACS),
        ("bytes of weights", BYTES * found.parameters, ROOM),
        ("bytes of activations a batch", asked.batch * found.training_memory, ROOM),
    ):
        if count > most:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"The network has {count:,} {name}; this device measures up to {most:,}. Ask with a smaller one.",
            )


def _lacking(error: ModuleNotFoundError) -> Problem:
    return Problem(
        HTTPStatus.NOT_IMPLEMENTED, f"This device lacks {error.name!r}; install it there: pip install 'amla[onnx]'."
    )
