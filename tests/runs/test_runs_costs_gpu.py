"""Runs under GPU meters: a real run on the CPU, its meters pointed at the test NVML."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from freezebench.records.events import StepRecord
from freezebench.records.run_record import RunRecord
from freezebench.runs import costs, experiment
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from freezebench.training.engines.events import Event

METERS = str(Path(__file__).parents[1] / "meters")
if METERS not in sys.path:
    sys.path.append(METERS)

from fake_nvml_control import GPU_A, FakeNvml  # noqa: E402 - it lies in the meters' own folder

if TYPE_CHECKING:
    from fake_nvml_control import CDevice


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[FakeNvml, CDevice]:
    """One device at a constant 300 W, in real time."""
    fake = FakeNvml(tmp_path, virtual=False)
    device = fake.add_device()
    fake.install(monkeypatch)
    monkeypatch.setattr(costs, "_gpus", lambda _: [GPU_A])
    return fake, device


def _run(model: Path, data: Path) -> RunRecord:
    protocol = Protocol(num_epochs=2, batch_size=8, precision="float32", learning_rate=1e-2)
    spec = RunSpec(model=str(model), data=DataSpec(source=str(data)), device="cpu", protocol=protocol)

    def slow(event: Event) -> None:
        if isinstance(event, StepRecord):
            time.sleep(0.1)

    return experiment.run(spec, emit=slow)


def test_energy_is_that_of_training_alone(gpu: tuple[FakeNvml, CDevice], tiny_model: Path, tiny_data: Path) -> None:
    """The windows of two epochs are added; the true energy is within the uncertainty; the trace is kept."""
    del gpu
    record = _run(tiny_model, tiny_data)
    energy, train_s = record.readings["energy_j"], record.value("train_s")
    assert record.is_valid
    assert train_s is not None
    assert energy.value is not None, energy.reason
    assert energy.uncertainty is not None
    # A window encloses its stretch of training, at 300 W, by some milliseconds.
    assert 300 * train_s - energy.uncertainty <= energy.value <= 300 * (train_s + 0.1) + energy.uncertainty
    assert record.value("mean_power_w") == pytest.approx(300, rel=0.02)
    assert record.value("peak_device_used_bytes") == 3 << 30
    assert record.devices[0]["name"] == "Fake GPU"
    series = [one["metric"] for stretch in record.trace["stretches"] for one in stretch["series"]]
    assert series.count("power_w") == 2
    assert "at most" in record.trace["stretches"][0]["rule"]
    assert RunRecord.from_json(json.loads(json.dumps(record.to_json(), allow_nan=False))) == record


def test_a_shared_device_gives_neither_time_nor_energy(
    gpu: tuple[FakeNvml, CDevice], tiny_model: Path, tiny_data: Path
) -> None:
    """Another process on the device affects time and energy, but not accuracy."""
    fake, device = gpu
    fake.set_processes(device, [os.getpid(), 99_999_999])
    record = _run(tiny_model, tiny_data)
    assert record.is_valid
    for metric in ("train_s", "samples_per_s", "energy_j"):
        reading = record.readings[metric]
        assert reading.value is None
        assert str(reading.reason).startswith("device shared")
    assert record.test is not None
    assert any("shared" in warning for warning in record.warnings)
