"""Values as the bodies of requests and answers: read strictly, from their types, as everywhere in amla."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import TypeAdapter, ValidationError

from amla.services.problems import SCHEMA, Problem
from amla.spec.text import explain

T = TypeVar("T")

JSON = "application/json"
REFERENCE = "#/components/schemas/{model}"
_PART = "x-amla-schemas"  # where a route keeps what its schemas refer to, until all are gathered


class Document(Generic[T]):
    """A type as a JSON document: what a route reads, what it answers, and how its OpenAPI document says so.

    `largest` bounds the bytes of one that is read, where that is less than the server takes.
    """

    def __init__(self, kind: Any, largest: int | None = None) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)
        self._largest = largest

    async def read(self, request: Request) -> T:
        """Return the body of a request. Raises Problem, which says where it breaks which rule."""
        return self.parsed(await body_of(request, self._largest))

    def parsed(self, text: bytes) -> T:
        """Return the value that a text is. Raises Problem."""
        try:
            return self._adapter.validate_json(text)
        except ValidationError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, explain(error)) from None

    def dumped(self, value: T) -> bytes:
        """Return a value as a text."""
        return self._adapter.dump_json(value)

    def answer(self, value: T, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
        """Return an answer with a value."""
        return Response(self.dumped(value), status, dict(headers or {}), media_type=JSON)

    def written(self, text: bytes) -> Response:
        """Return an answer with a value that is written already."""
        return Response(text, media_type=JSON)

    def asked(self, description: str) -> dict[str, Any]:
        """Return the `openapi_extra` of a route that reads this."""
        schema, parts = self._schema("validation")
        content = {JSON: {"schema": schema}}
        return {"requestBody": {"required": True, "description": description, "content": content}, _PART: parts}

    def answered(self, description: str, status: int = HTTPStatus.OK) -> dict[int | str, dict[str, Any]]:
        """Return the `responses` of a route that answers with this."""
        schema, parts = self._schema("serialization")
        return {int(status): {"description": description, "content": {JSON: {"schema": schema}}, _PART: parts}}

    def _schema(self, mode: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        schema = self._adapter.json_schema(mode=mode, ref_template=REFERENCE)
        return schema, schema.pop("$defs", {})


async def body_of(request: Request, largest: int | None = None) -> bytes:
    """Return the body of a request that says that it is JSON. Raises Problem for another, or one that is too large."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The body must be JSON, and the header content-type say {JSON}."
        )
    body = await request.body()
    if largest is not None and len(body) > largest:
        raise too_large(largest)
    return body


def too_large(largest: int) -> Problem:
    """Return what is said of a body of more than `largest` bytes."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is longer than {largest:,} bytes; send a shorter one."
    )


def gathered(app: FastAPI, make: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return what makes the OpenAPI document of `app`, with the schemas of all its documents where they belong."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        whole = make()
        parts: dict[str, Any] = {"Problem": SCHEMA}
        for methods in whole["paths"].values():
            for operation in methods.values():
                parts |= operation.pop(_PART, {})
                for response in operation["responses"].values():
                    parts |= response.pop(_PART, {})
        components = whole.setdefault("components", {})
        components["schemas"] = dict(sorted({**components.get("schemas", {}), **parts}.items()))
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        whole["security"] = [{}, {"token": []}]  # on loopback none is needed
        return whole

    return openapi
