import errno

import pytest
from faulty_work import trial

from amla.execution.work import Evaluate, Work, attempt, evaluator
from amla.trials.progress import silent
from amla.trials.trial import Failure, Measurement, Outcome


def raising(error: BaseException) -> Evaluate:
    def evaluate(*_: object) -> Outcome:
        raise error

    return evaluate


def failed(error: Exception) -> Failure:
    outcome = attempt(raising(error), trial(0), silent, memory=1_000_000)
    assert isinstance(outcome, Failure)
    return outcome


def test_an_outcome_is_passed_on_as_it_is():
    outcome = Measurement({"accuracy": float("nan")}, seconds=3.0)
    assert attempt(lambda *_: outcome, trial(0), silent) is outcome


def test_an_exception_is_a_failure_that_says_type_message_and_place():
    failure = failed(ValueError("too narrow"))
    assert failure.reason == "crashed"
    assert failure.message.startswith("ValueError: too narrow (")
    assert failure.message.rstrip("0123456789)").endswith("test_work.py:")
    assert 0 <= failure.seconds < 5


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4000000 bytes."),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_a_lack_of_memory_is_called_so_and_names_the_limit(error):
    failure = failed(error)
    assert failure.reason == "out_of_memory"
    assert "the limit is 1,000,000 bytes" in failure.message


def test_a_value_error_that_speaks_of_memory_is_not_a_lack_of_it():
    assert failed(ValueError("out of memory of my own")).reason == "crashed"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO, errno.EACCES])
def test_a_fault_of_the_machine_is_raised(number):
    with pytest.raises(OSError, match="broken") as raised:
        attempt(raising(OSError(number, "broken", "/runs/x")), trial(0), silent)
    assert raised.value.errno == number


def test_a_missing_file_is_the_trials_own_fault():
    assert failed(FileNotFoundError(errno.ENOENT, "no such file", "x")).reason == "crashed"


def test_an_interrupt_passes():
    with pytest.raises(KeyboardInterrupt):
        attempt(raising(KeyboardInterrupt()), trial(0), silent)


@pytest.mark.parametrize("nonsense", [None, "0.9", Measurement({"accuracy": "high"}), {"kind": "failure"}])
def test_what_cannot_be_written_down_is_no_outcome(nonsense):
    outcome = attempt(lambda *_: nonsense, trial(0), silent)
    assert isinstance(outcome, Failure)
    assert outcome.reason == "crashed"


def test_a_message_can_always_be_written_down():
    failure = failed(ValueError("\udcff" + "x" * 100_000))
    assert failure.message.startswith("ValueError: \\udcff")
    assert len(failure.message) < 5_000


@pytest.mark.parametrize("factory", ["amla", "amla:", ":f", "a.b:c.d", "os.system('ls'):x", "a b:c", ""])
def test_a_factory_is_an_address(factory):
    with pytest.raises(ValueError, match=r"write 'package\.module:function'"):
        Work(factory)


def test_a_config_is_json():
    with pytest.raises(ValueError, match="no JSON"):
        Work("faulty_work:evaluator", "{seconds: 1}")


def test_an_evaluator_is_made_by_its_factory():
    assert isinstance(evaluator(Work("faulty_work:evaluator"))(trial(0), silent), Measurement)
