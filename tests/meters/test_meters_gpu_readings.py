"""Energy and power of a device with a known load, on a virtual clock."""

from __future__ import annotations

import random
import statistics
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fake_nvml_control import GPU_A, FakeNvml, Load
from fake_nvml_virtual import VirtualSampler, run_virtual

from freezebench.meters import gpu_readings
from freezebench.meters.gpu import GpuSession
from freezebench.meters.gpu_readings import device_readings
from freezebench.records.reading import Reading

if TYPE_CHECKING:
    from pathlib import Path

    from fake_nvml_virtual import VirtualWindow

    from freezebench.meters.integrate import Sample

PERIOD_S = 0.1
PHASES = [number / 8 for number in range(8)]
STEP = {"base_w": 100.0, "high_w": 400.0}
SINE = {"base_w": 250.0, "high_w": 120.0}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """The test NVML on a virtual clock, with one device."""
    library = FakeNvml(tmp_path, virtual=True)
    library.add_device()
    library.install(monkeypatch)
    return library


def value(reading: Reading) -> float:
    """Return a measured figure."""
    assert reading.status == "measured", reading
    assert reading.value is not None
    return reading.value


def shift(fake: FakeNvml, phase: float) -> None:
    """Move the updates of counter and sensor against the window's edges by a share of their period."""
    device = fake.control.devices[0]
    device.counter_phase_s = device.power_phase_s = phase * device.counter_period_s


def ratio(ended: VirtualWindow, load: Load, name: str) -> float:
    """Return a reading's energy over the true one, less 1."""
    return value(ended.readings[name]) / load.energy_j(ended.start_s, ended.end_s) - 1


@pytest.mark.parametrize("duration_s", [1.0, 5.0, 30.0])
def test_point_01_constant_load(fake: FakeNvml, duration_s: float) -> None:
    """A constant load is integrated to 0.1 % and counted to one update, for any phase."""
    for phase in PHASES:
        shift(fake, phase)
        ended = run_virtual(fake, duration_s, start_s=1000.0)
        assert value(ended.readings["energy_integrated_j"]) == pytest.approx(300 * duration_s, rel=1e-3)
        assert value(ended.readings["mean_power_w"]) == pytest.approx(300, rel=1e-3)
        assert abs(value(ended.readings["energy_j"]) - 300 * duration_s) <= 300 * PERIOD_S + 0.002
        # Peak power times update period, not the 700 W limit's: both edges' ticks were seen.
        assert ended.readings["energy_j"].uncertainty == pytest.approx(300 * PERIOD_S, abs=0.01)


@pytest.mark.parametrize("kind", ["step", "sine", "square"])
def test_point_02_counter_error_is_bounded(fake: FakeNvml, kind: str) -> None:
    """The error of the counter is at most peak power times update period, for all phases of load and updates."""
    figures = SINE if kind == "sine" else STEP
    worst_j = 0.0
    for phase in PHASES:
        shift(fake, phase)
        for load_phase in PHASES:
            load = Load(kind=kind, **figures, period_s=2.3, phase_s=1000.0 + 7 * load_phase)
            fake.set_load(fake.control.devices[0], load)
            ended = run_virtual(fake, 5.03)
            error_j = abs(value(ended.readings["energy_j"]) - load.energy_j(ended.start_s, ended.end_s))
            assert error_j <= load.peak_w * PERIOD_S + 0.002
            worst_j = max(worst_j, error_j)
    # The bound is not idle: the sweep comes near it.
    assert worst_j > 0.4 * load.peak_w * PERIOD_S


@pytest.mark.parametrize(
    ("kind", "duration_s", "limit"), [("step", 30, 0.01), ("step", 5, 0.05), ("sine", 30, 0.01), ("sine", 5, 0.02)]
)
def test_point_03_trapezoid_error(fake: FakeNvml, kind: str, duration_s: float, limit: float) -> None:
    """The 20 Hz trapezoid over 100 ms updates stays within its limits, for any phase of the updates."""
    for phase in PHASES:
        shift(fake, phase)
        if kind == "step":
            load = Load(kind="step", **STEP, phase_s=1000.0 + duration_s / 2)
        else:
            load = Load(kind="sine", **SINE, period_s=1.7, phase_s=1000.0 + phase)
        fake.set_load(fake.control.devices[0], load)
        assert abs(ratio(run_virtual(fake, duration_s), load, "energy_integrated_j")) <= limit


