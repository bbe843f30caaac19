"""The generator: amla's own algorithms behind `POST /v1/ask`, as a generator in any language is; it keeps no state.

Questions and answers are those of `amla.algorithms.wire`. What algorithm is meant, a question says in its `options`,
with the settings of a study file. A study that is on this server may be asked for by its key instead.
"""

from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response

from amla.algorithms import wire
from amla.services.app import Core
from amla.services.documents import Document
from amla.services.questions import Search, explaining, of_key, of_question
from amla.spec.values import value


@value
class Keyed:
    """A question about the search of a study that is on this server, by its key there."""

    key: str


ASKING: Document[wire.Question | Keyed] = Document(wire.Question | Keyed)
ASKED: Document[wire.Asked] = Document(wire.Asked)
RECOMMENDED: Document[wire.Recommended] = Document(wire.Recommended)


@dataclass(frozen=True)
class Generator:
    """The role of a generator; studies that are asked for by key are run folders below `root`. Calling it gives it."""

    root: Path | None = None

    def __call__(self, core: Core) -> APIRouter:
        """Return the routes."""
        router = APIRouter()
        body = ASKING.asked("A history and the space in which to go on, or the key of a study on this server.")

        @router.post("/ask", responses=ASKED.answered("What to train next."), openapi_extra=body)
        async def ask(request: Request) -> Response:
            """Say what to train next; nothing means: wait for what runs, or the search is over."""
            given = await ASKING.read(request)
            return await to_thread.run_sync(lambda: ASKED.answer(asked(self._search(given))))

        stands = RECOMMENDED.answered("What it stands behind so far.")

        @router.post("/recommend", responses=stands, openapi_extra=body)
        async def recommend(request: Request) -> Response:
            """Say which network the algorithm stands behind so far."""
            given = await ASKING.read(request)
            return await to_thread.run_sync(lambda: RECOMMENDED.answer(recommended(self._search(given))))

        return router

    def _search(self, given: wire.Question | Keyed) -> Search:
        return of_question(given) if isinstance(given, wire.Question) else of_key(self.root, given.key)


def asked(search: Search) -> wire.Asked:
    """Return what is to be trained next, as decisions. Raises Problem for a history that cannot be gone on with."""
    proposal = explaining(lambda: search.algorithm.ask(search.history))
    if proposal is None:
        return wire.Asked()
    decisions = search.space.read(proposal.architecture)
    return wire.Asked(
        wire.Wanted(
            decisions,
            proposal.budget,
            start=proposal.start,
            horizon=proposal.horizon,
            seed=proposal.seed,
            keep=proposal.keep,
            probes=proposal.probes,
        )
    )


def recommended(search: Search) -> wire.Recommended:
    """Return what the algorithm stands behind, as decisions. Raises Problem."""
    network = explaining(lambda: search.algorithm.recommend(search.history))
    return wire.Recommended(search.space.read(network) if network else None)
