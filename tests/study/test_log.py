"""Where the events of a run are: in its folder, or in a database of many runs, by names of their own."""

from pathlib import Path

import pytest
from made_up_runs import begun

from amla.storage.errors import StoreError
from amla.storage.records import Records
from amla.study import log
from amla.study.folder import read
from amla.study.log import EVENTS, STORE, Place, Within
from amla.study.resolve import SEARCH
from amla.study.study import StudyError
from amla.testing import check_store


def test_within_a_store_of_many_is_a_store(tmp_path: Path):
    with Records(tmp_path / EVENTS, durable=False) as records:
        check_store(lambda: Within(records, "one"))
        check_store(lambda: Within(records, "two"), seed=1)
        assert {name.partition("/")[0] for name in records.studies()} == {"one", "two"}


def test_a_folder_has_its_events_in_a_file_unless_it_says_otherwise(tmp_path: Path):
    assert not log.exists(tmp_path)
    assert log.place(tmp_path) is None
    log.choose(tmp_path, None, "x")
    begun(tmp_path)
    assert log.exists(tmp_path)
    assert log.where(tmp_path)[0] == tmp_path / EVENTS
    assert not (tmp_path / STORE).exists()


def test_whoever_writes_holds_the_lease_of_all_phases(tmp_path: Path):
    begun(tmp_path)
    with log.writing(tmp_path), Records(tmp_path / EVENTS) as other:
        assert {lease.study for lease in other.leases()} == set(log.PHASES)
        with pytest.raises(StoreError, match=r"Another process is writing 'baselines', 'final', .*'tuning'"):
            log.writing(tmp_path).__enter__()
        assert len(read(tmp_path).search) == 1  # reading needs none
    with log.writing(tmp_path) as again:
        assert len(again.history(SEARCH)) == 1


@pytest.mark.parametrize("url", ["postgresql://me:secret@here/x", "postgresql://here/x?password=secret"])
def test_a_place_has_no_password(url: str):
    with pytest.raises(StudyError, match=r"has a password, .* into ~/\.pgpass or PGPASSWORD") as raised:
        Place(url, "x")
    assert "secret" not in str(raised.value)


@pytest.mark.xdist_group("postgres")
def test_a_folder_that_names_a_database_keeps_to_it(tmp_path: Path, new_database):
    url, other = new_database(), new_database()
    log.choose(tmp_path, url, "digits")
    place = log.place(tmp_path)
    assert place
    assert place.url == url
    assert place.run.startswith("digits-")
    log.choose(tmp_path, url, "digits")
    log.choose(tmp_path, None, "digits")
    assert log.place(tmp_path) == place
    with pytest.raises(StudyError, match=r"has its events at .*, not at .* if the database has moved"):
        log.choose(tmp_path, other, "digits")
