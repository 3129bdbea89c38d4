"""Windows on libraries that lack something: each gap costs the figure that needs it, never the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_nvml_control import NOT_SUPPORTED, FakeNvml
from fake_nvml_virtual import run_virtual

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """The test NVML on a virtual clock, with one device."""
    library = FakeNvml(tmp_path, virtual=True)
    library.add_device()
    library.install(monkeypatch)
    return library


@pytest.mark.parametrize(
    ("symbol", "lost"),
    [
        ("nvmlDeviceGetTotalEnergyConsumption", set()),
        ("nvmlDeviceGetFieldValues", set()),
        ("nvmlDeviceGetMemoryInfo_v2", set()),
        ("nvmlDeviceGetTemperatureV", {"start_temperature_c"}),
        ("nvmlDeviceGetCurrentClocksEventReasons", set()),
        ("nvmlDeviceGetEnforcedPowerLimit", set()),
        ("nvmlDeviceGetComputeRunningProcesses_v3", set()),
        ("nvmlDeviceGetMigMode", set()),
        ("nvmlDeviceGetPciInfo_v3", set()),
        ("nvmlDeviceGetName", set()),
        ("nvmlDeviceGetHandleByPciBusId_v2", set()),
        ("nvmlSystemGetDriverVersion", set()),
    ],
)
def test_missing_symbol_costs_one_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, symbol: str, lost: set[str]
) -> None:
    """If the library lacks a symbol, only its figure is missing, or none if another call replaces it."""
    fake = FakeNvml(tmp_path, virtual=True)
    fake.add_device()
    fake.install(monkeypatch, omit=[symbol])
    readings = run_virtual(fake, 5.0).readings
    assert {name for name, reading in readings.items() if reading.value is None} == lost
    assert readings["energy_j"].value == pytest.approx(1500, abs=1)


def test_without_counter_energy_is_integrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a counter the integral replaces it, labelled as such and with low confidence."""
    fake = FakeNvml(tmp_path, virtual=True)
    fake.add_device()
    fake.install(monkeypatch, omit=["nvmlDeviceGetTotalEnergyConsumption"])
    energy = run_virtual(fake, 10.0).readings["energy_j"]
    assert energy.value == pytest.approx(3000)
    assert energy.source.startswith("trapezoid integral of")
    assert energy.low_confidence
    assert energy.uncertainty is None
    assert "the energy counter was not read" in (energy.reason or "")


def test_without_counter_and_power_nothing_is_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without counter and power there is no energy and no power, while memory is still measured."""
    fake = FakeNvml(tmp_path, virtual=True)
    fake.add_device()
    omit = ["nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetFieldValues", "nvmlDeviceGetPowerUsage"]
    fake.install(monkeypatch, omit=omit)
    readings = run_virtual(fake, 5.0).readings
    for name in ("energy_j", "energy_integrated_j", "mean_power_w", "peak_power_w"):
        assert readings[name].value is None
    assert readings["peak_device_used_bytes"].status == "measured"


def test_memory_peak_and_its_version(fake: FakeNvml) -> None:
    """The peak of the device's memory is the highest sample of version 2, which leaves the driver's reserve out."""
    device = fake.control.devices[0]
    device.memory_step_s, device.memory_used_later = 1002.0, 7 << 30
    reading = run_virtual(fake, 5.0).readings["peak_device_used_bytes"]
    assert reading.value == 7 << 30
    assert "_v2" in reading.source


def test_memory_version_one_is_labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only version 1 exists the figure includes the driver's reserve, and its source says so."""
    fake = FakeNvml(tmp_path, virtual=True)
    fake.add_device()
    fake.install(monkeypatch, omit=["nvmlDeviceGetMemoryInfo_v2"])
    reading = run_virtual(fake, 5.0).readings["peak_device_used_bytes"]
    assert reading.value == (3 << 30) + (512 << 20)
    assert "driver's reserve" in reading.source


def test_sixty_four_bit_power_field(fake: FakeNvml) -> None:
    """The power field is read by the type that it declares."""
    fake.control.devices[0].instant_type = 3
    assert run_virtual(fake, 5.0).readings["mean_power_w"].value == pytest.approx(300)


def test_power_field_with_its_own_error_falls_back(fake: FakeNvml) -> None:
    """If the field fails within a call that succeeds, the average source is used, and the label says so."""
    fake.control.devices[0].instant_return = NOT_SUPPORTED
    reading = run_virtual(fake, 5.0).readings["mean_power_w"]
    assert reading.value == pytest.approx(300)
    assert "1 s average" in reading.source
