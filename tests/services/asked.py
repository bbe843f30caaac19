"""An application asked in this process, without a socket."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI

URL = "http://127.0.0.1:8000"
Ask = Callable[..., httpx.Response]


def asking(app: FastAPI, address: str = "127.0.0.1") -> Ask:
    """Return what asks an application: a method, a path, and what httpx takes besides."""

    async def answer(method: str, path: str, **sent: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(address, 1234))
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            return await client.request(method, path, **sent)

    def ask(method: str, path: str, **sent: Any) -> httpx.Response:
        return asyncio.run(answer(method, path, **sent))

    return ask


def problem(answer: httpx.Response, status: int) -> str:
    """Return what a problem says, once it is one as RFC 9457 has it."""
    said = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), said
    assert said["status"] == status
    assert said.keys() == {"type", "title", "status", "detail"}
    return str(said["detail"])


class Bridge(httpx.BaseTransport):
    """What lets a client that waits ask an application whose loop runs in another thread. Answers come whole."""

    def __init__(self, app: FastAPI, portal: BlockingPortal) -> None:
        self._inner, self._portal = httpx.ASGITransport(app, client=("127.0.0.1", 1234)), portal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._portal.call(self._answered, request)

    async def _answered(self, request: httpx.Request) -> httpx.Response:
        sent = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = await self._inner.handle_async_request(sent)
        content = b"".join([part async for part in answer.stream])  # type: ignore[union-attr]
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)


@contextmanager
def running(app: FastAPI) -> Iterator[httpx.BaseTransport]:
    """Have an application run, from its beginning to its end, and yield what asks it."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(app.router.lifespan_context(app)):
        yield Bridge(app, portal)
