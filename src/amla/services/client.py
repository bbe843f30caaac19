"""The client of a scheduler: its studies from Python, over HTTP. An answer that is lost is asked for again."""

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from secrets import token_hex
from time import sleep
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from amla.algorithms import wire as generators
from amla.services.errors import ServiceError
from amla.services.wire import Artifact, Artifacts, Happened, Page, Past, Standing, Standings
from amla.spec.text import explain
from amla.study.resolve import SEARCH
from amla.study.study import Study, from_plain, load
from amla.trials import calls
from amla.trials.history import History

T = TypeVar("T")

ATTEMPTS, PAUSE = 6, 0.25  # at reaching a server; seconds before the second, doubled before each other one
SECONDS = 30.0  # that a server may be silent
STREAM_SECONDS = 60.0  # that a stream may be: the server says something every 15
PAGE = 200  # trials that are asked for at once
AGAIN = {429, 502, 503, 504}  # statuses that may be others a little later
SHOWN = 300  # characters of an answer that are repeated in a message

_standing, _standings = TypeAdapter(Standing), TypeAdapter(Standings)
_page, _artifacts, _happened = TypeAdapter(Page), TypeAdapter(Artifacts), TypeAdapter(Happened)
_study, _key = TypeAdapter(Study), "idempotency-key"


