"""Services as people use them: a server in a process of its own, driven by the command line and by the client."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from terminal import AMLA, PATIENCE, Here, apart, environment, wait_for

from amla.services.client import Client
from amla.services.wire import Happened
from amla.storage.process import identity
from amla.study.folder import read
from amla.study.study import Study, from_plain, to_yaml
from amla.trials.history import History

TINY = {
    "name": "tiny",
    "data": {"source": "digits"},
    "space": {"width": 6, "cells": [1, 1], "max_cells": [2, 2]},
    "algorithm": {"kind": "nac", "steps": 3, "iterations": 1},
    "final": {"steps": 5},
}
LONG = {**TINY, "name": "long", "algorithm": {"kind": "nac", "steps": 100, "iterations": 2}}


class Server:
    """A server of `amla serve` in a folder, started and killed as often as wanted, and the client of it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        self.start()

    def start(self) -> None:
        with (self.folder / "journal").open("ab") as journal:
            self.process = subprocess.Popen(
                [*AMLA, "serve", "--port", "0", *self.options],
                cwd=self.folder, env=environment(self.folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=journal, text=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert " at http" in said, (self.folder / "journal").read_text()
        self.url = said.split(" at ")[1].strip()

    def kill(self, number: int = signal.SIGKILL) -> int:
        """End the server, and nothing else; return its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def driver(self, key: str) -> tuple[int, str]:
        """Return the process that runs a study."""
        plain = httpx.Response(200, content=(self.folder / "runs" / key / "scheduler.json").read_bytes()).json()
        return plain["pid"], plain["process"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path, "--role", "scheduler")
    yield found
    drivers = [found.driver(path.parent.name) for path in tmp_path.glob("runs/*/scheduler.json")]
    for pid, called in drivers:
        if pid and identity(pid) == called:
            os.killpg(pid, signal.SIGKILL)
    if found.process.poll() is None:
        found.kill()


def test_a_study_runs_on_a_server_as_it_does_at_a_terminal(server: Server, here: Here, tmp_path: Path):
    """It is made, followed, shown, reported on and downloaded; and its folder is a run like any other."""
    (tmp_path / "tiny.yaml").write_text(to_yaml(from_plain(TINY)))
    ran = here("run", "tiny.yaml", "--server", server.url)
    assert ran.code == 0, ran.err
    assert ran.accuracy
    (run,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    assert here("show", str(run)).accuracy in here("show", run.name, "--server", server.url).out
    assert here("doctor", str(run)).code == 0
    assert run.name in here("studies", "list", "--server", server.url).out
    assert here("studies", "download", run.name, "--server", server.url, "--to", "copy").code == 0
    assert (tmp_path / "copy/report.html").read_bytes() == (run / "report.html").read_bytes()
    with Client(server.url) as client:
        assert client.history(run.name) == read(run).search
        assert "<html" in client.report(run.name)
        trace = client.study(run.name).trace
    journal = (tmp_path / "journal").read_text().splitlines()
    assert [line for line in journal if trace in line and '"started"' in line]
    assert here("studies", "delete", run.name, "--server", server.url).code == 0
    assert not run.exists()
    assert "There is no study" in here("studies", "stop", run.name, "--server", server.url).err
    assert server.kill(signal.SIGTERM) == 0


def test_a_server_that_is_killed_loses_nothing(server: Server):
    """Kill -9 of the server and of the driver, a stop and a resume: it ends as an undisturbed run does."""
    with Client(server.url) as client:
        key = client.create(LONG).key
        seen = next(number for number, event in client.events(key) if isinstance(event, Happened))
    driver = server.driver(key)
    os.killpg(driver[0], signal.SIGSTOP)  # so that it does not end meanwhile
    server.kill()
    assert identity(driver[0]) == driver[1], "the study went down with the server"
    server.start()
    with Client(server.url) as client:
        assert client.study(key).state == "running"
        assert server.driver(key) == driver
        assert client.stop(key).state == "stopping"
        os.killpg(driver[0], signal.SIGCONT)
        assert client.wait(key).state == "stopped"
        assert client.resume(key).state in ("queued", "running")
        wait_for(lambda: server.driver(key)[0] not in (0, driver[0]))
        os.killpg(server.driver(key)[0], signal.SIGKILL)
        found = client.wait(key)
        after = [number for number, _ in client.events(key, seen)]
        assert found.state == "done", found.why
        assert seen not in after[:-1]
        disturbed = client.history(key)
    alone = undisturbed(server.folder, from_plain(LONG))
    told = [(trial.id, trial.proposal, trial.measurement.metrics["accuracy"]) for trial in disturbed.done]
    assert told == [(trial.id, trial.proposal, trial.measurement.metrics["accuracy"]) for trial in alone.done]


def undisturbed(folder: Path, study: Study) -> History:
    """Return the history of a study that is run at a terminal."""
    (folder / "long.yaml").write_text(to_yaml(study))
    ended = apart(folder, "run", "long.yaml", "--run", "alone", "--plain")
    assert ended.code == 0, ended.err
    return read(folder / "alone").search


def test_a_server_for_others_wants_a_token_and_speaks_tls(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch):
    refused = here("serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104
    assert refused.code == 2
    assert "amla token add" in refused.err
    secret = here("token", "add", "me", "--scope", "read").out.strip()
    assert "me" in here("token", "list").out
    certificate, key = signed(tmp_path)
    options = ("--tokens", "tokens.json", "--tls-cert", str(certificate), "--tls-key", str(key), "--role", "scheduler")
    server = Server(tmp_path, *options)
    try:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert server.url.startswith("https://")
        assert "needs a token" in here("studies", "list", "--server", server.url).err
        monkeypatch.setenv("AMLA_TOKEN", secret)
        assert here("studies", "list", "--server", server.url).code == 0
        assert "has the scope 'read'" in here("studies", "stop", "x", "--server", server.url).err
        new = here("token", "rotate", "me", "--grace", "0").out.strip()
        assert "needs a token" in here("studies", "list", "--server", server.url).err
        monkeypatch.setenv("AMLA_TOKEN", new)
        assert here("studies", "list", "--server", server.url).code == 0
        assert secret not in (tmp_path / "journal").read_text()
    finally:
        server.kill()


def signed(folder: Path) -> tuple[Path, Path]:
    """Return a certificate for 127.0.0.1 that signs itself, and its key."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=127.0.0.1"]
    try:
        subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return certificate, key


def test_amlas_own_algorithms_are_generators(tmp_path: Path, here: Here):
    server = Server(tmp_path, "--role", "generate")
    try:
        for options in ("{}", '{"algorithm": {"kind": "random", "trials": 12}}'):
            checked = here("check-generator", server.url, "--options", options)
            assert checked.code == 0, checked.err
    finally:
        server.kill()


def test_what_cannot_be_served_is_said(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for options, words in (
        (("--data", "nothing"), "is no folder"),
        (("--host", "192.0.2.1", "--tokens", "none.json"), "no token that holds"),
        (("--tls-cert", "x.pem"), "both --tls-cert and --tls-key"),
        (("--tls-cert", "x.pem", "--tls-key", "y.pem"), "cannot be used"),
    ):
        found = here("serve", "--role", "generate", "--port", "0", *options)
        assert (found.code, words in found.err) == (2, True), found.err
    for module in ("amla.services.app", "amla.services.client", "amla.cli.remote"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.setitem(sys.modules, "httpx", None)
    for command in (["serve", "--role", "generate"], ["studies", "list", "--server", "http://127.0.0.1:9"]):
        found = here(*command)
        assert found.code == 2
        assert "pip install 'amla[serve]'" in found.err
