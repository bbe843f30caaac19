"""Idempotency keys: a call that makes something and is sent twice, as its answer was lost, makes it once."""

from hashlib import sha256
from http import HTTPStatus
from threading import Lock
from typing import Annotated

from fastapi import Header

from amla.services.problems import Problem

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Chosen by the caller, new for each thing to be made: sent again with it, the call makes nothing "
        "new, and answers as before.",
    ),
]


def digest(text: bytes | str) -> str:
    """Return what a key, or the body that was sent with one, is remembered by."""
    return sha256(text.encode() if isinstance(text, str) else text).hexdigest()


class Keys:
    """What was made for which key. A cache: what is made is durable together with its key, and `remember` reads it.

    Keys and bodies are given by their digests.
    """

    def __init__(self) -> None:
        self.lock = Lock()  # held from `made` to `remember`, so that of two calls at once the second finds the first's
        self._made: dict[str, tuple[str, str]] = {}

    def made(self, key: str | None, body: str) -> str | None:
        """Return what was made for a key, None if nothing was. Raises Problem if that was for another body."""
        if key is None or key not in self._made:
            return None
        name, other = self._made[key]
        if other != body:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"This Idempotency-Key was sent before, with another body, and made {name!r}. Send a new key.",
            )
        return name

    def remember(self, key: str | None, body: str, name: str) -> None:
        """Remember what was made."""
        if key is not None:
            self._made[key] = name, body

    def forget(self, name: str) -> None:
        """Forget what was made, which is gone."""
        self._made = {key: made for key, made in self._made.items() if made[0] != name}
