"""The law of worker services, in whatever language: each trial is run once, and answered as any other executor does."""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from secrets import token_hex
from typing import Any

from amla.execution import orders
from amla.execution.errand import Terms
from amla.execution.http import HttpExecutor
from amla.execution.orders import Status
from amla.execution.service import NONE, Connection, Forgotten, Missing, Refused
from amla.execution.work import WorkerError
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.ops import Size
from amla.testing.questions import SOON, Questions
from amla.trials.trial import Failure, Measurement, Proposal, Trial, TrialId

SECONDS = 120.0  # in which a small trial must be over: the first one loads libraries and data
STEPS, LONG = 20, 10_000_000
AT_ONCE = 3  # trials, as far as there are slots
DIGITS: Size = (1, 8, 8)
MALFORMED = (b"", b"no JSON", b"[]", b"{}", b'{"version": 1', b"[" * 100_000, b'{"version": NaN}', b"\xff\xfe")


def check_worker(
    url: str,
    task: Mapping[str, Any],
    *,
    shape: Size = DIGITS,
    classes: int = 10,
    seconds: float = SECONDS,
    headers: Mapping[str, str] = NONE,
) -> str:
    """Return what was looked at, in words. Raises AssertionError where the service at `url` breaks its law.

    `task` is what it is told to learn, from inputs of `shape` in so many `classes`; each small trial may take
    `seconds`. Raises `amla.execution.service.Gone` where nothing answers.
    """
    network = small(shape, classes)
    terms = Terms(token_hex(16), "search", task, threads=1)
    with closing(Connection(url, seconds, headers)) as connection:
        ask = Questions(connection, terms, seconds)
        slots = ask.capacity().slots
        over = _check_a_trial(ask, network)
        _check_weights(ask, network, over)
        _check_failures(ask, network)
        _check_data(ask, network)
        _check_what_is_unknown(ask, network)
        _check_cancelling(ask, network)
    workers = min(slots, AT_ONCE)
    _check_many(url, terms, network, workers, seconds, headers)
    return (
        f"It runs {slots} at once. A trial sent twice was run once; the same training gave the same result; weights "
        "came back, and were gone on with; failures came as data; a cancelled trial left its slot; what is unknown or "
        f"malformed was refused; and {2 * workers} more trials were answered once each"
    )


def small(shape: Size, classes: int) -> Architecture:
    """Return a network that is trained in no time."""
    return Architecture(
        (
            Node("image", ops.Input(shape)),
            Node("conv", ops.Conv(4, (3,) * (len(shape) - 1)), ("image",)),
            Node("head", ops.GlobalPool(), ("conv",)),
            Node("logits", ops.Classify(classes), ("head",)),
        )
    )


def _check_a_trial(ask: Questions, network: Architecture) -> Status:
    """A trial is run once, however often it is sent, and the same training is the same; return what was said of it."""
    first = Trial(0, Proposal(network, STEPS))
    begun = ask.send(first)
    if (again := ask.send(first)).id != begun.id:
        raise AssertionError(f"A trial was sent twice with one {orders.KEY}, and became {begun.id} and {again.id}.")
    over = ask.over(begun)
    if (later := ask.status(begun.id)).outcome != over.outcome:
        raise AssertionError(f"Trial {begun.id} was {over.outcome}, and later {later.outcome}.")
    if ask.send(first).id != begun.id:
        raise AssertionError(f"A trial that was over was sent again with its {orders.KEY}, and was run anew.")
    measured = ask.measured(over)
    other, key = ask.terms.order(replace(first, id=1), None), orders.key(ask.terms.order(first, None))
    ask.refused(f"another trial with the same {orders.KEY}", "POST", "trials", other, {orders.KEY: key})
    same = ask.measured(ask.over(ask.send(replace(first, id=1))))
    for name in ("accuracy", "loss"):
        if measured.metrics.get(name) != same.metrics.get(name):
            got = f"{measured.metrics.get(name)} and {same.metrics.get(name)}"
            raise AssertionError(f"The same training with the same seed had {name} {got}.")
    return over


def _check_weights(ask: Questions, network: Architecture, over: Status) -> None:
    """What a trial leaves can be fetched, and gone on with."""
    if over.snapshot is None:
        raise AssertionError("A trial with `keep` has left no snapshot.")
    content = ask.download(over.snapshot)
    ask.upload(over.snapshot.digest, content)
    leg = Trial(2, Proposal(network, STEPS, start=0, horizon=2 * STEPS))
    ask.measured(ask.over(ask.send(leg, over.snapshot.digest)))
    nowhere = token_hex(32)
    try:
        ask.connection.send(ask.terms.order(replace(leg, id=3), nowhere), token_hex(8), SOON)
    except Missing:
        ask.refused("a snapshot whose digest is another", "PUT", f"snapshots/{nowhere}?offset=0&bytes=4", b"none", {})
        return
    except Refused as error:
        raise AssertionError(
            f"A trial that starts from a snapshot that is nowhere: {error}; 409 is expected."
        ) from None
    raise AssertionError("A trial that starts from a snapshot that is nowhere was taken; 409 is expected.")