def test_point_04_average_source_is_labelled_and_flagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 1 s average may err 20 % on a 5 s step: it is labelled as an average and its divergence is flagged."""
    fake = FakeNvml(tmp_path, virtual=True)
    load = Load(kind="step", base_w=50.0, high_w=700.0, phase_s=1002.5)
    fake.add_device(load=load)
    fake.install(monkeypatch, omit=["nvmlDeviceGetFieldValues"])
    ended = run_virtual(fake, 5.0)
    assert 0.10 < -ratio(ended, load, "energy_integrated_j") < 0.25
    integrated = ended.readings["energy_integrated_j"]
    assert "1 s average" in integrated.source
    assert "1 s average" in ended.readings["peak_power_w"].source
    assert integrated.low_confidence
    assert "diverges from the counter by -18%" in (integrated.reason or "")
    assert any("diverges" in warning for warning in ended.warnings)
    assert abs(ratio(ended, load, "energy_j")) < 0.04


@pytest.mark.parametrize(("uncertainty_j", "flagged"), [(10.0, True), (25.0, False), (None, True)])
def test_point_04_what_the_counter_may_be_off_by_is_not_flagged(uncertainty_j: float | None, *, flagged: bool) -> None:
    """In a window of a second or less the uncertainty of the counter is more than a tenth."""
    counted = Reading(value=100.0, unit="J", source="counter", uncertainty=uncertainty_j)
    integrated = Reading(value=80.0, unit="J", source="samples")
    checked, warnings = gpu_readings._cross_check(integrated, counted)
    assert (checked.low_confidence, bool(warnings)) == (flagged, flagged)


def test_point_04_instant_source_is_not_flagged(fake: FakeNvml) -> None:
    """The instant source follows the same step closely enough for no flag."""
    load = Load(kind="step", base_w=50.0, high_w=700.0, phase_s=1002.5)
    fake.set_load(fake.control.devices[0], load)
    ended = run_virtual(fake, 5.0)
    assert "POWER_INSTANT" in ended.readings["energy_integrated_j"].source
    assert ended.warnings == []


def random_case(fake: FakeNvml, rng: random.Random) -> tuple[Load, VirtualWindow]:
    """Measure one random load through random sensors with random sampling."""
    duration_s = rng.choice([0.3, 1.0, 2.0, 5.0]) * rng.uniform(1.0, 2.0)
    device = fake.control.devices[0]
    device.counter_period_s = rng.choice([0.02, 0.1, 0.1, 0.1, 0.15, 0.2])
    device.power_period_s = rng.choice([0.02, 0.1, 0.1])
    device.boxcar_s = rng.choice([0.025, 0.1, 1.0])
    device.counter_phase_s, device.power_phase_s = rng.random(), rng.random()
    # Half of the loads change within a tenth of a second of an edge, where the counter hides most.
    edge_s = rng.choice([0.0, duration_s]) + rng.uniform(-0.1, 0.1)
    load = Load(
        kind=rng.choice(["constant", "step", "sine", "square", "pulse"]),
        base_w=rng.uniform(40, 350),
        high_w=rng.uniform(30, 350),
        period_s=rng.choice([0.03, 0.1, 0.7, 3.0]) * rng.uniform(0.8, 1.2),
        phase_s=1000.0 + (edge_s if rng.random() < 0.5 else rng.uniform(0, duration_s)),
        duty=rng.uniform(0.1, 0.9),
    )
    if load.kind == "sine":
        load = Load(
            kind="sine", base_w=load.base_w, high_w=load.base_w * 0.9, period_s=load.period_s, phase_s=load.phase_s
        )
    fake.set_load(device, load)
    ticks, tick = [], 0.0
    while tick < duration_s:
        ticks.append(tick)
        tick += rng.choice([0.05, rng.uniform(0.01, 0.09)])
    return load, run_virtual(fake, duration_s, ticks=ticks)


def test_point_05_truth_lies_in_the_interval(fake: FakeNvml, capsys: pytest.CaptureFixture[str]) -> None:
    """The true energy lies in the published interval in each of 1,000 seeded cases; share and width are printed."""
    rng = random.Random(5)  # noqa: S311  # a seeded sweep, not a secret
    widths: list[float] = []
    long_widths: list[float] = []
    missed: list[tuple[Load, Reading, float]] = []
    while len(widths) < 1000:
        load, ended = random_case(fake, rng)
        reading = ended.readings["energy_j"]
        if reading.value is None:
            assert "too_short" in (reading.reason or ""), reading
            continue
        assert reading.uncertainty is not None
        truth_j = load.energy_j(ended.start_s, ended.end_s)
        widths.append(2 * reading.uncertainty / truth_j)
        if not reading.low_confidence:
            long_widths.append(widths[-1])
        if abs(reading.value - truth_j) > reading.uncertainty:
            missed.append((load, reading, truth_j))
    with capsys.disabled():
        width, long_width = statistics.median(widths), statistics.median(long_widths)
        text = f"true energy inside the interval in {len(widths) - len(missed)} of {len(widths)} cases"
        sys.stdout.write(f"\n{text}; median width {width:.1%}, from 5 s on {long_width:.1%}\n")
    assert not missed


def test_point_06_irregular_sampling(fake: FakeNvml) -> None:
    """Sampling at 50 ± 40 ms integrates a sine over 30 s to 2 %."""
    rng = random.Random(6)  # noqa: S311  # a seeded sweep, not a secret
    for _ in range(20):
        shift(fake, rng.random())
        load = Load(kind="sine", **SINE, period_s=rng.uniform(0.5, 5), phase_s=1000 + rng.random())
        fake.set_load(fake.control.devices[0], load)
        ticks = [0.0]
        while ticks[-1] < 29.91:
            ticks.append(ticks[-1] + rng.uniform(0.01, 0.09))
        ended = run_virtual(fake, 30.0, ticks=ticks)
        assert abs(ratio(ended, load, "energy_integrated_j")) <= 0.02


@pytest.mark.parametrize("duration_s", [0.03, 0.08, 0.19])
def test_point_07_short_window(fake: FakeNvml, duration_s: float) -> None:
    """A window of under two counter updates has no energy, because it is too short."""
    ended = run_virtual(fake, duration_s)
    for name in ("energy_j", "energy_integrated_j", "mean_power_w", "peak_power_w"):
        reading = ended.readings[name]
        assert reading.value is None
        assert (reading.reason or "").startswith("too_short"), name


def test_point_07_few_samples_void_the_integral_only(fake: FakeNvml) -> None:
    """Without samples there is a counted energy, with the power limit in its uncertainty."""
    for ticks in ([], [4.0]):
        ended = run_virtual(fake, 10.0, ticks=ticks)
        # The sample at the window's end is the sampler's own doing: take it away as if the sampler had been silent.
        samples = tuple(s for s in ended.window._windows[GPU_A].samples if s.time_s < ended.end_s - 1)
        readings = rebuilt(ended, samples)
        assert (readings["energy_integrated_j"].reason or "").startswith("too_short")
        assert readings["energy_integrated_j"].value is None
        assert value(readings["energy_j"]) == pytest.approx(3000, abs=0.01)
        assert readings["energy_j"].uncertainty == pytest.approx(700 * PERIOD_S, abs=0.01)


@pytest.mark.parametrize("reset_s", [1000.02, 1002.6, 1004.97])
def test_point_08_counter_reset(fake: FakeNvml, reset_s: float) -> None:
    """A counter that is reset within the window gives a partial energy, which is never negative."""
    fake.control.devices[0].counter_reset_s = reset_s
    reading = run_virtual(fake, 5.0).readings["energy_j"]
    assert reading.status == "partial"
    assert "went backwards" in (reading.reason or "")
    assert reading.value is not None
    assert 1500 - 90 <= reading.value <= 1500
    assert reading.coverage is not None
    assert reading.coverage < 1


def test_point_08_counter_reset_without_samples(fake: FakeNvml) -> None:
    """A counter that went backwards between the edges, with no samples in between, gives no energy."""
    fake.control.devices[0].counter_reset_s = 1002.6
    ended = run_virtual(fake, 5.0)
    reading = rebuilt(ended, ())["energy_j"]
    assert reading.value is None
    assert "went backwards" in (reading.reason or "")


def test_point_08_zero_power(fake: FakeNvml) -> None:
    """Power readings of 0 mW are failures, not measurements: the figures are partial."""
    fake.control.devices[0].power_period_s = 0.05
    ended = run_virtual(fake, 5.0)
    window = ended.window._windows[GPU_A]
    samples = tuple(
        sample if sample.time_s < 1003 else type(sample)(time_s=sample.time_s, energy_mj=sample.energy_mj)
        for sample in window.samples
    )
    readings = rebuilt(ended, samples)
    assert readings["mean_power_w"].status == "partial"
    assert readings["mean_power_w"].value == pytest.approx(300)
    assert readings["energy_integrated_j"].value == pytest.approx(900, rel=0.02)
    assert value(readings["energy_j"]) == pytest.approx(1500, abs=0.01)


def test_point_08_zero_power_throughout(fake: FakeNvml) -> None:
    """A device that always reports 0 mW has no power figures; its counted energy is not affected."""
    fake.control.devices[0].zero_power = 1
    readings = run_virtual(fake, 5.0).readings
    for name in ("energy_integrated_j", "mean_power_w", "peak_power_w"):
        assert readings[name].value is None
        assert "reported 0 mW" in (readings[name].reason or "")
    assert value(readings["energy_j"]) == pytest.approx(1500, abs=0.01)


def test_point_08_zero_power_from_some_time_on(fake: FakeNvml) -> None:
    """A sensor that falls to 0 mW within the window gives partial figures with this error as the reason."""
    device = fake.control.devices[0]
    fake.now = 1000.0
    stream = VirtualSampler(fake)
    session = GpuSession("all", clock=lambda: fake.now, start_sampler=lambda _: stream)
    window = session.window()
    window.prepare()
    window.start()
    for tick in range(100):
        fake.now = 1000.0 + 0.05 * tick
        device.zero_power = tick >= 60
        stream.sampler.tick()
    reading = window.stop()["mean_power_w"]
    assert reading.status == "partial"
    assert reading.value == pytest.approx(300)
    assert reading.coverage == pytest.approx(0.6, abs=0.02)
    assert "reported 0 mW" in (reading.reason or "")


def rebuilt(ended: VirtualWindow, samples: tuple[Sample, ...]) -> dict[str, Reading]:
    """Return the readings of the same window with other samples."""
    readings, _ = device_readings(replace(ended.window._windows[GPU_A], samples=samples))
    return readings
