"""An application asked in this process, without a socket."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
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
