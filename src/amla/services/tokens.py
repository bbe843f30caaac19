"""Tokens: who may do what with a server. The file holds their hashes alone, so that reading it lets nobody in.

A token is 256 random bits. Nobody can try that many, so one round of SHA-256 protects it as well as a slow hash would.
"""

import hmac
import os
import re
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from time import time
from typing import Literal
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from amla.services.errors import ServiceError
from amla.spec.text import explain
from amla.spec.values import value

Scope = Literal["read", "run", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "run", "admin")  # each may do what those before it may
PREFIX = "amla_"  # by which those who look for secrets in published files find one


@value
class Token:
    """Who may do what, until when (seconds since 1970; None: until removed). `digest` is SHA-256 of the secret."""

    name: str
    scope: Scope
    digest: str
    created: float
    expires: float | None = None

    def may(self, needed: Scope) -> bool:
        """Return whether it allows what needs that scope."""
        return SCOPES.index(self.scope) >= SCOPES.index(needed)

    @property
    def is_over(self) -> bool:
        """Whether it has expired."""
        return self.expires is not None and self.expires <= time()


_tokens = TypeAdapter(tuple[Token, ...])


class Tokens:
    """The tokens in a file, read again whenever it changes: what is added or removed holds for the next request."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: tuple[Token, ...] = ()
        self._read_at: tuple[int, ...] | None = None

    def find(self, secret: str) -> Token | None:
        """Return the token with that secret, None if there is none. It takes as long whichever it is."""
        digest, found = _digest(secret), None
        for token in self._now():
            if hmac.compare_digest(token.digest, digest) and not token.is_over:
                found = token
        return found

    def _now(self) -> tuple[Token, ...]:
        try:
            state = os.stat(self._path)
            changed = (state.st_mtime_ns, state.st_ino, state.st_size)
            if changed != self._read_at:
                self._found, self._read_at = read(self._path), changed
        except (OSError, ServiceError):  # a file that cannot be read lets nobody in
            self._found, self._read_at = (), None
        return self._found


def read(path: Path) -> tuple[Token, ...]:
    """Return the tokens in a file, none if there is no file. Raises ServiceError for one that holds something else."""
    try:
        return _tokens.validate_json(path.read_bytes())
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        raise ServiceError(f"'{path}' holds no tokens: {explain(error)}") from None


def add(path: Path, name: str, scope: Scope, seconds: float | None = None) -> str:
    """Make a token that lasts so long (None: until it is removed), and return its secret, which is kept nowhere.

    Raises ServiceError for a name that is taken, or none.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        raise ServiceError(f"{name!r} cannot name a token; use up to 64 letters, digits, '_', '.' and '-'.")
    held = read(path)
    if any(token.name == name and not token.is_over for token in held):
        raise ServiceError(f"There is a token {name!r} already. Rotate it, remove it first, or take another name.")
    secret, token = _made(name, scope, None if seconds is None else time() + seconds)
    _write(path, (*(other for other in held if other.name != name), token))
    return secret


def rotate(path: Path, name: str, grace: float) -> str:
    """Make a new secret for a token, and return it; the old one holds for `grace` more seconds. Raises ServiceError."""
    held = read(path)
    mine = [token for token in held if token.name == name and not token.is_over]
    if not mine:
        raise _unknown(path, name, held)
    until = time() + grace
    old = [replace(token, expires=min(token.expires or until, until)) for token in mine]
    secret, token = _made(name, mine[-1].scope, mine[-1].expires)
    _write(path, (*(other for other in held if other.name != name), *old, token))
    return secret


def remove(path: Path, name: str) -> None:
    """Remove a token: it holds no longer. Raises ServiceError if there is none of that name."""
    held = read(path)
    left = tuple(token for token in held if token.name != name)
    if left == held:
        raise _unknown(path, name, held)
    _write(path, left)


def _made(name: str, scope: Scope, expires: float | None) -> tuple[str, Token]:
    secret = PREFIX + token_urlsafe(32)
    return secret, Token(name, scope, _digest(secret), time(), expires)


def _digest(secret: str) -> str:
    return sha256(secret.encode(errors="surrogateescape")).hexdigest()


def _unknown(path: Path, name: str, held: tuple[Token, ...]) -> ServiceError:
    names = ", ".join(sorted({token.name for token in held})) or "none"
    return ServiceError(f"'{path}' has no token {name!r} that holds; there are: {names}.")


def _write(path: Path, tokens: tuple[Token, ...]) -> None:
    """Write the file whole or not at all, for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    passing = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        file = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(_tokens.dump_json(tokens, indent=1) + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(passing, path)
    finally:
        with suppress(OSError):
            passing.unlink()
