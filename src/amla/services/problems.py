"""Errors as RFC 9457 has them: `application/problem+json`, whose detail says in words what to do."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from amla.algorithms.errors import RemoteError
from amla.spaces.space import SpaceError
from amla.spec.values import SpecError
from amla.storage.errors import StoreError
from amla.study.study import StudyError

MEDIA = "application/problem+json"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

SCHEMA = {
    "type": "object",
    "description": "What went wrong, and what to do (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
ADVICE = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address; /v1/openapi.json lists all that there is.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address has other methods; see the header Allow.",
}


class Problem(Exception):
    """A request that cannot be answered as it is: its HTTP status, and in words what to do."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers

    @property
    def response(self) -> Response:
        """The answer that says so."""
        content = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": int(self.status),
            "detail": self.detail,
        }
        text = json.dumps(content).encode()
        return Response(text, self.status, dict(self.headers), media_type=MEDIA)


def of_error(error: Exception) -> Problem:
    """Return what an exception is to the one who asked; a bug in amla is none of theirs, and says so."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "\n".join(map(_mistake, error.errors())))
        case HTTPException():
            detail = ADVICE.get(HTTPStatus(error.status_code), str(error.detail))
            return Problem(error.status_code, detail, error.headers or NO_HEADERS)
        case SpecError() | SpaceError() | StudyError():
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        case RemoteError():
            return Problem(HTTPStatus.BAD_GATEWAY, str(error))
        case StoreError():
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        case _:
            return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "This is a bug in amla; the log of the server has it.")


async def answered(_: Request, error: Exception) -> Response:
    """Answer a request that ended in an error: an exception handler."""
    return of_error(error).response


def documented() -> dict[int | str, dict[str, Any]]:
    """Return how an OpenAPI document says that any call may be answered so."""
    content = {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    said = {"description": "What is wrong with the request, and what to do.", "content": content}
    return {"4XX": said, "5XX": {**said, "description": "What is wrong with the server, and what to do."}}


EXPLAINED = Problem, RequestValidationError, HTTPException, SpecError, SpaceError, StudyError, RemoteError, StoreError


def _mistake(found: Mapping[str, Any]) -> str:
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']} (given: {str(found.get('input'))[:80]!r})"
