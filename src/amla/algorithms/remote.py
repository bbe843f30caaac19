"""An algorithm behind a URL, in whatever language: asked over HTTP, with the whole history each time."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from time import sleep
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from amla.algorithms import wire
from amla.algorithms.errors import RemoteError
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.spec.decisions import Decisions
from amla.spec.text import explain
from amla.spec.values import SpecError
from amla.trials.history import History
from amla.trials.trial import Proposal, Trial

T = TypeVar("T")

SECONDS = 60.0  # that a generator may take to answer
ATTEMPTS, PAUSE = 4, 0.25  # at reaching it; seconds before the second, doubled before each other one
LARGEST = 16 << 20  # bytes of an answer: one with the decisions of any network is far smaller
SHOWN = 300  # characters of an answer that are repeated in a message


@dataclass(frozen=True)
class Remote:
    """Whatever the generator at `url` asks for. See `amla.algorithms.wire` for what it is told and may answer.

    A question that is lost, or answered with a status of 500 or more, is asked again, up to three times: a generator
    keeps no state, so that does no harm. Raises RemoteError where that does not help, or the answer breaks a rule.
    """

    url: str
    space: Space
    steps: int
    seed: int = 0
    study: str = "study"
    options: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = SECONDS

    def ask(self, history: History) -> Proposal | None:
        """Return the generator's next proposal, or None if it waits or has finished. Raises RemoteError."""
        wanted = self._post("ask", history, wire.asked).proposal
        if wanted is None:
            return None
        network = self._closed("ask", wanted.decisions)
        try:
            proposal = Proposal(
                network,
                wanted.budget,
                start=wanted.start,
                probes=wanted.probes,
                horizon=wanted.horizon,
                seed=wanted.seed,
                keep=wanted.keep,
            )
        except SpecError as error:
            raise self._broken("ask", str(error)) from None
        if (start := wanted.start) is not None and not 0 <= start < len(history):
            raise self._broken("ask", f"proposal.start is {start}, but there are {len(history)} trials.")
        return proposal

    def recommend(self, history: History) -> Architecture | None:
        """Return what the generator stands behind, None before there is anything. Raises RemoteError."""
        decisions = self._post("recommend", history, wire.recommended).decisions
        return None if decisions is None else self._closed("recommend", decisions)

    def _closed(self, call: str, decisions: Decisions) -> Architecture:
        """Return the network that decisions make. Raises RemoteError where it is not of the space."""
        try:
            network = self.space.close(decisions)
        except SpecError as error:
            raise self._broken(call, str(error)) from None
        if not self.space.accepts(network):
            raise self._broken(call, "its decisions make a network that the space does not accept.")
        return network

    def _post(self, call: str, history: History, answer: TypeAdapter[T]) -> T:
        text = self._reached(call, wire.question.dump_json(self.question(history)))
        try:
            return answer.validate_json(text)
        except ValidationError as error:
            raise self._broken(call, f"{explain(error)}; it was {text[:SHOWN].decode(errors='replace')!r}") from None

    def check_health(self) -> None:
        """Raise RemoteError unless a generator answers at the URL that it is well."""
        try:
            response = httpx.get(f"{self.url.rstrip('/')}/v1/health", timeout=self.seconds, verify=_certificates())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RemoteError(f"Nothing answers at {self.url} ({type(error).__name__}: {error}). Start it.") from None
        if response.status_code != httpx.codes.OK:
            raise self._broken("health", f"status {response.status_code}; 200 is expected.")

    def question(self, history: History) -> wire.Question:
        """Return what the generator is told."""
        template, genes = self.space.template, set(self.space.genes)
        picks = {
            name: wire.Choice(template[name].inputs, op.at_least, op.at_most, op.fixed)
            for name, op in template.picks.items()
            if name in genes
        }
        trials = tuple(map(self._past, history.trials))
        finished = tuple(trial.id for trial in history.finished)
        return wire.Question(self.study, self.seed, self.steps, template, picks, trials, finished, self.options)

    def _past(self, trial: Trial) -> wire.Past:
        ask = trial.proposal
        decisions = self.space.read(ask.architecture)
        return wire.Past(trial.id, decisions, ask.budget, ask.start, ask.seed, ask.keep, trial.outcome)

    def _reached(self, call: str, body: bytes) -> bytes:
        """Return the body of a good answer. Raises RemoteError once the last attempt has failed."""
        why = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                sleep(PAUSE * 2 ** (attempt - 1))
            try:
                status, text = self._sent(call, body)
            except httpx.InvalidURL as error:
                raise RemoteError(f"{self.url!r} is no URL of a generator ({error}); write http://HOST:PORT.") from None
            except httpx.HTTPError as error:
                why = f"{type(error).__name__}: {error}"
                continue
            if status == httpx.codes.OK:
                return text
            why = f"status {status}, {text[:SHOWN].decode(errors='replace')!r}"
            if status < httpx.codes.INTERNAL_SERVER_ERROR:
                raise self._broken(call, f"{why}; 200 is expected.")
        raise RemoteError(
            f"The generator at {self.url} did not answer {call} in {ATTEMPTS} attempts ({why}). Nothing is lost: start "
            "it, and then the same command again."
        )

    def _sent(self, call: str, body: bytes) -> tuple[int, bytes]:
        """Return the status and body of an answer. Raises httpx.HTTPError, and RemoteError for one that is too long."""
        address, headers = f"{self.url.rstrip('/')}/v1/{call}", {"content-type": "application/json"}
        with httpx.stream(
            "POST", address, content=body, headers=headers, timeout=self.seconds, verify=_certificates()
        ) as response:
            text = b""
            for chunk in response.iter_bytes():
                text += chunk
                if len(text) > LARGEST:
                    raise self._broken(call, f"it is longer than {LARGEST:,} bytes.")
            return response.status_code, text

    def _broken(self, call: str, what: str) -> RemoteError:
        return RemoteError(f"The answer of the generator at {self.url} to {call} breaks a rule: {what}")


@cache
def _certificates() -> ssl.SSLContext:
    """Return what servers are trusted by; reading it for each question would take longer than the question."""
    return ssl.create_default_context()
