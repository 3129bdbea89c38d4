"""``measure`` around any code."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest
from fake_nvml_control import GPU_A, FakeNvml

from freezebench.errors import SettingsError
from freezebench.meters.contention import ContentionMeter
from freezebench.meters.cuda import CudaMeter
from freezebench.meters.gpu import GpuSession
from freezebench.meters.host import HostMeter
from freezebench.meters.probe import probe
from freezebench.meters.process import ProcessMeter
from freezebench.meters.rapl import RaplMeter
from freezebench.meters.trace import Series, Trace
from freezebench.meters.window import MeterSession, measure
from freezebench.records.reading import Reading

if TYPE_CHECKING:
    from pathlib import Path

    from freezebench.meters.base import Meter

NAMES = {
    "energy_j",
    "mean_power_w",
    "peak_power_w",
    "energy_integrated_j",
    "peak_device_used_bytes",
    "start_temperature_c",
    "cpu_energy_j",
    "dram_energy_j",
    "peak_rss_bytes",
    "start_rss_bytes",
    "peak_allocated_bytes",
    "peak_reserved_bytes",
    "contended_share",
    "cpu_wait_s",
    "cpu_s",
    "steal_s",
    "cpu_pressure_s",
    "cpu_throttled_s",
}


def test_works_without_pytest_and_torch() -> None:
    """Around plain code, importing neither torch nor pytest nor numpy, every metric has a reading."""
    code = """
        import json, sys
        from freezebench.meters.window import measure
        with measure() as window:
            block = b"1" * 50_000_000
        loaded = [name for name in ("torch", "pytest", "numpy") if name in sys.modules]
        print(json.dumps([{k: r.to_json() for k, r in window.readings.items()}, loaded, window.trace.to_json()]))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    readings, loaded, trace = json.loads(done.stdout)
    assert loaded == []
    assert set(readings) == NAMES
    assert all(Reading.from_json(data).unit for data in readings.values())
    assert trace["rule"].startswith("at most 200 points")


def test_an_exception_passes_and_the_figures_stay() -> None:
    """An exception of the measured code is propagated, and its costs so far are available."""
    window = measure([])
    with pytest.raises(ZeroDivisionError), window:
        _ = 1 / 0
    assert set(window.readings) == NAMES
    assert window.duration_s is not None


def test_no_cost_is_charged_for_another_window(tmp_path: Path) -> None:
    """Windows of one session follow one another and nest, each with its own figures."""
    with MeterSession([], powercap=tmp_path) as session:
        with session.window() as outer:
            block = b"1" * 80_000_000
            del block
            with session.window() as inner:
                pass
        outer_peak, inner_peak = (w.readings["peak_rss_bytes"].value for w in (outer, inner))
    assert outer_peak is not None
    assert inner_peak is not None
    assert outer_peak - inner_peak > 60_000_000


@pytest.mark.parametrize("interval_s", [0.0, -1.0, 0.001, 2.0, float("nan")])
def test_polling_interval_is_checked(interval_s: float) -> None:
    """An interval outside the limits is a SettingsError."""
    with pytest.raises(SettingsError, match="cannot poll every"):
        measure(interval_s=interval_s)


def test_cpu_energy_and_power_series(tmp_path: Path) -> None:
    """A window reads the powercap tree that it is given, and shows the host over time."""
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    for name, content in {"name": "package-0", "energy_uj": "0", "max_energy_range_uj": "262143328850"}.items():
        (zone / name).write_text(content)
    with MeterSession([], powercap=tmp_path) as session, session.window() as window:
        time.sleep(0.05)
        (zone / "energy_uj").write_text("2000000")
    assert window.readings["cpu_energy_j"].value == pytest.approx(2)
    power, rss = window.trace.get("cpu_power_w"), window.trace.get("rss_bytes", "cpu")
    assert power is not None
    assert power.values[0] == pytest.approx(2 / power.times_s[0], rel=0.2)
    assert rss is not None
    assert len(rss.values) == 2