class Client:
    """The scheduler at `url`, called with `token`, by default that of the environment variable AMLA_TOKEN.

    A call whose answer is lost, or that the server cannot answer now, is sent again, up to five times; what makes
    something carries a key, by which the server makes it once. Raises ServiceError where that does not help, and for
    what the server refuses, in its words. Certificates are trusted as the system does, and those in SSL_CERT_FILE.
    """

    def __init__(self, url: str, token: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._token = token
        try:
            self._http = httpx.Client(
                base_url=self.url, timeout=SECONDS, transport=transport, verify=ssl.create_default_context()
            )
        except httpx.InvalidURL as error:
            raise ServiceError(f"{url!r} is no URL of a server ({error}); write http://HOST:PORT.") from None

    def create(self, study: Study | Path | str | Mapping[str, Any], *, start: bool = True) -> Standing:
        """Make a study of a Study, a file, or plain values; have it run as soon as it may, unless `start` is False."""
        match study:
            case Study():
                given = study
            case Path() | str():
                given = load(Path(study))
            case _:
                given = from_plain(dict(study))
        body = _study.dump_json(given)
        headers = {"content-type": "application/json", _key: token_hex(16)}
        return self._got(_standing, "POST", "/v1/studies", content=body, headers=headers, params={"start": start})

    def studies(self, first: int = 0, most: int = 100) -> tuple[Standing, ...]:
        """Return up to so many studies, newest first."""
        return self._got(_standings, "GET", "/v1/studies", params={"first": first, "most": most}).studies

    def study(self, key: str) -> Standing:
        """Return how far a study is, and what it has found."""
        return self._got(_standing, "GET", _path(key))

    def settings(self, key: str) -> Study:
        """Return a study itself, with its provenance once it has begun."""
        return self._got(_study, "GET", _path(key, "study"))

    def start(self, key: str) -> Standing:
        """Have a study run; one that runs or is done stays as it is."""
        return self._got(_standing, "POST", _path(key, "start"))

    def resume(self, key: str) -> Standing:
        """Have a study that was stopped, or failed, go on from where it is."""
        return self._got(_standing, "POST", _path(key, "resume"))

    def stop(self, key: str) -> Standing:
        """Have a study stop. What it has done is kept, and it can go on."""
        return self._got(_standing, "POST", _path(key, "stop"))

    def delete(self, key: str) -> None:
        """Delete a study that does not run, with all its files."""
        self._sent("DELETE", _path(key), gone_is_good=True)

    def events(self, key: str, after: str | None = None) -> Iterator[tuple[str, Happened | Standing]]:
        """Yield what happens in a study, from its beginning on or `after` an id, until it is over: ids and events.

        A line that is cut is taken up where it was.
        """
        failures = 0
        while True:
            try:
                for number, event in self._stream(key, after):
                    after, failures = number, 0
                    yield number, event
                    if isinstance(event, Standing) and event.is_over:
                        return
                if self.study(key).is_over:
                    return
                why = "the stream ended"
            except httpx.HTTPError as error:
                why = f"{type(error).__name__}: {error}"
            failures += 1
            if failures >= ATTEMPTS:
                raise self._silent(why)
            sleep(PAUSE * 2 ** (failures - 1))

    def wait(self, key: str) -> Standing:
        """Return a study once it is over."""
        for _ in self.events(key):
            pass
        return self.study(key)

    def history(self, key: str, phase: str = SEARCH) -> History:
        """Return the history of a phase of a study so far."""
        pasts: list[Past] = []
        while True:
            params: dict[str, Any] = {"phase": phase, "first": len(pasts), "most": PAGE}
            page = self._got(_page, "GET", _path(key, "history"), params=params)
            pasts += page.trials
            if len(pasts) >= page.total or not page.trials:
                break
        told = [(past.told, past.trial) for past in pasts if past.told is not None]
        history = History()
        for past in pasts:
            history = history.asked(past.trial.proposal)
        for _, trial in sorted(told, key=lambda pair: pair[0]):
            assert trial.outcome is not None  # noqa: S101 - it was told
            history = history.told(trial.id, trial.outcome)
        return history

    def report(self, key: str) -> str:
        """Return the report of a study as a page of HTML. Raises ServiceError before it has ended or was stopped."""
        return self._sent("GET", _path(key, "report")).text

    def artifacts(self, key: str) -> tuple[Artifact, ...]:
        """Return the files of a study."""
        return self._got(_artifacts, "GET", _path(key, "artifacts")).artifacts

    def download(self, key: str, name: str, target: Path) -> Path:
        """Write a file of a study to `target`, whole or not at all, and return that."""
        content = self._sent("GET", _path(key, "artifacts", *name.split("/"))).content
        target.parent.mkdir(parents=True, exist_ok=True)
        passing = target.with_name(f".{target.name}.{token_hex(8)}.tmp")
        passing.write_bytes(content)
        return passing.replace(target)

    def ask(self, question: generators.Question) -> generators.Asked:
        """Return what a generator wants trained next. See `amla.algorithms.wire`."""
        headers = {"content-type": "application/json"}
        body = generators.question.dump_json(question)
        return self._got(generators.asked, "POST", "/v1/ask", content=body, headers=headers)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _got(self, kind: TypeAdapter[T], method: str, path: str, **sent: Any) -> T:
        text = self._sent(method, path, **sent).content
        try:
            return kind.validate_json(text)
        except ValidationError as error:
            shown = text[:SHOWN].decode(errors="replace")
            what = f"{explain(error)}; it was {shown!r}"
            raise ServiceError(f"The answer of {self.url}{path} is none of amla's: {what}") from None

    def _sent(self, method: str, path: str, gone_is_good: bool = False, **sent: Any) -> httpx.Response:
        """Return the good answer to a call. Raises ServiceError for any other, and once the last attempt has failed."""
        headers, why = self._headers() | sent.pop("headers", {}), ""
        for attempt in range(ATTEMPTS):
            if attempt:
                sleep(PAUSE * 2 ** (attempt - 1))
            try:
                answer = self._http.request(method, path, headers=headers, **sent)
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise ServiceError(f"{self.url!r} is no URL of a server ({error}); write http://HOST:PORT.") from None
            except httpx.HTTPError as error:
                why = f"{type(error).__name__}: {error}"
                continue
            if answer.is_success or (gone_is_good and attempt and answer.status_code == httpx.codes.NOT_FOUND):
                return answer
            why = _detail(answer)
            if answer.status_code not in AGAIN:
                raise ServiceError(f"{self.url} answers {method} {path} with {answer.status_code}: {why}")
        raise self._silent(why)

    def _stream(self, key: str, after: str | None) -> Iterator[tuple[str, Happened | Standing]]:
        headers = self._headers() | ({"last-event-id": after} if after else {})
        with self._http.stream("GET", _path(key, "events"), headers=headers, timeout=STREAM_SECONDS) as answer:
            if not answer.is_success:
                answer.read()
                if answer.status_code in AGAIN:
                    raise httpx.HTTPError(_detail(answer))
                raise ServiceError(f"{self.url} answers for the events of {key!r}: {_detail(answer)}")
            said: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, text = line.partition(": ")
                if line:
                    said[name] = text
                elif "data" in said:
                    body = said["data"]
                    yield said["id"], (_happened if said["event"] == "trial" else _standing).validate_json(body)
                    said = {}

    def _headers(self) -> dict[str, str]:
        own = {"authorization": f"Bearer {self._token}"} if self._token else {}
        return calls.headers() | own

    def _silent(self, why: str) -> ServiceError:
        return ServiceError(
            f"The server at {self.url} did not answer in {ATTEMPTS} attempts ({why}). Is it running? Nothing is lost."
        )


def _path(key: str, *steps: str) -> str:
    """Return an address of a study, in which nothing has a meaning but the slashes between. Raises ServiceError."""
    if bad := [step for step in (key, *steps) if step in ("", ".", "..")]:
        raise ServiceError(f"{bad[0]!r} names nothing on a server; `amla studies list` names its studies.")
    return "/".join(["/v1/studies", *(quote(step, safe="") for step in (key, *steps))])


def _detail(answer: httpx.Response) -> str:
    """Return what an answer says is wrong."""
    try:
        return str(answer.json()["detail"])
    except (ValueError, LookupError, TypeError):
        return answer.text[:SHOWN]
