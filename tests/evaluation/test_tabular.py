"""Tables answer trials: what a search may see, what a final evaluation does, and what is not known."""

import gzip
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amla.evaluation.tables import TableError, nasbench201_table, nasbench_macro_table
from amla.evaluation.tabular import Passed, Tabular
from amla.spec.architecture import Architecture
from amla.storage.files import Files
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Outcome, Proposal, Relax, Trial, Untrained

TABLES = Path(__file__).parents[1] / "nas_bench"
CELLS, MACRO = nasbench201_table(TABLES), nasbench_macro_table(TABLES)
KEY = max(CELLS.entries, key=lambda key: CELLS.entries[key].tested)
ENTRY = CELLS.entries[KEY]
BEST = CELLS.space.close({gene: (kept,) for gene, kept in zip(CELLS.space.genes, KEY, strict=True)})


def asked(table: Tabular, budget: int, network: Architecture = BEST, number: int = 0, **more: object) -> Outcome:
    return table(Trial(number, Proposal(network, budget, **more)))


def measured(table: Tabular, budget: int, network: Architecture = BEST, number: int = 0, **more: object) -> Measurement:
    outcome = asked(table, budget, network, number, **more)
    assert isinstance(outcome, Measurement)
    return outcome


def test_the_best_cell_is_the_one_published():
    assert ENTRY.tested == pytest.approx(0.9437, abs=5e-5)
    assert max(entry.tested for entry in MACRO.entries.values()) == pytest.approx(0.9313, abs=5e-5)


def test_what_is_counted_needs_no_training_and_what_was_not_measured_is_not_known():
    found = measured(Tabular(CELLS), 0, method=Untrained(("macs",)), keep=False)
    assert found.metrics == {"parameters": float(ENTRY.parameters), "macs": float(ENTRY.macs)}
    assert (found.seconds, found.cost and found.cost.flops) == (0.0, 0.0)
    unknown = asked(Tabular(CELLS), 0, method=Untrained(("macs", "synflow")), keep=False)
    assert isinstance(unknown, Failure)
    assert unknown.message == "NAS-Bench-201 knows parameters and macs, but not synflow."
    other = asked(Tabular(CELLS), 0, MACRO.space.sample(np.random.default_rng(0)), method=Untrained(()), keep=False)
    assert isinstance(other, Failure)


def test_a_table_says_whether_what_searches_see_is_of_the_test_part():
    for table in (CELLS, MACRO):
        seen = [(np.mean(entry.searched[table.epochs[-1]]), entry.tested) for entry in table.entries.values()]
        assert table.held_out is not np.allclose(*np.transpose(seen), atol=1e-4)


def test_a_search_sees_validation_accuracies():
    table = Tabular(CELLS)
    for epochs in (12, 200):
        assert measured(table, epochs).metrics["accuracy"] == ENTRY.searched[epochs][0]
    assert ENTRY.tested not in (*ENTRY.searched[12], *ENTRY.searched[200])


def test_seeds_are_other_trainings():
    table = Tabular(CELLS)
    found = {measured(table, 200, seed=seed).metrics["accuracy"] for seed in range(6)}
    assert found == set(ENTRY.searched[200])
    assert len(found) in (2, 3)


def test_seconds_are_those_that_epochs_took():
    table, final = Tabular(CELLS), Tabular(CELLS, final=True)
    assert measured(table, 12).seconds == pytest.approx(12 * ENTRY.epoch_seconds)
    assert measured(final, 200).seconds == pytest.approx(2 * 200 * ENTRY.epoch_seconds)  # on twice as many examples
    assert measured(table, 12).cost.flops == 6 * ENTRY.macs * 12 * 25_000


def test_the_test_accuracy_is_told_once_the_final_training_is_over():
    final = Tabular(CELLS, final=True)
    assert "accuracy" not in measured(final, 200).metrics
    last = measured(final, 0, number=1, start=0)
    assert last.metrics["accuracy"] == ENTRY.tested
    assert (last.metrics["examples"], last.seconds) == (10_000, 0)


def test_a_later_leg_is_the_longer_training_less_what_was_paid():
    table = Tabular(CELLS)
    measured(table, 12)
    longer = measured(table, 188, number=1, start=0)
    assert longer.metrics["accuracy"] == ENTRY.searched[200][0]
    assert longer.metrics["steps"] == 200
    assert longer.seconds == pytest.approx(188 * ENTRY.epoch_seconds)


def test_legs_are_known_from_a_history():
    history = History().asked(Proposal(BEST, 12)).told(0, measured(Tabular(CELLS), 12))
    later = Proposal(BEST, 188, start=0)
    assert Tabular(CELLS).knowing(history)(Trial(1, later)) == measured(Tabular(CELLS).knowing(history), 188, start=0)


@pytest.mark.parametrize("budget", [0, 11, 13, 201])
def test_other_epochs_are_not_known(budget: int):
    outcome = asked(Tabular(CELLS), budget)
    assert isinstance(outcome, Failure)
    assert outcome.reason == "infeasible"
    assert f"12 or 200 epochs, but this one would have {budget}" in outcome.message


