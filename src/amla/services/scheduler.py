"""The scheduler: studies behind HTTP, each a run folder below one root that every other command understands."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from threading import Event, Thread
from typing import Annotated, Any
from weakref import WeakValueDictionary

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, Response, StreamingResponse
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from amla.services import artifacts
from amla.services.app import Core
from amla.services.documents import Document, body_of
from amla.services.drivers import Drivers
from amla.services.entries import locked
from amla.services.keys import KeyHeader
from amla.services.logbook import page
from amla.services.packing import answered
from amla.services.problems import Problem
from amla.services.stream import STANDING, Watched, seen, stream
from amla.services.studies import Studies
from amla.services.together import Together
from amla.services.uploads import Allowed, checked
from amla.services.wire import LARGEST_STUDY, Artifacts, Page, Standings
from amla.study.folder import REPORT
from amla.study.phases import PHASES, SEARCH
from amla.study.study import Study, from_json

log = logging.getLogger("amla.services")

LOOKING = 0.5  # seconds between two looks at what runs
MOST = 1_000  # studies or trials in one answer

STUDY: Document[Study] = Document(Study)
STANDINGS: Document[Standings] = Document(Standings)
PAGE: Document[Page] = Document(Page)
ARTIFACTS: Document[Artifacts] = Document(Artifacts)

Key = Annotated[str, InPath(description="What the study is called on this server.", min_length=1, max_length=64)]
First = Annotated[int, Query(ge=0, le=2**53, description="The number of the first one, from 0.")]
Most = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]


@dataclass(frozen=True)
class Scheduler:
    """A scheduler's settings: where its runs are, how many run at once, what uploads may name, options of `amla run`.

    Calling it gives the role.
    """

    root: Path
    at_once: int = 1
    allowed: Allowed = field(default_factory=Allowed)
    options: tuple[str, ...] = ()

    def __call__(self, core: Core) -> APIRouter:
        """Return the routes."""
        return routes(self, core)


@dataclass
class _Open:
    """The studies, while the server runs."""

    studies: Studies | None = None
    wake: Event = field(default_factory=Event)

    @property
    def now(self) -> Studies:
        """The studies. Raises Problem before the server has begun and after it has ended."""
        if self.studies is None:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "The server is starting or ending; ask again.")
        return self.studies


def routes(settings: Scheduler, core: Core) -> APIRouter:
    """Return the routes of a scheduler, which has its root for itself while the server runs."""
    opened = _Open()
    core.checks["scheduler"] = lambda: None if opened.studies else "it is starting or ending"
    _Counting(opened, core.metrics)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        with locked(settings.root.absolute()) as folder:
            drivers = Drivers(settings.options, keeps_token=bool(settings.allowed.urls))
            opened.studies = Studies(folder, drivers, settings.at_once, opened.wake.set)
            over = Event()
            thread = Thread(target=_look, args=(opened.studies, opened.wake, over), name="scheduler", daemon=True)
            thread.start()
            try:
                yield
            finally:
                over.set()
                opened.wake.set()
                await to_thread.run_sync(thread.join)
                if running := opened.studies.running():
                    log.warning("studies go on without the server", extra={"studies": running})
                opened.studies = None

    router = APIRouter(lifespan=lifespan)
    _changing(router, opened, settings.allowed)
    _reading(router, opened)
    return router


def _look(studies: Studies, wake: Event, over: Event) -> None:
    """Look after the studies, every half second and whenever one changes, until it is over."""
    while not over.is_set():
        wake.clear()
        try:
            studies.look()
        except Exception:  # one that cannot be looked after must not keep the others from it
            log.exception("could not look after the studies")
        wake.wait(LOOKING)


def _changing(router: APIRouter, opened: _Open, allowed: Allowed) -> None:
    """Add the routes by which studies are made, set going, ended and deleted."""
    made = STANDING.answered("It is made.", HTTPStatus.CREATED) | STANDING.answered("It had been made with this key.")

    @router.post("/studies", status_code=201, responses=made, openapi_extra=STUDY.asked("As a study file has it."))
    async def create(
        request: Request,
        key: KeyHeader = None,
        start: Annotated[bool, Query(description="Have it run as soon as it may.")] = True,
    ) -> Response:
        """Make a study, which is checked and costed before anything is built."""
        body = await body_of(request, LARGEST_STUDY)

        def make() -> Response:
            standing, is_new = opened.now.create(checked(from_json(body), allowed), body, key, start)
            status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
            return STANDING.answer(standing, status, {"location": f"/v1/studies/{standing.key}"})

        return await to_thread.run_sync(make)

    now = STANDING.answered("How it is now.")

    @router.post("/studies/{key}/start", responses=now)
    def start(key: Key) -> Response:
        """Have a study run; one that runs or is done stays as it is."""
        return STANDING.answer(opened.now.start(key))

    @router.post("/studies/{key}/resume", responses=now)
    def resume(key: Key) -> Response:
        """Have a study that was stopped or failed go on from where it is: the same as start."""
        return STANDING.answer(opened.now.start(key))

    @router.post("/studies/{key}/stop", responses=now)
    def stop(key: Key) -> Response:
        """Have a study stop. What it has done is kept, and it can go on."""
        return STANDING.answer(opened.now.stop(key))

    @router.delete("/studies/{key}", status_code=204, responses={204: {"description": "It is gone."}})
    def delete(key: Key) -> Response:
        """Delete a study that does not run, with all its files."""
        opened.now.delete(key)
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _reading(router: APIRouter, opened: _Open) -> None:
    """Add the routes by which studies are looked at."""
    together = Together()

    @router.get("/studies", responses=STANDINGS.answered("The studies, newest first."))
    def studies(first: First = 0, most: Most = 100) -> Response:
        """List the studies."""
        return STANDINGS.answer(opened.now.newest(first, most))

    @router.get("/studies/{key}", responses=STANDING.answered("How it is now."))
    async def study(key: Key) -> Response:
        """Say how far a study is, and what it has found."""
        return STANDING.written(await together.found(key, lambda: STANDING.dumped(opened.now.one(key))))

    @router.get("/studies/{key}/study", responses=STUDY.answered("As a study file has it."))
    def settings(key: Key) -> Response:
        """Return a study itself, with its provenance once it has begun."""
        return STUDY.answer(opened.now.study(key))

    @router.get("/studies/{key}/history", responses=PAGE.answered("Trials of one phase."))
    async def history(
        key: Key,
        phase: Annotated[str, Query(pattern=f"^({'|'.join(PHASES)})$", description="Of which phase.")] = SEARCH,
        first: First = 0,
        most: Most = 100,
    ) -> Response:
        """Return what was asked for and told, trial by trial."""
        folder = opened.now.path(key)
        asked = folder, phase, first, most
        return PAGE.written(await together.found(asked, lambda: page(*asked)))

    text = {"description": "The events since; ends with the study.", "content": {"text/event-stream": {}}}
    nothing = {"description": "The study is over, and all of it was seen."}
    watched: WeakValueDictionary[Path, Watched] = WeakValueDictionary()  # for as long as a stream tells of them

    @router.get("/studies/{key}/events", responses={200: text, 204: nothing}, response_class=StreamingResponse)
    async def events(
        request: Request,
        key: Key,
        last: Annotated[str | None, Header(alias="Last-Event-ID", description="After which one.")] = None,
    ) -> Response:
        """Tell what happens in a study as it happens, as server-sent events."""
        studies, after = opened.now, seen(last)
        folder, standing = studies.path(key), await to_thread.run_sync(studies.one, key)
        if last and standing.is_over and sum(after) >= sum(each.asked + each.told for each in standing.phases.values()):
            return Response(status_code=HTTPStatus.NO_CONTENT)  # by which a browser knows that it need not ask again
        if (study := watched.get(folder)) is None:
            study = watched[folder] = Watched(folder, lambda: studies.one(key), together)
        return answered(request.headers, stream(study, after), "text/event-stream")

    page_of_html = {"description": "The report.", "content": {"text/html": {"schema": {"type": "string"}}}}

    @router.get("/studies/{key}/report", responses={200: page_of_html}, response_class=FileResponse)
    def report(key: Key) -> Response:
        """Return the report as a page; it is written whenever the study ends or is stopped."""
        path = opened.now.path(key) / REPORT
        if not path.is_file():
            raise Problem(HTTPStatus.NOT_FOUND, "There is no report yet; it is written when the study ends or stops.")
        return _file(path)

    @router.get("/studies/{key}/artifacts", responses=ARTIFACTS.answered("The files."))
    def list_artifacts(key: Key) -> Response:
        """List the files of a study."""
        return ARTIFACTS.answer(Artifacts(tuple(artifacts.artifacts(opened.now.path(key)))))

    content = {
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        "text/*": {},
        "application/*": {},
    }

    @router.get(
        "/studies/{key}/artifacts/{name:path}",
        responses={200: {"description": "The file.", "content": content}},
        response_class=FileResponse,
    )
    def artifact(key: Key, name: str) -> Response:
        """Return a file of a study."""
        return _file(artifacts.found(opened.now.path(key), name))


def _file(path: Path) -> Response:
    """Return a file as an answer. A page runs in a sandbox: what it holds was named by those who send studies."""
    return FileResponse(path, media_type=artifacts.media(path), headers={"content-security-policy": artifacts.SANDBOX})


class _Counting(Collector):
    """How many studies there are in each state, for Prometheus, counted when it asks."""

    def __init__(self, opened: _Open, registry: CollectorRegistry) -> None:
        self._opened = opened
        registry.register(self)

    def collect(self) -> list[GaugeMetricFamily]:
        """Return the counts."""
        found = GaugeMetricFamily("amla_studies", "Studies, by state.", labels=["state"])
        for state, count in (self._opened.studies.counted() if self._opened.studies else {}).items():
            found.add_metric([state], count)
        return [found]
