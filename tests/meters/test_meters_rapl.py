"""CPU energy from a temporary powercap tree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from freezebench.meters.rapl import RaplMeter

if TYPE_CHECKING:
    from collections.abc import Callable

RANGE_UJ = 262_143_328_850


class Powercap:
    """A powercap tree with a clock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now_s = 50.0

    def zone(self, folder: str, name: str, energy_uj: int, range_uj: int = RANGE_UJ) -> Path:
        """Add a zone."""
        path = self.root / folder
        path.mkdir()
        (path / "name").write_text(f"{name}\n")
        (path / "max_energy_range_uj").write_text(f"{range_uj}\n")
        self.set(path, energy_uj)
        return path

    @staticmethod
    def set(path: Path, energy_uj: int) -> None:
        """Set a zone's counter."""
        (path / "energy_uj").write_text(f"{energy_uj}\n")

    def meter(self) -> RaplMeter:
        """Return a meter on this tree and this clock."""
        return RaplMeter(root=self.root, clock=lambda: self.now_s)


@pytest.fixture
def powercap(tmp_path: Path) -> Powercap:
    """An empty powercap tree."""
    return Powercap(tmp_path)


def deny(patch: pytest.MonkeyPatch, denied: Path) -> None:
    """Make one file unreadable as it is for ordinary users; the tests may run as root, whom no mode stops."""
    original: Callable[..., str] = Path.read_text

    def read_text(self: Path, *args: str | None, **kwargs: str | None) -> str:
        if self == denied:
            raise PermissionError(13, "Permission denied", str(self))
        return original(self, *args, **kwargs)

    patch.setattr(Path, "read_text", read_text)


def test_point_13_wraps_are_exact(powercap: Powercap) -> None:
    """A counter that wraps in two of its four polls is counted to the microjoule."""
    path = powercap.zone("intel-rapl:0", "package-0", 900_000_000, range_uj=1_000_000_000_0)
    meter = powercap.meter()
    meter.start()
    total = 0
    reading = 900_000_000
    for step in [9_200_000_001, 123, 9_999_999_999, 77]:
        powercap.now_s += 1.0
        total += step
        reading = (reading + step) % 10_000_000_000
        powercap.set(path, reading)
        meter.poll()
    result = meter.stop()["cpu_energy_j"]
    assert result.value is not None
    assert abs(result.value * 1e6 - total) <= 1
    assert result.status == "measured"
    assert result.coverage == pytest.approx(1)


def test_point_13_nothing_is_counted_twice(powercap: Powercap) -> None:
    """Of package, dram, core, psys and mmio zones the packages are summed, and dram separately."""
    zones = {
        "intel-rapl:0": ("package-0", 10),
        "intel-rapl:0:0": ("core", 7),
        "intel-rapl:0:1": ("dram", 3),
        "intel-rapl:1": ("package-1", 20),
        "intel-rapl:1:0": ("dram", 4),
        "intel-rapl:2": ("psys", 50),
        "intel-rapl-mmio:0": ("package-0", 10),
    }
    paths = {folder: powercap.zone(folder, name, 1_000_000) for folder, (name, _) in zones.items()}
    meter = powercap.meter()
    meter.start()
    powercap.now_s += 10
    for folder, (_, joules) in zones.items():
        powercap.set(paths[folder], 1_000_000 + joules * 1_000_000)
    readings = meter.stop()
    assert readings["cpu_energy_j"].value == pytest.approx(30)
    assert readings["dram_energy_j"].value == pytest.approx(7)
    assert readings["cpu_energy_j"].source == "RAPL package zones (powercap): package-0, package-1"


def test_point_13_one_unreadable_package_of_two(powercap: Powercap, monkeypatch: pytest.MonkeyPatch) -> None:
    """If one of two packages is unreadable, the sum is partial, and its reason says how to permit reading."""
    first = powercap.zone("intel-rapl:0", "package-0", 0)
    second = powercap.zone("intel-rapl:1", "package-1", 0)
    deny(monkeypatch, second / "energy_uj")
    meter = powercap.meter()
    meter.start()
    powercap.now_s += 10
    powercap.set(first, 12_000_000)
    powercap.set(second, 34_000_000)
    reading = meter.stop()["cpu_energy_j"]
    assert reading.status == "partial"
    assert reading.value == pytest.approx(12)
    assert reading.coverage == pytest.approx(0.5)
    assert "package-1" in (reading.reason or "")
    assert "chmod" in (reading.reason or "")
    assert "CVE-2020-8694" in (reading.reason or "")


