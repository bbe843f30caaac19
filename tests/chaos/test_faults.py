"""What goes wrong is drawn from a seed, and what cannot be had is never drawn."""

from pathlib import Path
from random import Random

import pytest

from amla.chaos.faults import FAULTS, WEIGHTS, WORKERS, Usual, damage, fault, instant


def test_the_same_seed_draws_the_same():
    draws = [[(instant(chance, Usual(9.0, 40)), fault(chance, FAULTS, 0)) for _ in range(50)] for chance in two(3)]
    assert draws[0] == draws[1]
    assert {kind for _, kind in draws[0]} == WEIGHTS.keys()


def test_instants_are_within_a_usual_life():
    chance = Random(0)
    drawn = [instant(chance, Usual(9.0, 40)) for _ in range(300)]
    assert all(0 <= each.seconds <= 4.5 and 0 <= each.signs <= 6 for each in drawn)
    assert any(each.signs for each in drawn)
    assert any(not each.signs for each in drawn)


def test_only_what_is_wanted_goes_wrong_and_few_workers_a_life():
    chance = Random(0)
    assert {fault(chance, {"driver", "worker", "files"}, 0) for _ in range(50)} == {"driver", "worker"}
    assert {fault(chance, {"driver", "worker"}, WORKERS) for _ in range(50)} == {"driver"}
    assert fault(chance, {"worker", "files"}, WORKERS) is None


class TestDamage:
    def test_nothing_is_damaged_where_nothing_is(self, tmp_path: Path):
        (tmp_path / "study.yaml").write_text("name: x")
        assert damage(Random(0), tmp_path) is None

    @pytest.mark.parametrize("seed", range(20))
    def test_one_file_is_torn_or_differs_in_one_byte(self, tmp_path: Path, seed: int):
        names = "snapshots/search/0.safetensors", "snapshots/search/1-cut-off.safetensors", "curves/final/0.jsonl"
        for name in (*names, "study.yaml", "weights/best.safetensors"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(bytes(range(100)))
        done = damage(Random(seed), tmp_path)
        assert done
        changed = [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() != bytes(range(100))]
        assert [path.relative_to(tmp_path).as_posix() for path in changed] == [done.name]
        assert done.name in names
        content = changed[0].read_bytes()
        if "torn" in done.what:
            assert content == bytes(range(len(content)))
        else:
            assert sum(one != two for one, two in zip(content, range(100), strict=True)) == 1


def two(seed: int) -> tuple[Random, Random]:
    return Random(seed), Random(seed)
