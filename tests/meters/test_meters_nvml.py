"""The test NVML against figures computed independently, and the wrapper around pynvml."""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING

import pynvml
import pytest
from fake_nvml_control import GPU_A, CControl, FakeNvml, Load, handle_of, opened

from freezebench.meters.nvml import Failure, MemoryUse, open_nvml, throttle_text

if TYPE_CHECKING:
    from pathlib import Path

LOADS = [
    Load(kind="constant", base_w=250),
    Load(kind="step", base_w=100, high_w=400, phase_s=1003.3),
    Load(kind="sine", base_w=250, high_w=100, period_s=1.3, phase_s=1000.4),
    Load(kind="square", base_w=100, high_w=400, period_s=0.9, phase_s=1000.2, duty=0.3),
    Load(kind="pulse", base_w=100, high_w=400, period_s=2.0, phase_s=1002.1),
]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """The test NVML on a virtual clock, with one device."""
    library = FakeNvml(tmp_path, virtual=True)
    library.add_device()
    library.install(monkeypatch)
    return library


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.kind)
def test_fake_counter_and_sensor_have_the_computed_values(fake: FakeNvml, load: Load) -> None:
    """At its updates the C counter has the energy that Python computes, and the sensor the mean power."""
    device = fake.control.devices[0]
    fake.set_load(device, load)
    nvml = opened()
    handle = handle_of(nvml, GPU_A)
    readings = []
    for now in (1000.0, 1005.75):
        fake.now = now
        readings.append(nvml.energy_mj(handle))
    start_mj, end_mj = readings
    assert isinstance(start_mj, int)
    assert isinstance(end_mj, int)
    assert (end_mj - start_mj) / 1000 == pytest.approx(load.energy_j(1000.0, 1005.7), abs=0.003)
    instant, average = nvml.power_mw(handle, "instant"), nvml.power_mw(handle, "average")
    assert isinstance(instant, int)
    assert isinstance(average, int)
    assert instant / 1000 == pytest.approx(load.energy_j(1005.6, 1005.7) / 0.1, abs=0.01)
    assert average / 1000 == pytest.approx(load.energy_j(1004.7, 1005.7), abs=0.01)


def test_fake_mirrors_the_layouts() -> None:
    """The structures of pynvml have the sizes for which the test NVML was written."""
    sizes = {
        pynvml.c_nvmlMemory_t: 24,
        pynvml.c_nvmlMemory_v2_t: 40,
        pynvml.c_nvmlProcessInfo_v3_t: 24,
        pynvml.c_nvmlFieldValue_t: 40,
    }
    assert {ctypes.sizeof(structure) for structure in sizes} == set(sizes.values())
    assert all(ctypes.sizeof(structure) == size for structure, size in sizes.items())
    # The C file refuses a control file whose first word is not this size.
    assert ctypes.sizeof(CControl) % 8 == 0


@pytest.mark.usefixtures("fake")
def test_fake_does_not_export_the_old_entry_point() -> None:
    """Torch's own code looks for nvmlInit and must not find this library."""
    assert not hasattr(pynvml.nvmlLib, "nvmlInit")
    assert hasattr(pynvml.nvmlLib, "nvmlInitWithFlags")


def test_pynvml_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the nvidia-ml-py distribution the failure names it."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    failure = open_nvml()
    assert isinstance(failure, Failure)
    assert "pip install nvidia-ml-py" in str(failure)


def test_library_mismatch_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exception for the list of processes, which is no NVMLError, is a failure as well."""
    fake = FakeNvml(tmp_path, virtual=True)
    fake.add_device()
    fake.install(monkeypatch, omit=["nvmlDeviceGetComputeRunningProcesses_v3"])
    nvml = opened()
    handle = handle_of(nvml, GPU_A)
    with pytest.raises(pynvml.NVMLLibraryMismatchError):
        pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    failure = nvml.process_ids(handle)
    assert isinstance(failure, Failure)
    assert failure.is_permanent


@pytest.mark.usefixtures("fake")
def test_a_function_that_pynvml_lacks_is_a_failure() -> None:
    """If pynvml lacks a function, only its figure is missing."""
    failure = opened().call("nvmlDeviceGetSomethingNew", 1)
    assert isinstance(failure, Failure)
    assert "AttributeError" in str(failure)


@pytest.mark.parametrize("code", [2, 3, 4, 15, 999, 12345])
def test_every_error_code_is_a_failure(fake: FakeNvml, code: int) -> None:
    """Known and unknown return codes become failures that carry the code."""
    nvml = opened()
    handle = handle_of(nvml, GPU_A)
    fake.fault("*", code)
    for answer in (
        nvml.energy_mj(handle),
        nvml.power_mw(handle, "instant"),
        nvml.power_mw(handle, "average"),
        nvml.choose_power(handle),
        nvml.memory(handle),
        nvml.temperature_c(handle),
        nvml.throttle_reasons(handle),
        nvml.power_limit_mw(handle),
        nvml.process_ids(handle),
    ):
        assert isinstance(answer, Failure)
        assert answer.code == code
        assert answer.is_lost == (code == 15)
        assert f"NVML error {code}" in str(answer)
    assert not nvml.is_mig(handle, GPU_A)


def test_memory_versions(fake: FakeNvml) -> None:
    """Version 2 leaves the driver's reserve out; version 1 takes over where version 2 fails."""
    nvml = opened()
    handle = handle_of(nvml, GPU_A)
    assert nvml.memory(handle) == MemoryUse(used_bytes=3 << 30, version=2)
    fake.fault("nvmlDeviceGetMemoryInfo_v2", 25)
    assert nvml.memory(handle) == MemoryUse(used_bytes=(3 << 30) + (512 << 20), version=1)


def test_choice_of_the_power_source(fake: FakeNvml) -> None:
    """The instant field is preferred, the average is second, and neither is a failure."""
    nvml = opened()
    handle = handle_of(nvml, GPU_A)
    assert nvml.choose_power(handle) == "instant"
    fake.fault("nvmlDeviceGetFieldValues", 3)
    assert nvml.choose_power(handle) == "average"
    fake.fault("nvmlDeviceGetPowerUsage", 3)
    assert isinstance(nvml.choose_power(handle), Failure)


def test_handles_by_every_address(fake: FakeNvml) -> None:
    """A device is found by UUID, by index and by PCI bus id."""
    nvml = opened()
    names = [nvml.call("nvmlDeviceGetUUID", nvml.handle(a)) for a in (GPU_A, "index:0", "pci:00000000:01:00.0")]
    assert names == [GPU_A] * 3
    assert isinstance(nvml.handle("index:1"), Failure)
    assert fake.control.num_devices == 1


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (0x0, ""),
        (0x1, ""),
        (0x4, "software power cap (0x4)"),
        (0x88, "hardware slowdown (0x8), power brake (0x80)"),
        (0x20, "software thermal slowdown (0x20)"),
    ],
)
def test_throttle_text(mask: int, text: str) -> None:
    """Throttling is named; idle clocks are not throttling."""
    assert throttle_text(mask) == text
