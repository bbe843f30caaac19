"""What the OpenAPI document of a worker allows or forbids is answered, and nothing breaks.

AMLA_REQUESTS says about how many requests are sent, by default some hundred.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from asked import running
from hypothesis import given, seed
from schemathesis import GenerationMode
from test_openapi import REQUESTS, Sending, drawing, spoiled
from worker_service import MadeUp

from amla.execution import orders
from amla.execution.orders import Order
from amla.services.app import application
from amla.services.trials import Worker
from amla.services.workshop import Workshop
from amla.testing.workers import small
from amla.trials.trial import Proposal, Trial

ORDER = orders.order.dump_json(Order("0" * 32, "search", {}, Trial(0, Proposal(small((1, 4, 4), 2), 10))))


class Asking(Sending):
    """Sends requests to a worker, which may be busy."""

    busy = frozenset({503})  # "All slots are busy; come again."


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Asking]:
    workshop = Workshop(MadeUp(), tmp_path)
    with running(application({"worker": Worker(workshop)})) as transport:
        sender = Asking(transport, "")
        yield sender
        sender.client.close()


def test_whatever_the_document_of_a_worker_allows_or_forbids_is_answered(sending: Asking):
    schema = schemathesis.openapi.from_dict(sending.client.get("/v1/openapi.json").json())
    operations = [found.ok() for found in schema.get_all_operations()]
    share = max(1, REQUESTS // 2 // (2 * len(operations)))
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.NEGATIVE and not (
                operation.path_parameters or operation.query or operation.headers or operation.body
            ):
                continue

            @seed(0)
            @drawing(share)
            @given(case=operation.as_strategy(generation_mode=mode))
            def sent(case: schemathesis.Case) -> None:
                request = case.as_transport_kwargs(base_url=str(sending.client.base_url))
                request["headers"] = dict(request["headers"])
                request.pop("cookies", None)
                if isinstance(data := request.pop("data", None), bytes | str):
                    request["content"] = data
                request["url"] = request["url"].replace("wait=", "waited=")  # a trial that runs may be waited for long
                sending.send(**request)

            sent()
    assert {200, 404, 422} <= sending.statuses.keys()
    assert sending.statuses.total() > REQUESTS // 5


def test_orders_that_are_right_but_for_a_place_or_three_are_answered(sending: Asking):
    whole = json.loads(ORDER)

    @seed(0)
    @drawing(max(1, REQUESTS // 4))
    @given(spoiled(whole))
    def sent(body: object) -> None:
        sending.send(method="POST", url="/v1/trials", json=body)

    sent()
    assert 422 in sending.statuses
    sending.send(method="POST", url="/v1/trials", json=whole)
    assert {202, 503} & sending.statuses.keys()
