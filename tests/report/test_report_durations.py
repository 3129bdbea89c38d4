"""Expected durations, from runs that have ended."""

from __future__ import annotations

import pytest

from freezebench.planning.blocks import blocks_of, trains_arms_together
from freezebench.planning.finished import NeededRun
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.records.saved import from_records
from freezebench.report.durations import (
    Durations,
    ExpectedDurations,
    duration_text,
    expected_durations,
    seconds_on_slots,
)
from freezebench.specs.slots import Slot
from made_up import record, seeds
from saved_runs import saved


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (59.4, "59 s"), (60, "1 min"), (3540, "59 min"), (3599, "1 h 0 min"), (4800, "1 h 20 min")],
)
def test_durations_are_rounded(seconds: float, text: str) -> None:
    """Seconds below a minute, minutes below an hour, then hours and minutes."""
    assert duration_text(seconds) == text


def test_the_duration_of_an_experiment_without_a_run_is_unknown() -> None:
    """A fallback, the latest run of the experiment and a run of the configuration are used, the last report first."""
    durations = Durations()
    spec = record("emb").spec
    assert durations.expected(spec, None) is None
    assert durations.expected(spec, 5.0) == 5.0
    durations.add(record("none").spec, 7.0)
    assert durations.expected(spec, 5.0) == 7.0
    durations.add(record("emb", 44).spec, 3.0)
    assert durations.expected(spec, 5.0) == 3.0


def test_a_strategy_may_take_as_long_as_the_longest_run() -> None:
    """It comes after the most frozen configuration, the shortest one, and trains parts of all layers."""
    durations = Durations()
    spec = record("bitfit").spec
    assert durations.expected(spec, 5.0) == 5.0
    durations.add(record("none").spec, 7.0)
    durations.add(record("emb").spec, 3.0)
    assert durations.expected(spec, 5.0) == 7.0
    durations.add(spec, 6.0)
    assert durations.expected(record("bitfit", 44).spec, 5.0) == 6.0


@pytest.mark.parametrize(
    ("runs_s", "num_slots", "busy_s", "expected"),
    [
        ([], 1, [], 0.0),
        ([3.0, 4.0], 1, [2.0], 9.0),
        ([4.0, 4.0, 4.0], 2, [], 8.0),
        ([4.0, 4.0], 3, [9.0], 9.0),
        ([1.0], 8, [], 1.0),
        ([5.0, 1.0], 2, [2.0, 3.0], 7.0),
    ],
)
def test_slots_share_the_runs(runs_s: list[float], num_slots: int, busy_s: list[float], expected: float) -> None:
    """Each run trains on the slot that is free first; the last end counts."""
    assert seconds_on_slots(runs_s, num_slots, busy_s) == expected


def _timed(freeze: str, seconds: float) -> list[RunRecord]:
    readings = {"train_and_eval_s": Reading(value=seconds, unit="s", source="clock")}
    return seeds(freeze, readings=readings)


def test_saved_runs_of_the_same_configuration_on_the_same_device_count() -> None:
    """Configurations that were not saved are unknown; the first saved run that has any configuration counts."""
    runs = [record(freeze, seed).spec for freeze in ("none", "emb") for seed in (42, 43)]
    report = saved(from_records("none", _timed("none", 9.0)), source="a report")
    known = expected_durations(runs, [saved(), report], "a CPU")
    assert known is not None
    assert (known.seconds, known.total_s, known.num_known) == ({"none": 9.0}, 18.0, 2)
    assert known.source == "a report (2026-11-23)"
    assert expected_durations(runs, [report], "another CPU") is None
    assert expected_durations([record("emb").spec], [report], "a CPU") is None
    assert expected_durations(runs, [saved(from_records("none", seeds("none")))], "a CPU") is None


@pytest.mark.parametrize(
    ("num_nodes", "is_gpu", "expected_s"),
    # Two series of 9 s; with them 6, 3, 6, 3, 6 and 3 s on two slots, or three seeds of 9 s.
    [(1, False, 18.0 + 15.0), (1, True, 18.0 + 18.0), (2, True, 9.0 + 18.0)],
)
def test_slots_share_the_planned_runs(num_nodes: int, *, is_gpu: bool, expected_s: float) -> None:
    """All arms of a seed train on one GPU; what is judged by its times has its node to itself."""
    runs = [NeededRun(spec=record(freeze, seed).spec) for seed in (42, 43, 44) for freeze in ("none", "emb")]
    series = [
        NeededRun(spec=record(freeze, seed).spec, interleaved_with=f"emb {seed}", must_be_new=True)
        for seed in (42, 43)
        for freeze in ("none", "emb")
    ]
    slots = [Slot(name=f"{node}", node=f"{node % num_nodes}", shares_processor=not is_gpu) for node in range(2)]
    serial = ExpectedDurations(seconds={"none": 6.0, "emb": 3.0}, total_s=0.0, num_known=10, source="a report")
    expected = serial.shared_out(blocks_of(runs + series, arms_together=trains_arms_together(slots)), slots)
    assert (expected.total_s, expected.num_slots, expected.source) == (expected_s, 2, "a report")
