"""GPU windows with failing, missing or partial NVML, and with several devices."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pynvml
import pytest
from fake_nvml_control import (
    GPU_A,
    GPU_B,
    LOST,
    MIG_C,
    NOT_SUPPORTED,
    UNKNOWN,
    FakeNvml,
    Load,
)
from fake_nvml_virtual import VirtualSampler, run_virtual

from freezebench.meters.gpu import GpuSession
from freezebench.meters.nvml import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from freezebench.meters.devices import Gpus
    from freezebench.meters.stream import Stream

GPU_NAMES = {
    "energy_j",
    "energy_integrated_j",
    "mean_power_w",
    "peak_power_w",
    "peak_device_used_bytes",
    "start_temperature_c",
}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """The test NVML on a virtual clock, with one device."""
    library = FakeNvml(tmp_path, virtual=True)
    library.add_device()
    library.install(monkeypatch)
    return library


@pytest.mark.parametrize("code", [NOT_SUPPORTED, LOST, UNKNOWN])
def test_point_09_errors_after_some_calls(fake: FakeNvml, code: int) -> None:
    """If all NVML calls fail from some time on, the window has partial figures that name the error."""
    fault = fake.fault("*", code, after=200)
    ended = run_virtual(fake, 5.0)
    for name in GPU_NAMES - {"start_temperature_c"}:
        reading = ended.readings[name]
        assert reading.status == "partial", name
        assert reading.coverage is not None
        assert 0.4 < reading.coverage < 0.9, name
        assert f"NVML error {code}" in (reading.reason or ""), name
    energy = ended.readings["energy_j"]
    assert energy.value is not None
    assert energy.coverage is not None
    assert energy.value == pytest.approx(1500 * energy.coverage, abs=31)
    # A lost device is asked no more: one failure in the sampler, and then the end edge's five.
    assert (fault.calls < 210) == (code == LOST)


def test_point_09_one_error_then_recovery(fake: FakeNvml) -> None:
    """One failed power sample leaves a hole of two intervals, and sampling goes on."""
    fake.fault("nvmlDeviceGetFieldValues", NOT_SUPPORTED, after=41, times=1)
    ended = run_virtual(fake, 5.0)
    power = ended.readings["mean_power_w"]
    assert power.status == "partial"
    assert power.coverage == pytest.approx(0.98)
    # 101 ticks, the one that ends the window and the next one, less the failed one.
    assert power.num_samples == 102
    assert power.max_gap_s == pytest.approx(0.1)
    assert power.value == pytest.approx(300)
    assert ended.readings["energy_j"].status == "measured"


def test_point_09_lost_device_is_not_polled_again(fake: FakeNvml) -> None:
    """After error 15 the sampler does not poll the device any more."""
    lost = fake.fault("nvmlDeviceGetTotalEnergyConsumption", LOST, after=21)
    power = fake.fault("nvmlDeviceGetFieldValues", after=10**6)
    ended = run_virtual(fake, 5.0)
    # The start edge, 20 ticks, the failing tick, and the end edge.
    assert lost.calls == 23
    # The probe and 21 ticks.
    assert power.calls == 22
    assert ended.readings["energy_j"].coverage == pytest.approx(0.19, abs=0.01)


def test_point_11_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library all GPU figures give this reason, there is one warning, and no sampler is started."""

    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "CDLL", missing)
    session, started = session_without_sampler("all")
    window = session.window()
    window.prepare()
    window.start()
    readings = window.stop()
    session.close()
    assert set(readings) == GPU_NAMES
    for reading in readings.values():
        assert reading.status == "not_measured"
        assert "libnvidia-ml.so.1" in (reading.reason or "")
        assert "install the NVIDIA driver" in (reading.reason or "")
    assert len(window.warnings) == 1
    assert started == []
    assert session.sampler_pid is None


def test_point_11_driver_not_loaded(fake: FakeNvml) -> None:
    """Without its driver the library cannot be used, and the reason says what to load."""
    fake.control.init_code = 9
    session, started = session_without_sampler("all")
    window = session.window()
    window.prepare()
    window.start()
    readings = window.stop()
    assert all("load the NVIDIA kernel module" in (reading.reason or "") for reading in readings.values())
    assert len(window.warnings) == 1
    assert started == []


def test_a_sampler_that_will_not_start_costs_the_samples_only(fake: FakeNvml) -> None:
    """Without a sampler the counter is still read; after three windows the sampler is not started again."""
    started: list[float] = []

    def start_sampler(interval_s: float) -> Failure:
        started.append(interval_s)
        return Failure(call="sampler", message="no room")

    session = GpuSession("all", clock=lambda: fake.now, start_sampler=start_sampler)
    for _ in range(5):
        fake.now = 1000.0
        window = session.window()
        window.start()
        fake.now = 1010.0
        readings = window.stop()
        assert readings["energy_j"].status == "measured"
        assert readings["energy_j"].uncertainty == pytest.approx(70, abs=0.01)
        assert "no room" in (readings["mean_power_w"].reason or "")
        assert readings["peak_device_used_bytes"].status == "partial"
    assert len(started) == 3
    session.close()


def test_no_gpu_is_requested() -> None:
    """An empty selection of GPUs does not load the library and gives no warning."""
    session, started = session_without_sampler([])
    window = session.window()
    window.prepare()
    window.start()
    assert {reading.reason for reading in window.stop().values()} == {"no GPU was requested"}
    assert window.warnings == []
    assert started == []


