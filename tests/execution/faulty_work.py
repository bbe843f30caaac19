"""Evaluators for worker processes that do what the config says of each trial: `{"3": "hang"}`."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time

from amla.execution.work import Evaluate, Work
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.trials.progress import Progress, Report
from amla.trials.trial import Failure, Measurement, Outcome, Proposal, Trial


def evaluator(config: str) -> Evaluate:
    actions = json.loads(config)

    def evaluate(trial: Trial, report: Report) -> Outcome:
        action = actions.get(str(trial.id), "measure")
        outcome: Outcome = globals()[action](trial, report)
        return outcome

    return evaluate


def without_disk(config: str) -> Evaluate:
    raise OSError(errno.EIO, "Input/output error: could not read", "/data/cifar10")


def killed_while_starting(config: str) -> Evaluate:
    """Kill the worker the first time; `config` names a file that remembers it."""
    path = json.loads(config)
    if os.path.exists(path):
        return evaluator("{}")
    with open(path, "x"):
        os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def killed_always(config: str) -> Evaluate:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def work(**actions: str) -> Work:
    """Return the work in which trial 3 does `do3`."""
    return Work("faulty_work:evaluator", json.dumps({name.removeprefix("do"): what for name, what in actions.items()}))


def trial(trial_id: int) -> Trial:
    nodes = Node("image", ops.Input((1, 4, 4))), Node("head", ops.GlobalPool(), ("image",))
    return Trial(trial_id, Proposal(Architecture((*nodes, Node("logits", ops.Classify(2), ("head",)))), 10))


def measure(trial: Trial, report: Report) -> Outcome:
    return Measurement({"pid": float(os.getpid())}, seconds=0.25)


def meet(trial: Trial, report: Report) -> Outcome:
    """Wait for another trial to come to the pipe's other end."""
    with open("meeting", "rb" if trial.id else "wb"):
        return measure(trial, report)


def threads(trial: Trial, report: Report) -> Outcome:
    return Measurement({name: float(os.environ[f"{name}_NUM_THREADS"]) for name in ("OMP", "MKL", "OPENBLAS")})


def without_gpus(trial: Trial, report: Report) -> Outcome:
    return Measurement({"hidden": float(os.environ["CUDA_VISIBLE_DEVICES"] == "")})


def say_pid(trial: Trial, report: Report) -> None:
    report(Progress(trial.id, os.getpid(), trial.proposal.budget, float("nan"), 0.5, 0.1, 0.0))


def progress(trial: Trial, report: Report) -> Outcome:
    for step in range(100):
        report(Progress(trial.id, step, trial.proposal.budget, float("nan"), 0.5, 0.1, 0.0))
    return measure(trial, report)


def linger(trial: Trial, report: Report) -> Outcome:
    """Report the process that has started this one, and wait until the file "go" is there."""
    report(Progress(trial.id, os.getppid(), trial.proposal.budget, 0.0, 0.5, 0.1, 0.0))
    while not os.path.exists("go"):
        time.sleep(0.01)
    return measure(trial, report)


def hang(trial: Trial, report: Report) -> Outcome:
    say_pid(trial, report)
    while True:
        time.sleep(60)


def hang_deaf(trial: Trial, report: Report) -> Outcome:
    """Hang without ever giving the interpreter's lock away, so that no other thread runs."""
    sys.setswitchinterval(1e6)
    say_pid(trial, report)
    while True:
        pass


def hang_with_child(trial: Trial, report: Report) -> Outcome:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    report(Progress(trial.id, child.pid, 10, 0.0, 0.0, 0.0, 0.0))
    return hang(trial, report)


def die_before_child(trial: Trial, report: Report) -> Outcome:
    """Die while a child, made by fork, holds every pipe of the worker open."""
    if os.fork() == 0:
        signal.pause()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def crash(trial: Trial, report: Report) -> Outcome:
    sys.stderr.write("about to fall\n")
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError("unreachable")


def leave(trial: Trial, report: Report) -> Outcome:
    sys.exit(3)


def leave_without_memory(trial: Trial, report: Report) -> Outcome:
    sys.stderr.write("terminate called after throwing an instance of 'std::bad_alloc'\n")
    os._exit(134)


def close_pipes(trial: Trial, report: Report) -> Outcome:
    os.closerange(3, 100)
    return hang(trial, lambda progress: None)


def print_much(trial: Trial, report: Report) -> Outcome:
    os.write(1, b'{"kind": "answer"}\n')
    sys.stdout.write("{}\n" * 1000)
    sys.stderr.write("x" * 200_000)
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    return measure(trial, report)


def report_from_threads(trial: Trial, report: Report) -> Outcome:
    threads = [threading.Thread(target=progress, args=(trial, report)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return measure(trial, report)


def bomb(trial: Trial, report: Report) -> Outcome:
    return Measurement({"length": float(len(bytes(1 << 40)))})


def swell(trial: Trial, report: Report) -> Outcome:
    """Fill the memory to the last small piece."""
    hoard: list[object] = []
    size = 1 << 24
    while size:
        try:
            hoard.append(bytes(size))
        except MemoryError:
            if size < 1 << 12:
                raise
            size >>= 1
    return measure(trial, report)


def torch_without_memory(trial: Trial, report: Report) -> Outcome:
    raise RuntimeError(
        "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried ..."
    )


def say_without_memory(trial: Trial, report: Report) -> Outcome:
    return Failure("out_of_memory", "the device is full")


def fail(trial: Trial, report: Report) -> Outcome:
    raise ValueError("no \udcff such thing")


def answer_nonsense(trial: Trial, report: Report) -> Outcome:
    return "a string"  # type: ignore[return-value]


def without_space(trial: Trial, report: Report) -> Outcome:
    raise OSError(errno.ENOSPC, "No space left on device: could not write", "/runs/snapshot")
