"""Serves an application: takes the address, says where, and answers until it is told to end."""

import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from amla.services.errors import ServiceError
from amla.services.guard import Guard
from amla.services.journal import written_to_stderr

ENDING = 5  # seconds that answers under way have when the server ends
AT_ONCE = 2000  # connections; more are told to come again
IDLE = 60  # seconds after which a connection that asks nothing is closed; who asks every few seconds keeps it
TURN = 0.0005  # seconds that a thread computes while another waits to; Python's 5 ms are long beside an answer
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of 1.3 are all good


def serve(
    app: FastAPI,
    guard: Guard,
    port: int,
    certificate: Path | None = None,
    key: Path | None = None,
    listening: Callable[[str], None] = print,
) -> None:
    """Answer requests until SIGINT or SIGTERM; `listening` is told the URL. With a `certificate`, by TLS.

    `port` 0 is any that is free. Raises ServiceError where the address or the certificate cannot be used.
    """
    if (certificate is None) != (key is None):
        raise ServiceError("TLS needs both --tls-cert and --tls-key.")
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=ENDING,
        timeout_keep_alive=IDLE,
        limit_concurrency=AT_ONCE,
        backlog=AT_ONCE,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_ciphers=CIPHERS,
    )
    _load(config)
    with closing(_bound(guard.host, port)) as taken:
        written_to_stderr()
        sys.setswitchinterval(TURN)
        listening(_url(guard, taken, certificate is not None))
        for number in (signal.SIGINT, signal.SIGTERM):  # a shell has what it starts in the background ignore one
            signal.signal(number, signal.default_int_handler)
        try:
            uvicorn.Server(config).run([taken])
        except KeyboardInterrupt:  # uvicorn lets the signal through that has ended it
            return


def _load(config: uvicorn.Config) -> None:
    try:
        config.load()
    except OSError as error:
        raise ServiceError(f"The certificate or its key cannot be used: {error}.") from None


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServiceError(f"{host!r} is no address of this machine: {error}.") from None
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind(address)
        taken.listen(AT_ONCE)  # whoever is told the URL may ask at once
    except OSError as error:
        taken.close()
        raise ServiceError(f"Cannot listen on {host}, port {port}: {error.strerror}. Take another --port.") from None
    return taken


def _url(guard: Guard, taken: socket.socket, by_tls: bool) -> str:
    host, port = taken.getsockname()[:2]
    name = guard.names[0] if guard.names else f"[{host}]" if ":" in host else host
    return f"http{'s' if by_tls else ''}://{name}:{port}"
