"""Run records and readings."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import made_up
from freezebench.errors import RecordError
from freezebench.meters.metrics import COST_METRICS
from freezebench.records.contention import CONTENTION_LIMIT
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord

READINGS = st.one_of(
    st.builds(
        Reading,
        value=st.floats(allow_nan=False, allow_infinity=False),
        unit=st.sampled_from(["s", "J", "B"]),
        source=st.text(min_size=1),
        uncertainty=st.one_of(st.none(), st.floats(0, 1e6)),
        num_samples=st.one_of(st.none(), st.integers(0, 10**6)),
    ),
    st.builds(Reading.not_measured, st.just("J"), st.text(min_size=1), st.text(min_size=1)),
)


@given(READINGS)
def test_a_reading_survives_json(reading: Reading) -> None:
    """Every field is restored."""
    assert Reading.from_json(json.loads(json.dumps(reading.to_json()))) == reading


@pytest.mark.parametrize(
    "fields",
    [
        {"value": None},
        {"value": math.nan},
        {"value": math.inf},
        {"value": 1.0, "status": "not_measured", "reason": "why"},
        {"value": 1.0, "status": "partial"},
        {"value": None, "status": "not_measured"},
        {"value": 1.0, "status": "guessed"},
        {"value": 1.0, "colour": "red"},
    ],
)
def test_contradictory_readings_are_refused(fields: dict[str, object]) -> None:
    """A missing or partial value needs a reason, and a value is finite."""
    with pytest.raises(RecordError):
        Reading.from_json({"unit": "J", "source": "test", **fields})


@given(st.dictionaries(st.text(min_size=1), READINGS, max_size=3), st.integers(0, 2**31))
def test_a_run_record_survives_json(readings: dict[str, Reading], seed: int) -> None:
    """Every field is restored, including predictions per sentence and nested specs."""
    record = made_up.record("emb+L0", seed, readings=readings, warnings=("w",), trace={"stretches": []})
    again = RunRecord.from_json(json.loads(json.dumps(record.to_json(), allow_nan=False)))
    assert again == record
    assert again.test_correct == record.test_correct


def test_losses_that_are_not_finite_are_null_in_json() -> None:
    """JSON has no NaN; null is read as NaN again."""
    record = made_up.record(step_losses=(0.5, math.nan))
    text = json.dumps(record.to_json(), allow_nan=False)
    assert math.isnan(RunRecord.from_json(json.loads(text)).step_losses[1])


@pytest.mark.parametrize("data", [{}, {"schema": 99}, {"schema": 1}, {"schema": 1, "spec": None}])
def test_foreign_records_are_refused(data: dict[str, object]) -> None:
    """Another schema or a truncated file is a RecordError, not a KeyError."""
    with pytest.raises(RecordError):
        RunRecord.from_json(data)


def test_derived_figures() -> None:
    """Correctness per sentence, and whether the best epoch was the last."""
    record = made_up.record("emb", accuracy=0.8)
    assert record.test is not None
    assert sum(record.test_correct) / len(record.test_correct) == pytest.approx(record.test.accuracy)
    assert not record.undertrained
    assert made_up.record(best_epoch=2).undertrained
    assert record.value("energy_j") is None


def test_a_completed_run_needs_an_evaluation_and_an_invalid_one_a_reason() -> None:
    """Contradictory records cannot be created."""
    with pytest.raises(RecordError, match="test evaluation"):
        made_up.record(test=None)
    with pytest.raises(RecordError, match="has a reason"):
        made_up.record(status="invalid")


@pytest.mark.parametrize(
    ("device", "share", "is_contended"),
    [
        ("cpu", 0.0501, True),
        ("cpu", CONTENTION_LIMIT, False),
        ("cpu", 0.0, False),
        # The processes on a GPU decide there, and the host's share is recorded only.
        ("cuda:0", 0.9, False),
    ],
)
def test_a_run_on_a_cpu_is_contended_past_the_limit(device: str, share: float, is_contended: bool) -> None:
    """The limit itself is allowed."""
    run = made_up.contended(made_up.record(device=device), share)
    assert (run.contended_share, run.is_contended) == (share, is_contended)


def test_what_was_not_measured_is_not_contended() -> None:
    """Records of version 0.1 have no share."""
    run = made_up.record()
    assert (run.contended_share, run.is_contended) == (None, False)


def _with_every_metric() -> RunRecord:
    """Return a run that measured every metric of the registry, and power over time."""
    readings = {name: Reading(value=1.0, unit=metric.unit, source="made up") for name, metric in COST_METRICS.items()}
    return made_up.record(readings=readings, trace={"stretches": []}, devices=({"name": "GPU"},))


def test_without_times_keeps_what_is_of_the_process_alone() -> None:
    """Times, rates, energies and powers are dropped with the reason; memory, operations and the share stay."""
    record = _with_every_metric()
    without = record.without_times("it trained beside others")
    kept = {name for name, reading in without.readings.items() if reading.value is not None}
    memory = {name for name, metric in COST_METRICS.items() if metric.unit == "B"}
    assert kept == {"step_flop", "contended_share", "start_temperature_c", *memory}
    dropped = without.readings["train_s"]
    assert (dropped.unit, dropped.source, dropped.reason) == ("s", "made up", "it trained beside others")
    assert (without.trace, [epoch.train_s for epoch in without.epochs]) == ({}, [None, None])
    assert not made_up.contended(made_up.record()).without_times("it trained beside others").is_contended
    assert (without.devices, without.test, without.step_losses) == (record.devices, record.test, record.step_losses)
    assert RunRecord.from_json(json.loads(json.dumps(without.to_json()))) == without


def test_without_costs_keeps_no_figure() -> None:
    """Nothing that was measured is left, nor the devices that were measured."""
    without = _with_every_metric().without_costs("another device")
    assert {reading.reason for reading in without.readings.values()} == {"another device"}
    assert (without.devices, without.trace, [epoch.train_s for epoch in without.epochs]) == ((), {}, [None, None])


def test_without_readings_drops_the_named_ones_alone() -> None:
    """The others stay as they are."""
    record = _with_every_metric()
    without = record.without_readings(["cpu_energy_j"], "of the whole package")
    changed = {name for name, reading in without.readings.items() if reading != record.readings[name]}
    assert (changed, without.value("cpu_energy_j"), without.epochs) == ({"cpu_energy_j"}, None, record.epochs)