def test_other_networks_are_not_known():
    stranger = MACRO.space.sample(np.random.default_rng(0))
    absent = next(n for n in map(CELLS.space.sample, [np.random.default_rng(0)] * 99) if _key(n) not in CELLS.entries)
    cut = Architecture(BEST.nodes[:-1])
    for network in (stranger, absent, cut):
        outcome = asked(Tabular(CELLS), 12, network)
        assert isinstance(outcome, Failure)
        assert "does not know this network" in outcome.message


def test_an_open_network_is_not_known():
    outcome = Tabular(CELLS)(Trial(0, Proposal(CELLS.space.template, 12, method=Relax())))
    assert isinstance(outcome, Failure)
    assert "closed networks" in outcome.message


def test_a_network_that_was_read_from_a_file_is_the_same():
    again = Architecture(tuple(replace(node) for node in BEST))
    assert again is not BEST
    assert measured(Tabular(CELLS), 12, again) == measured(Tabular(CELLS), 12)


def test_a_search_in_the_macro_table_sees_one_of_three_trainings():
    table, final = Tabular(MACRO), Tabular(MACRO, final=True)
    network = MACRO.space.sample(np.random.default_rng(3))
    entry = MACRO.entries[_key(network, MACRO.space)]
    assert [measured(table, 50, network, seed=seed).metrics["accuracy"] for seed in range(3)] == [*entry.searched[50]]
    measured(final, 50, network)
    assert measured(final, 0, network, 1, start=0).metrics["accuracy"] == pytest.approx(np.mean(entry.searched[50]))


def test_latencies_are_metrics(tmp_path: Path):
    folder = with_latencies(tmp_path)
    table = Tabular(nasbench201_table(folder, latency=("phone",)))
    assert {table(Trial(0, Proposal(BEST, 12))).metrics["latency.phone"]} <= {0.5, 1.5}
    with pytest.raises(TableError, match=r"no device 'fridge'; it has phone, board"):
        nasbench201_table(folder, latency=("fridge",))


def test_data_that_it_is_not_about_are_refused():
    with pytest.raises(TableError, match="no data 'digits'; it has cifar10, cifar100, imagenet16-120"):
        nasbench201_table(TABLES, "digits")


def test_tables_are_found_in_a_folder_of_the_data_folder(tmp_path: Path):
    with pytest.raises(TableError, match=r"There is no nasbench_macro.csv.gz in .* --data-dir"):
        nasbench_macro_table(tmp_path)
    shutil.copytree(TABLES, tmp_path / "nas_bench")
    assert nasbench_macro_table(tmp_path).entries == MACRO.entries


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no gzip at all", "cannot be read"),
        (gzip.compress(b"arch,test_acc_0\n00000000,45"), "lacks or garbles"),
        (gzip.compress(b"arch,test_acc_0,test_acc_1,test_acc_2,mean_acc,std,params,flops\n0,1,1,1,1,0,1,1"), "'0'"),
        (gzip.compress(b"arch,flops\n99999999,1"), "lacks or garbles"),
        (gzip.compress("arch,flops\n\N{SNOWMAN}".encode("utf-16")), "cannot be read"),
        (gzip.compress(b"arch,flops\n0" * 99)[:-9], "cannot be read"),
    ],
    ids=["no gzip", "a column", "a key", "another key", "no text", "torn"],  # what gzip makes depends on the time
)
def test_damaged_tables_are_refused(tmp_path: Path, content: bytes, words: str):
    (tmp_path / "nasbench_macro.csv.gz").write_bytes(content)
    with pytest.raises(TableError, match=words):
        nasbench_macro_table(tmp_path)


def with_latencies(folder: Path) -> Path:
    shutil.copy(TABLES / "nasbench201.csv.gz", folder)
    with gzip.open(TABLES / "nasbench201.csv.gz", "rt") as text:
        names = [line.split(",")[:2] for line in text.read().splitlines()[1:]]
    lines = ["index,arch,phone,board", *(f"{name},{arch},{int(name) % 2 + 0.5},2" for name, arch in names)]
    (folder / "nasbench201_latency_ms.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder


def _key(network: Architecture, space=CELLS.space) -> tuple[str, ...]:
    return tuple(kept for (kept,) in space.read(network).values())


def test_a_leg_is_looked_up_by_another_process_than_what_it_starts_from(tmp_path: Path):
    files, alone = Files(tmp_path), Tabular(CELLS)
    legs = [Trial(0, Proposal(BEST, 12)), Trial(1, Proposal(BEST, 188, start=0, keep=False))]
    apart = [Passed(Tabular(CELLS), "search", files)(leg) for leg in legs]
    assert apart == [alone(leg) for leg in legs]
    assert [files.exists(f"search/{number}") for number in (0, 1)] == [True, False]
    assert isinstance(alone(Trial(2, Proposal(BEST, 188))), Failure)  # without what it starts from


def test_what_a_leg_starts_from_may_be_damaged_and_that_is_no_failure_of_the_leg(tmp_path: Path):
    files = Files(tmp_path)
    Passed(Tabular(CELLS), "search", files)(Trial(0, Proposal(BEST, 12)))
    path = Path(files.path("search/0"))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(OSError, match="trial 0 left have just been damaged"):
        Passed(Tabular(CELLS), "search", files)(Trial(1, Proposal(BEST, 188, start=0)))
