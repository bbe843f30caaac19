"""Energy is what counters count between two readings, on a made-up folder of them, or it is not known."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from amla.backends import energy
from amla.backends.energy import Counter, Energy, read

MOST = 262_143_328_850  # microjoules, after which a package of Intel's begins again


@pytest.fixture(autouse=True)
def no_gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    energy._nvml.cache_clear()
    yield
    energy._nvml.cache_clear()


@dataclass
class Machine:
    """Counters in a folder, as Linux shows them, and a clock."""

    root: Path
    now: float = 0.0
    readings: int = 0

    def zone(self, name: str, called: str, microjoules: int, most: int = MOST) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "name").write_text(f"{called}\n")
        (folder / "energy_uj").write_text(f"{microjoules}\n")
        (folder / "max_energy_range_uj").write_text(f"{most}\n")
        return folder

    def read(self) -> energy.Reading:
        self.readings += 1
        return read(self.root)

    def counting(self, share: float = 1.0) -> Energy:
        return Energy(share, self.read, lambda: self.now)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "powercap")


def test_what_all_packages_used_is_added_up(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", 5_000_000)
    machine.zone("intel-rapl:1", "package-1", 7_000_000)
    counting = machine.counting()
    machine.zone("intel-rapl:0", "package-0", 8_000_000)
    machine.zone("intel-rapl:1", "package-1", 8_500_000)
    assert counting.joules("cpu") == pytest.approx(4.5)
    assert machine.counting().joules("cpu") == 0.0


def test_what_is_within_a_package_or_has_packages_in_it_is_not_counted_again(machine: Machine) -> None:
    for name, called in (
        ("intel-rapl", "control"),
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:0:1", "dram"),
        ("intel-rapl:1", "psys"),
        ("intel-rapl-mmio:0", "package-0"),
    ):
        machine.zone(name, called, 1_000_000)
    assert read(machine.root) == {"cpu": (Counter(1.0, MOST / 1e6),)}


def test_a_counter_that_begins_again_goes_on(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", MOST - 1_000_000)
    counting = machine.counting()
    machine.zone("intel-rapl:0", "package-0", 2_000_000)
    assert counting.joules("cpu") == pytest.approx(3.0)


def test_one_that_begins_again_many_times_is_read_in_time(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", 0, most=65_000_000)
    counting = machine.counting()
    for second in range(1, 301):
        machine.now = second
        machine.zone("intel-rapl:0", "package-0", second * 3_000_000 % 65_000_000, most=65_000_000)
        counting.note()
    assert machine.readings == 1 + 30
    assert counting.joules("cpu") == pytest.approx(900.0)


def test_each_of_several_workers_has_its_share(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", 0)
    counting = machine.counting(share=0.25)
    machine.zone("intel-rapl:0", "package-0", 8_000_000)
    assert counting.joules("cpu") == pytest.approx(2.0)


def test_nothing_is_known_without_counters(machine: Machine) -> None:
    assert machine.counting().joules("cpu") is None
    machine.root.mkdir()
    assert machine.counting().joules("cpu") is None
    machine.zone("intel-rapl:0", "package-0", 1)
    assert machine.counting().joules("cuda") is None


@pytest.mark.parametrize("lacking", ["energy_uj", "max_energy_range_uj", "name"])
def test_packages_are_counted_all_or_none(machine: Machine, lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.zone("intel-rapl:0", "package-0", 1)
    machine.zone("intel-rapl:1", "package-1", 1)
    refused, readable = machine.root / "intel-rapl:1" / lacking, Path.read_text

    def read_text(path: Path) -> str:
        if path == refused:
            raise PermissionError(13, "Permission denied", str(path))
        return readable(path)

    monkeypatch.setattr(Path, "read_text", read_text)
    assert machine.counting().joules("cpu") is None


@pytest.mark.parametrize("damaged", ["", "many\n"])
def test_what_is_no_number_is_not_known(machine: Machine, damaged: str) -> None:
    (machine.zone("intel-rapl:0", "package-0", 1) / "energy_uj").write_text(damaged)
    assert machine.counting().joules("cpu") is None


def test_what_was_used_is_not_known_once_a_counter_has_vanished(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", 1)
    there = machine.zone("intel-rapl:1", "package-1", 1) / "energy_uj"
    counting = machine.counting()
    there.unlink()
    assert counting.joules("cpu") is None
    there.write_text("2")
    assert counting.joules("cpu") is None


class NVMLError(Exception):
    pass


@dataclass
class Nvml:
    """The library of NVIDIA, on a machine with two GPUs."""

    millijoules: list[int] = field(default_factory=lambda: [1_000, 2_000])
    driver: bool = True
    counters: bool = True

    def module(self) -> ModuleType:
        made = ModuleType("pynvml")
        made.NVMLError = NVMLError  # type: ignore[attr-defined]
        for name in ("nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex"):
            setattr(made, name, getattr(self, name))
        made.nvmlDeviceGetTotalEnergyConsumption = self.total  # type: ignore[attr-defined]
        return made

    def nvmlInit(self) -> None:  # noqa: N802
        if not self.driver:
            raise NVMLError("Driver Not Loaded")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.millijoules)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def total(self, gpu: int) -> int:
        if not self.counters:
            raise NVMLError("Not Supported")
        return self.millijoules[gpu]


def test_gpus_are_added_to_processors(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", nvml.module())
    alone = machine.counting()
    machine.zone("intel-rapl:0", "package-0", 0)
    both = machine.counting()
    machine.zone("intel-rapl:0", "package-0", 1_000_000)
    nvml.millijoules = [3_000, 7_000]
    assert both.joules("cuda") == pytest.approx(2 + 5 + 1)
    assert both.joules("cpu") == pytest.approx(2 + 5 + 1)
    assert alone.joules("cuda") is None  # counters came


def test_gpus_alone_say_nothing_of_a_training_on_the_processor(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Nvml().module())
    assert machine.counting().joules("cuda") == 0.0
    assert machine.counting().joules("cpu") is None


def test_a_gpu_that_was_set_back_counts_from_there(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", nvml.module())
    counting = machine.counting()
    nvml.millijoules = [500, 2_000]
    assert counting.joules("cuda") == pytest.approx(0.5)


@pytest.mark.parametrize("lacking", ["driver", "counters"])
def test_gpus_without_a_driver_or_counters_are_not_known(
    machine: Machine, lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(**{lacking: False}).module())
    assert machine.counting().joules("cuda") is None
