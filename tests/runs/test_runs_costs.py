"""What runs cost: windows of training combined into readings, times and throughput."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import torch

from freezebench.records.reading import Reading
from freezebench.runs.costs import CostWindows, combine, mark_contended, prefix_readings, timing_readings
from freezebench.training.engines.events import BackwardDone
from freezebench.training.prefix.cached_prefix import IN_TEMPORARY_FILE, CachedPrefix


def _reading(value: float | None, unit: str, **options: Any) -> Reading:
    if value is None:
        return Reading.not_measured(unit, "test", "no sensor")
    return Reading(value=value, unit=unit, source="test", **options)


def test_stretches_of_training_make_one_reading() -> None:
    """Energies and times add up, peaks are the largest, starts the first, powers the mean over time."""
    windows = [
        {
            "energy_j": _reading(10, "J", uncertainty=1, num_samples=3),
            "peak_rss_bytes": _reading(5, "B"),
            "start_rss_bytes": _reading(4, "B"),
            "mean_power_w": _reading(100, "W"),
        },
        {
            "energy_j": _reading(20, "J", uncertainty=2, num_samples=4),
            "peak_rss_bytes": _reading(7, "B"),
            "start_rss_bytes": _reading(6, "B"),
            "mean_power_w": _reading(300, "W"),
        },
    ]
    whole = combine(windows, [1.0, 3.0])
    assert {name: reading.value for name, reading in whole.items()} == {
        "energy_j": 30,
        "peak_rss_bytes": 7,
        "start_rss_bytes": 4,
        "mean_power_w": 250,
    }
    assert (whole["energy_j"].uncertainty, whole["energy_j"].num_samples) == (3, 7)
    assert whole["energy_j"].status == "measured"


def test_a_metric_that_a_stretch_lacks_is_partial() -> None:
    """A sum over a part of the run is marked as partial."""
    part = combine([{"energy_j": _reading(10, "J", coverage=1.0)}, {"energy_j": _reading(None, "J")}], [1.0, 1.0])[
        "energy_j"
    ]
    assert (part.value, part.status, part.reason, part.coverage) == (10, "partial", "no sensor", 0.5)
    none = combine([{"energy_j": _reading(None, "J")}] * 2, [1.0, 1.0])["energy_j"]
    assert (none.value, none.reason) == (None, "no sensor")


def test_times_and_throughput() -> None:
    """Throughput is the number of sentences of all epochs per second of training, without evaluation."""
    result: Any = SimpleNamespace(
        step_losses=(1.0,) * 4,
        step_s=(1.0, 2.0, 3.0, 10.0),
        epochs=(1, 2),
        train_s=16.0,
        train_and_eval_s=20.0,
        warmup_s=1.0,
        phase_s={"data": 1.0, "forward": 5.0},
        step_flop=1000,
        num_stages=1,
    )
    readings = {name: reading.value for name, reading in timing_readings(result, num_examples=80).items()}
    assert readings["samples_per_s"] == 10
    assert readings["steps_per_s"] == 0.25
    assert readings["step_s"] == 2.5
    assert readings["step_p95_s"] == 10
    assert (readings["data_s"], readings["forward_s"], readings["evaluation_s"]) == (1, 5, 4)
    assert readings["step_flop"] == 1000
    result.num_stages = 2
    assert timing_readings(result, num_examples=80)["step_flop"].source.endswith("each stage, mean over all steps")


def test_prefixes_of_all_stages_are_added_up() -> None:
    """Stages with one depth have one prefix; what an earlier run computed has no time."""
    deep, flat = {"train": torch.zeros(4, 2)}, {"train": torch.zeros(3, 2)}
    prefixes = [
        CachedPrefix(hidden=deep, num_bytes=32, seconds=0.5),
        CachedPrefix(hidden=deep, num_bytes=32),
        CachedPrefix(hidden=flat, num_bytes=24, where=IN_TEMPORARY_FILE),
    ]
    readings = prefix_readings(prefixes)
    assert (readings["prefix_s"].value, readings["prefix_bytes"].value) == (0.5, 56)
    assert readings["prefix_bytes"].source == "memory, memory-mapped file"
    shared = prefix_readings(prefixes[1:])["prefix_s"]
    assert (shared.value, shared.reason) == (None, "shared: an earlier run computed it")
    assert prefix_readings([]) == {}


def test_memory_is_that_of_the_stage_that_has_most() -> None:
    """A stage of few parameters after one of many leaves the figures of the earlier one."""
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(model.parameters())
    costs = CostWindows(lambda _: None, model=model, device=torch.device("cpu"))

    def end_of_stage(parameters: Iterable[torch.nn.Parameter]) -> float | None:
        for parameter in model.parameters():
            parameter.grad = None
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        costs.emit(BackwardDone(optimizer=optimizer))
        return costs.readings["allocated_gradients_bytes"].value

    with costs:
        head = end_of_stage(model[1].parameters())
        assert head == 4 * (8 * 2 + 2)
        whole = end_of_stage(model.parameters())
        assert whole == head + 4 * (8 * 8 + 8)
        assert end_of_stage(model[1].parameters()) == whole


def test_contended_figures_keep_their_values_and_say_why_they_do_not_count() -> None:
    """Times and CPU energies are marked; peak memory, the pass over the prefix and what is missing are not."""
    readings = {
        "contended_share": _reading(0.414, "1"),
        "train_s": _reading(9.0, "s"),
        "samples_per_s": _reading(9.0, "1/s"),
        "cpu_energy_j": _reading(9.0, "J"),
        "dram_energy_j": _reading(None, "J"),
        "prefix_s": _reading(1.0, "s"),
        "peak_rss_bytes": _reading(5.0, "B"),
    }
    marked = mark_contended(readings)
    contended = {name for name, reading in marked.items() if reading.status == "contended"}
    assert contended == {"train_s", "samples_per_s", "cpu_energy_j"}
    assert {name: reading.value for name, reading in marked.items()} == {
        name: reading.value for name, reading in readings.items()
    }
    assert marked["train_s"].reason == (
        "the run trained on a busy machine: 41 % of the training time threads waited for a processor; run it again "
        "alone (--freeze-resume=no)"
    )