def _check_failures(ask: Questions, network: Architecture) -> None:
    """A network that does not fit together, or is too large, has failed at once; it is not an error."""
    image, conv, head, logits = network.nodes
    kernel = conv.op.kernel if isinstance(conv.op, ops.Conv) else ()
    huge = Node("huge", ops.Conv(2**31 - 1, kernel), ("image",))
    narrow, wide = (Node(f"conv{count}", ops.Conv(count, kernel), ("image",)) for count in (2, 3))
    merged = Node("sum", ops.Merge("add"), ("conv2", "conv3"))
    for place, nodes in enumerate(((huge,), (narrow, wide, merged))):
        last = replace(head, inputs=(nodes[-1].id,))
        broken = Architecture((image, *nodes, last, logits))
        outcome = ask.over(ask.send(Trial(10 + place, Proposal(broken, STEPS)))).outcome
        if not isinstance(outcome, Failure) or outcome.reason != "infeasible":
            raise AssertionError(
                f"A network that cannot be built ({nodes[-1]}) should fail, infeasible; got {outcome}."
            )


def _check_data(ask: Questions, network: Architecture) -> None:
    """A trial is not run on other data than those of its study."""
    if "fingerprint" not in ask.terms.task:
        return
    terms = replace(ask.terms, task={**ask.terms.task, "fingerprint": "0" * 32})
    order = terms.order(Trial(12, Proposal(network, STEPS)), None)
    try:
        status = ask.connection.send(order, orders.key(order), ask.seconds)
    except Refused:
        return
    status = ask.over(status)
    if status.state != "unable" or not status.message:
        raise AssertionError(f"A trial on data of another fingerprint should be refused in words; got {status}.")


def _check_what_is_unknown(ask: Questions, network: Architecture) -> None:
    """What is not there is 404, and what is malformed is refused."""
    status, _ = ask.connection.ask("GET", f"trials/{token_hex(16)}", seconds=SOON)
    if status != 404:
        raise AssertionError(f"GET of a trial that is not there has status {status}; 404 is expected.")
    order = json.loads(ask.terms.order(Trial(20, Proposal(network, STEPS)), None))
    order["trial"]["proposal"]["budget"] = -1
    for body in (*MALFORMED, json.dumps(order).encode()):
        ask.refused(f"the body {body[:40]!r}", "POST", "trials", body, {})


def _check_cancelling(ask: Questions, network: Architecture) -> None:
    """A trial that is cancelled is forgotten, and leaves its slot to others."""
    free = ask.capacity().free
    begun = ask.send(Trial(30, Proposal(network, LONG, keep=False)))
    if begun.state != "running":
        raise AssertionError(f"A trial of {LONG:,} steps is {begun.state} at once.")
    ask.cancel(begun.id)
    ask.until(lambda: ask.capacity().free >= free, "a cancelled trial keeps its slot")
    try:
        ask.connection.status(begun.id, 0, 0.0, SOON)
    except Forgotten:
        return
    raise AssertionError("A trial that was cancelled is still known; 404 is expected.")


def _check_many(
    url: str, terms: Terms, network: Architecture, workers: int, seconds: float, headers: Mapping[str, str]
) -> None:
    """Several trials at once are each answered once."""
    waiting = [Trial(40 + place, Proposal(network, STEPS, seed=place, keep=False)) for place in range(2 * workers)]
    count, answered = len(waiting), list[TrialId]()
    with HttpExecutor([url], terms, _Nowhere(), workers=workers, headers=headers, patience=seconds) as executor:
        while len(answered) < count:
            while waiting and executor.idle:
                executor.submit(waiting.pop(0))
            try:
                over = executor.wait()
            except WorkerError as error:
                raise AssertionError(f"Of {workers} trials at once: {error}") from None
            for trial_id, outcome in over:
                answered.append(trial_id)
                if not isinstance(outcome, Measurement):
                    raise AssertionError(f"Of {workers} trials at once, each should be measured; one is {outcome}.")


class _Nowhere:
    """Where no snapshot is, and none is kept."""

    def read(self, trial_id: TrialId) -> bytes:
        """Raise FileNotFoundError."""
        raise FileNotFoundError(f"Trial {trial_id} left nothing.")

    def write(self, trial_id: TrialId, content: bytes) -> None:
        """Forget it."""
