"""One FastAPI application of some roles: their routes below /v1, behind the guard, written down in the journal.

A role is a function from what all share, the Core, to an APIRouter without the prefix /v1. What it starts and ends with
the server it does in the router's `lifespan`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import APIRouter, FastAPI
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from amla import __version__
from amla.services.documents import Document, gathered
from amla.services.guard import Guard, Guarding
from amla.services.journal import Journal
from amla.services.problems import EXPLAINED, Problem, answered, documented
from amla.spec.values import value

LOCAL = Guard()


@dataclass(frozen=True)
class Core:
    """What all roles of a server share.

    `metrics` is where they register theirs. `checks` say, by what they look at, why the server cannot work now; None if
    it can.
    """

    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    checks: dict[str, Callable[[], str | None]] = field(default_factory=dict)


Role = Callable[[Core], APIRouter]


@value
class Health:
    """What a server says of itself."""

    version: str
    roles: tuple[str, ...]


HEALTH: Document[Health] = Document(Health)


def application(roles: dict[str, Role], guard: Guard = LOCAL) -> FastAPI:
    """Return the application of some roles, by name."""
    core = Core()
    app = FastAPI(
        title="amla",
        version=__version__,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # these pages would load programs from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        responses=documented(),
    )
    made = {name: role(core) for name, role in roles.items()}
    app.include_router(_common(core, Health(__version__, tuple(made))))
    for name, router in made.items():
        app.include_router(router, prefix="/v1", tags=[name])
    for error in EXPLAINED:
        app.add_exception_handler(error, answered)
    app.openapi = gathered(app, app.openapi)  # type: ignore[method-assign]
    app.add_middleware(Guarding, guard=guard)
    app.add_middleware(Journal, registry=core.metrics)
    return app


def _common(core: Core, health: Health) -> APIRouter:
    """Return the routes of every server."""
    router = APIRouter(tags=["server"])

    @router.get("/v1/health", responses=HEALTH.answered("It runs."))
    def is_well() -> Response:
        """Say that the server runs, and which roles it has."""
        return HEALTH.answer(health)

    @router.get("/v1/ready", responses=HEALTH.answered("It can work."))
    def is_ready() -> Response:
        """Say whether the server can work now."""
        found = {name: why for name, check in core.checks.items() if (why := check())}
        if found:
            said = "; ".join(f"{name}: {why}" for name, why in found.items())
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"Not ready: {said}")
        return HEALTH.answer(health)

    text = {
        "description": "In the text format of Prometheus.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }

    @router.get("/metrics", responses={200: text})
    def metrics() -> Response:
        """Return counts and times of the server."""
        return Response(generate_latest(core.metrics), headers={"content-type": CONTENT_TYPE_LATEST})

    return router