def test_trace_json_is_downsampled_by_a_stated_rule() -> None:
    """The trace in JSON has at most the requested points, and the rule of downsampling."""
    times = tuple(number * 0.05 for number in range(1000))
    power = Series(metric="power_w", device="GPU-x", times_s=times, values=tuple(float(n % 7) for n in range(1000)))
    used = Series(metric="device_used_bytes", device="GPU-x", times_s=times, values=tuple(range(1000)))
    data = Trace(series=(power, used)).to_json(max_points=50)
    assert json.loads(json.dumps(data)) == data
    assert "equal time bins" in data["rule"]
    assert [len(series["values"]) for series in data["series"]] == [50, 50]
    assert data["series"][0]["values"][0] == pytest.approx(3, abs=0.3)
    assert data["series"][1]["values"][-1] == 999
    assert data["series"][0]["num_samples"] == 1000


def test_meters_follow_the_protocol(tmp_path: Path) -> None:
    """Each instrument starts without arguments and returns readings by metric name."""
    session = GpuSession([])
    meters: list[Meter] = [
        session.window(),
        CudaMeter(),
        RaplMeter(root=tmp_path),
        ProcessMeter(),
        HostMeter(),
        ContentionMeter(),
    ]
    for meter in meters:
        meter.start()
        readings = meter.stop()
        assert readings
        assert set(readings) <= NAMES
    session.close()


def test_trace_lookup() -> None:
    """A series is found by its metric, on any device or on a given one."""
    series = Series(metric="power_w", device="GPU-x", times_s=(0.0,), values=(1.0,))
    trace = Trace(series=(series,))
    assert trace.get("power_w") is series
    assert trace.get("power_w", "GPU-y") is None
    assert len(trace) == 1
    assert not Trace()


def test_devices_and_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window lists its devices, and the probe lists the figures that each of them provides."""
    fake = FakeNvml(tmp_path, virtual=False)
    fake.add_device()
    fake.install(monkeypatch, omit=["nvmlDeviceGetTotalEnergyConsumption"])
    capabilities = {item.name: item for item in probe("all", powercap=tmp_path)}
    assert capabilities["nvml"].available
    assert capabilities[f"gpu[{GPU_A}]"].detail == "Fake GPU at 00000000:01:00.0, power limit 700 W"
    assert not capabilities[f"energy_j[{GPU_A}]"].available
    assert "Function Not Found" in capabilities[f"energy_j[{GPU_A}]"].detail
    assert "POWER_INSTANT" in capabilities[f"mean_power_w[{GPU_A}]"].detail
    assert capabilities["sampler"].available
    assert not capabilities["cpu_energy_j"].available
    assert all(set(item.to_json()) == {"name", "available", "detail"} for item in capabilities.values())
    with measure("all") as window:
        pass
    assert [info.name for info in window.devices] == ["Fake GPU"]


def test_probe_of_a_hanging_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the driver hangs, the probe ends at its deadline and reports it."""
    fake = FakeNvml(tmp_path, virtual=False)
    fake.add_device()
    fake.install(monkeypatch)
    fake.fault("nvmlDeviceGetMemoryInfo_v2", hang_s=1.0)
    capabilities = probe("all", powercap=tmp_path, deadline_s=0.1)
    assert "NVML hangs" in next(item.detail for item in capabilities if not item.available)


def test_probe_of_mig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Energy of a GPU with MIG instances is reported as unavailable, with the reason."""
    fake = FakeNvml(tmp_path, virtual=True)
    fake.add_device(mig_mode=1)
    fake.install(monkeypatch)
    capabilities = {item.name: item for item in probe("all", powercap=tmp_path)}
    assert "MIG" in capabilities[f"energy_j[{GPU_A}]"].detail
    assert not capabilities[f"energy_j[{GPU_A}]"].available