@pytest.mark.parametrize("file", ["energy_uj", "max_energy_range_uj"])
def test_point_13_unreadable_file(powercap: Powercap, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    """If a counter or its range is unreadable, there is no figure, and the reason says what to do."""
    path = powercap.zone("intel-rapl:0", "package-0", 0)
    deny(monkeypatch, path / file)
    meter = powercap.meter()
    meter.start()
    powercap.now_s += 10
    reading = meter.stop()["cpu_energy_j"]
    assert reading.value is None
    assert f"{path / file}" in (reading.reason or "")
    assert "chmod" in (reading.reason or "")


def test_multi_die_packages_count(powercap: Powercap) -> None:
    """A package of several dies has one zone for each, and all are summed."""
    paths = [powercap.zone(f"intel-rapl:{die}", f"package-0-die-{die}", 0) for die in range(2)]
    meter = powercap.meter()
    meter.start()
    powercap.now_s += 1
    for path in paths:
        powercap.set(path, 5_000_000)
    assert meter.stop()["cpu_energy_j"].value == pytest.approx(10)


def test_a_gap_that_may_hide_a_wrap_is_left_out(powercap: Powercap) -> None:
    """A pause long enough for a whole turn of the counter is not counted, and the figure is partial."""
    path = powercap.zone("intel-rapl:0", "package-0", 0, range_uj=1_000_000_000)
    meter = powercap.meter()
    meter.start()
    powercap.now_s += 0.4
    powercap.set(path, 30_000_000)
    meter.poll()
    powercap.now_s += 3600
    powercap.set(path, 40_000_000)
    reading = meter.stop()["cpu_energy_j"]
    assert reading.status == "partial"
    assert reading.value == pytest.approx(30)
    assert "may have wrapped unnoticed" in (reading.reason or "")


def test_a_passing_read_error_costs_nothing(powercap: Powercap) -> None:
    """A counter that was unreadable once is whole again with its next reading: it is a running sum."""
    path = powercap.zone("intel-rapl:0", "package-0", 0)
    meter = powercap.meter()
    meter.start()
    for step, content in enumerate(["1000000\n", "", "3000000\n"], start=1):
        powercap.now_s = 50.0 + step
        (path / "energy_uj").write_text(content)
        meter.poll()
    reading = meter.stop()["cpu_energy_j"]
    assert reading.status == "measured"
    assert reading.value == pytest.approx(3)


def test_power_over_time(powercap: Powercap) -> None:
    """Each poll gives the packages' mean power since the poll before."""
    path = powercap.zone("intel-rapl:0", "package-0", 0)
    meter = powercap.meter()
    meter.start()
    for step, energy_uj in enumerate([50_000_000, 150_000_000], start=1):
        powercap.now_s = 50.0 + step
        powercap.set(path, energy_uj)
        meter.poll()
    assert [time_s for time_s, _ in meter.power()] == [51.0, 52.0]
    assert [watts for _, watts in meter.power()] == pytest.approx([50, 100])


def test_too_short(powercap: Powercap) -> None:
    """A window of some milliseconds has no CPU energy."""
    path = powercap.zone("intel-rapl:0", "package-0", 0)
    meter = powercap.meter()
    meter.start()
    powercap.now_s += 0.005
    powercap.set(path, 100_000)
    reading = meter.stop()["cpu_energy_j"]
    assert reading.value is None
    assert (reading.reason or "").startswith("too_short")


def test_no_powercap(tmp_path: Path) -> None:
    """Without powercap, or without a package in it, the reason says what is missing."""
    for root, words in ((tmp_path / "none", "does not offer RAPL"), (tmp_path, "no RAPL zone under")):
        meter = RaplMeter(root=root)
        meter.start()
        readings = meter.stop()
        assert words in (readings["cpu_energy_j"].reason or "")
        assert words in (readings["dram_energy_j"].reason or "")


def test_no_dram_zone(powercap: Powercap) -> None:
    """Without a dram zone its energy is not measured, with this reason."""
    powercap.zone("intel-rapl:0", "package-0", 0)
    meter = powercap.meter()
    meter.start()
    powercap.now_s += 1
    assert meter.stop()["dram_energy_j"].reason == "this CPU has no dram zone"
