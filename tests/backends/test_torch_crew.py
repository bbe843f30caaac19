"""One network in two processes: what they train is what one process trains."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from crew_work import CASES, chain
from pydantic import TypeAdapter

from amla.backends.protocol import Member
from amla.backends.torch.backend import TorchBackend
from amla.backends.torch.crew import Crew
from amla.execution.crew import CrewExecutor
from amla.execution.work import Work
from amla.trials.trial import Failure, Measurement, Outcome, Proposal, Trial

pytestmark = pytest.mark.xdist_group("crew")  # which starts the processes once

SIZE = 2
_member = TypeAdapter(Member)


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrewExecutor]:
    def work(number: int, meeting: Path) -> Work:
        config = _member.dump_json(Member(number, SIZE, str(meeting))).decode()
        return Work("crew_work:evaluator", config)

    folder = tmp_path_factory.mktemp("crew")
    with CrewExecutor(work, size=SIZE, meetings=folder / "crew", threads=1) as executor:
        yield executor


def outcome(crew: CrewExecutor, case: str) -> Outcome:
    crew.submit(Trial(list(CASES).index(case), Proposal(chain(), 1)))
    ((_, found),) = crew.wait()
    return found


def found(crew: CrewExecutor, case: str) -> dict[str, float]:
    measured = outcome(crew, case)
    assert isinstance(measured, Measurement), measured
    return dict(measured.metrics)


@pytest.mark.parametrize(
    ("case", "readings"),
    [
        ("no normalisation", 0),
        ("of layers", 0),
        ("of batches", 0),
        ("in passes", 2),
        ("all at once", 7),
        ("gates of outputs", 1),
    ],
)
def test_a_crew_trains_what_one_process_trains(crew: CrewExecutor, case: str, readings: int):
    metrics = found(crew, case)
    assert metrics["loss"] < 1e-5
    assert metrics["weight"] < 1e-3
    assert metrics["resume"] < 1e-3
    assert metrics["score"] < 1e-5
    assert metrics["statistics"] < 1e-3
    assert metrics["readings"] == readings
    assert metrics["members"] == 0


def test_two_legs_are_one(crew: CrewExecutor):
    metrics = found(crew, "two legs")
    assert metrics["differing"] == 0
    assert metrics["arrays"] > 20


def test_a_training_that_was_cut_off_goes_on(crew: CrewExecutor):
    assert found(crew, "going on") == {"checkpoint": 30, "began": 40, "differing": 0, "left": 0}


def test_nobody_listens_but_on_loopback(crew: CrewExecutor):
    metrics = found(crew, "sockets")
    assert metrics["listening"] > 0
    assert metrics["open"] == 0


def test_members_that_begin_at_different_steps_are_refused(crew: CrewExecutor):
    assert found(crew, "apart") == {"refused": 1}


def test_one_that_loses_the_others_says_so(crew: CrewExecutor):
    assert found(crew, "left alone") == {"said": 1}


def test_the_death_of_one_is_the_outcome_of_all(crew: CrewExecutor):
    failed = outcome(crew, "dies")
    assert isinstance(failed, Failure)
    assert failed.message.startswith("In process 2 of 2: The worker was killed by SIGSEGV.")


def test_a_batch_without_equal_shares_is_refused():
    crew = Crew(Member(0, 3, "nowhere"), chain(), torch.device("cpu"))
    with pytest.raises(ValueError, match="A batch of 16 has no 3 equal shares"):
        crew.share(torch.zeros(16, 1), torch.zeros(16))


def test_a_member_has_the_gpu_of_its_number(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr("amla.backends.torch.backend._usable", torch.device)
    for device in (None, "cuda"):
        assert TorchBackend(device, member=Member(1, 2, "nowhere")).device == torch.device("cuda:1")
    assert TorchBackend("cpu", member=Member(1, 2, "nowhere")).device == torch.device("cpu")


@pytest.mark.parametrize(
    ("device", "why"),
    [("cuda", "There must be 3 GPUs, but here are 2"), ("cuda:1", "'cuda:1' is one device"), ("mps", "'mps' is one")],
)
def test_devices_that_are_too_few_are_told(monkeypatch: pytest.MonkeyPatch, device: str, why: str):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match=why):
        TorchBackend(device, member=Member(0, 3, "nowhere"))