def test_throttling_between_the_edges_is_a_warning(fake: FakeNvml) -> None:
    """Throttling between the edges is reported as well; idle clocks are not throttling."""
    device = fake.control.devices[0]
    fake.now = 1000.0
    stream = VirtualSampler(fake)
    session = GpuSession("all", clock=lambda: fake.now, start_sampler=lambda _: stream)
    window = session.window()
    window.prepare()
    window.start()
    for tick in range(100):
        fake.now = 1000 + 0.05 * tick
        device.reasons = {1: 0x4, 3: 0x41}.get(int(fake.now - 1000), 0x1)
        stream.sampler.tick()
    window.stop()
    expected = "the clocks were reduced: software power cap (0x4), hardware thermal slowdown (0x40)"
    assert window.warnings == [f"{GPU_A}: {expected}"]


def test_start_temperature(fake: FakeNvml) -> None:
    """The temperature is that of the window's start."""
    assert run_virtual(fake, 1.0).readings["start_temperature_c"].value == 41


def test_several_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Totals have the metrics' names, figures of a device its UUID as well; peaks are simultaneous."""
    fake = FakeNvml(tmp_path, virtual=True)
    fake.add_device(GPU_A, load=Load(kind="pulse", base_w=100, high_w=400, phase_s=1001, period_s=1))
    fake.add_device(GPU_B, load=Load(kind="pulse", base_w=50, high_w=300, phase_s=1003, period_s=1))
    fake.install(monkeypatch)
    ended = run_virtual(fake, 6.0)
    readings = ended.readings
    assert readings[f"energy_j[{GPU_A}]"].value == pytest.approx(900, abs=0.01)
    assert readings[f"energy_j[{GPU_B}]"].value == pytest.approx(550, abs=0.01)
    assert readings["energy_j"].value == pytest.approx(1450, abs=0.01)
    own = [readings[f"energy_j[{uuid}]"].uncertainty or 0 for uuid in (GPU_A, GPU_B)]
    assert readings["energy_j"].uncertainty == pytest.approx(sum(own))
    assert readings["peak_power_w"].value == pytest.approx(450, abs=1)
    assert readings["mean_power_w"].value == pytest.approx(1450 / 6, rel=0.02)
    assert readings["start_temperature_c"].value == 41
    assert [series.device for series in ended.window.series()] == [GPU_A, GPU_A, GPU_B, GPU_B]


def test_total_without_one_device_is_partial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing device makes totals partial, and the reason names it."""
    fake = FakeNvml(tmp_path, virtual=True)
    fake.add_device(GPU_A)
    fake.install(monkeypatch)
    readings = run_virtual(fake, 5.0, gpus=[0, 3]).readings
    assert readings["energy_j"].status == "partial"
    assert "there is no GPU 3: NVML lists devices 0 to 0" in (readings["energy_j"].reason or "")
    assert readings[f"energy_j[{GPU_A}]"].status == "measured"


def test_point_12_mig_memory_without_energy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under MIG memory comes from the instance, and energy is not measured."""
    fake = FakeNvml(tmp_path, virtual=True)
    fake.add_device(GPU_A, mig_mode=1)
    fake.add_device(MIG_C, mig_parent=0, memory_used=123 << 20)
    fake.install(monkeypatch)
    readings = run_virtual(fake, 5.0, gpus=[MIG_C]).readings
    assert readings["peak_device_used_bytes"].value == 123 << 20
    for name in ("energy_j", "energy_integrated_j", "mean_power_w", "peak_power_w"):
        assert (readings[name].reason or "").startswith("MIG:"), name


def test_shared_device_is_not_measured(fake: FakeNvml) -> None:
    """With another process on the device, energy, power and memory are not measured."""
    fake.set_processes(fake.control.devices[0], [os.getpid(), 999_999])
    ended = run_virtual(fake, 5.0)
    for name in GPU_NAMES - {"start_temperature_c"}:
        assert ended.readings[name].status == "not_measured"
        assert (ended.readings[name].reason or "").startswith("device shared"), name
    assert ended.window.shared_devices == (GPU_A,)
    assert any("device shared: process 999999" in warning for warning in ended.warnings)


def test_unknown_sharing_is_a_warning(fake: FakeNvml) -> None:
    """If the list of processes does not have this one, as in a container, there are figures and a warning."""
    fake.set_processes(fake.control.devices[0], [999_999])
    ended = run_virtual(fake, 5.0)
    assert ended.readings["energy_j"].status == "measured"
    assert any("whether the device was shared is unknown" in warning for warning in ended.warnings)
    assert ended.window.shared_devices == ()


def test_nested_windows_share_one_sampler(fake: FakeNvml) -> None:
    """An inner window has its own part of the samples, and the outer one has all of them."""
    fake.now = 1000.0
    streams = []

    def start_sampler(_: float) -> VirtualSampler:
        streams.append(VirtualSampler(fake))
        return streams[-1]

    session = GpuSession("all", clock=lambda: fake.now, start_sampler=start_sampler)
    outer, inner = session.window(), session.window()
    outer.prepare()
    outer.start()
    for tick in range(1, 201):
        fake.sleep(0.05)
        if tick == 60:
            inner.prepare()
            inner.start()
        streams[0].sampler.tick()
        if tick == 140:
            inner_readings = inner.stop()
    duration_s = fake.now - 1000.0
    outer_readings = outer.stop()
    assert len(streams) == 1
    assert inner_readings["energy_j"].value == pytest.approx(1200, abs=0.01)
    assert outer_readings["energy_j"].value == pytest.approx(300 * duration_s, abs=31)
    assert outer_readings["mean_power_w"].status == "measured"


def session_without_sampler(gpus: Gpus) -> tuple[GpuSession, list[float]]:
    """Return a session and the list of the samplers that it tried to start."""
    started: list[float] = []

    def start_sampler(interval_s: float) -> Stream | Failure:
        started.append(interval_s)
        raise AssertionError("no sampler may be started")

    return GpuSession(gpus, start_sampler=start_sampler), started
