"""How long ago a study was asked for, by either clock."""

import pytest

from amla.study.moment import Moment


def test_it_is_told_by_the_wall_or_by_cpu_time_as_if_all_cores_had_shared_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("amla.study.moment.monotonic", lambda: 107.0)
    monkeypatch.setattr("amla.study.moment.process_time", lambda: 13.0)
    monkeypatch.setattr("amla.backends.processor.cores", lambda: 4)
    began = Moment(wall=100.0, cpu=5.0)
    assert began.ago("wall") == 7.0
    assert began.ago("cpu") == 2.0
    assert Moment.now().ago("wall") == Moment.now().ago("cpu") == 0.0
