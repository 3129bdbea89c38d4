"""The registry of metrics."""

from __future__ import annotations

import pytest

from freezebench.meters.metrics import COST_METRICS, metric_of
from freezebench.meters.window import measure
from freezebench.records.headline import CPU_METRICS, GPU_METRICS

_SUFFIXES = {
    "1": "_share",
    "s": "_s",
    "J": "_j",
    "W": "_w",
    "B": "_bytes",
    "1/s": "_per_s",
    "FLOP": "_flop",
    "degC": "_c",
}


@pytest.mark.parametrize("name", COST_METRICS)
def test_the_unit_of_a_metric_ends_its_name(name: str) -> None:
    """Names carry their unit."""
    assert name.endswith(_SUFFIXES[COST_METRICS[name].unit])


def test_labels_are_unique_and_short_enough_for_a_heading() -> None:
    """Two metrics with one label could not be distinguished in a table."""
    labels = [metric.label for metric in COST_METRICS.values()]
    assert len(set(labels)) == len(labels)
    assert max(map(len, labels)) < 45


def test_every_reading_of_a_window_is_registered_with_its_unit() -> None:
    """A meter without an entry in the registry would be missing in the report."""
    with measure() as window:
        pass
    assert {name: metric_of(name).unit for name in window.readings} == {
        name: reading.unit for name, reading in window.readings.items()
    }
    assert {*CPU_METRICS, *GPU_METRICS} <= set(COST_METRICS)


def test_a_reading_of_one_device_has_the_metric_of_its_total() -> None:
    """With several GPUs the name of a device's own reading ends with its UUID."""
    assert metric_of("energy_j[GPU-1]") is COST_METRICS["energy_j"]
    with pytest.raises(KeyError):
        metric_of("unknown_j")
