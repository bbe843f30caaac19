"""`amla doctor`: what is wrong is said in words and as JSON, and the exit code says whether anything is."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from commands import Command, piped

from amla.spaces.envelope import envelope
from amla.storage.records import Records
from amla.study.log import EVENTS
from amla.study.settings.searches import NacSettings
from amla.study.study import Data, Final, Study, to_yaml
from amla.trials.trial import Failure, Proposal

STUDY = Study("shapes", Data("shapes.npz"), algorithm=NacSettings(1, 100), final=Final(200))
NETWORK = envelope((1, 8, 8), 3, width=6, cells=(1,), max_cells=(2,))
amla = pytest.fixture(piped)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run folder with two events."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "study.yaml").write_text(to_yaml(STUDY))
    with Records(folder / EVENTS) as records:
        records.asked("search", Proposal(NETWORK.space.close(NETWORK.initial()), 10, keep=False))
        records.told("search", 0, Failure("crashed", ""))
    return folder


@pytest.fixture
def damaged(run: Path) -> Path:
    with closing(sqlite3.connect(run / EVENTS, isolation_level=None)) as connection:
        connection.execute("UPDATE event SET body = '{' WHERE sequence = 1")
    return run


def test_a_sound_run_is_said_to_be(amla: Command, run: Path):
    assert amla("doctor", "run") == (0, "sound: run\n", "")


def test_what_is_wrong_is_said_and_ends_with_one(amla: Command, damaged: Path):
    code, out, err = amla("doctor", "run")
    assert (code, err) == (1, "")
    words = " ".join(out.split())
    assert "what is wrong" in words
    assert "--repair" in words
    assert words.endswith("1 thing wrong with run")


def test_what_was_mended_is_said_and_ends_with_zero(amla: Command, damaged: Path):
    code, out, _ = amla("doctor", "run", "--repair")
    assert code == 0
    assert "sound: run" in out
    assert (damaged / "damaged" / "search-events-1.jsonl").is_file()
    assert amla("doctor", "run")[0] == 0


def test_as_json_it_is_one_object(amla: Command, damaged: Path):
    code, out, _ = amla("doctor", "run", "--json")
    said = json.loads(out)
    assert (code, said["sound"], said["store"], said["driver"]) == (1, False, "run", None)
    (finding,) = said["findings"]
    assert finding.keys() == {"where", "what", "advice", "hinders", "did"}
    assert (finding["hinders"], finding["did"]) == (True, None)
    code, out, _ = amla("doctor", "run", "--json", "--repair")
    said = json.loads(out)
    assert (code, said["sound"]) == (0, True)
    assert "aside" in said["findings"][0]["did"]


def test_what_hinders_nothing_is_said_and_ends_with_zero(amla: Command, run: Path):
    (run / f".report.html.{'0' * 32}.tmp").touch()
    code, out, _ = amla("doctor", "run")
    assert code == 0
    assert out.endswith("sound: run; what was left behind (1 thing) hinders nothing\n")


@pytest.mark.parametrize("store", ["nothing", "mysql://here/x", "postgresql://me@127.0.0.1:1/x"])
def test_what_cannot_be_checked_ends_with_two(amla: Command, store: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("amla.storage.postgres.Postgres.pauses", (0.01,))  # else about a minute
    code, out, err = amla("doctor", store)
    assert (code, out) == (2, "")
    assert err.startswith("amla: ")
