"""How training time is spent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import made_up
from freezebench.records.reading import Reading
from freezebench.report.breakdown import breakdown_table, breakdowns, gap_sentences, grid_sentence
from freezebench.report.verdict_text import prefix_sentence
from freezebench.verdicts.judge import judge

if TYPE_CHECKING:
    from freezebench.records.run_record import RunRecord
    from freezebench.report.breakdown import Breakdown
    from freezebench.verdicts.judge import ConfigurationResult


def _record(freeze: str, engine: Any = "cached", **values: float | None) -> RunRecord:
    record = made_up.record(freeze)
    readings = {
        name: Reading.not_measured("s", "clock", "shared")
        if value is None
        else Reading(value=value, unit="s", source="clock")
        for name, value in values.items()
    }
    spec = replace(record.spec, protocol=replace(record.spec.protocol, engine=engine))
    return replace(record, spec=spec, readings={**record.readings, **readings})


PHASES = {"data_s": 1.0, "forward_s": 3.0, "backward_s": 5.0, "optimizer_s": 1.0, "evaluation_s": 2.0}
UNFROZEN = {**PHASES, "train_s": 10.0, "train_and_eval_s": 12.0, "step_flop": 600.0}


def _results(engine: Any = "cached", **values: float | None) -> list[ConfigurationResult]:
    baseline = [_record("none", engine, **UNFROZEN)]
    frozen = [_record("emb", engine, **{**PHASES, "train_and_eval_s": 7.0, **values})]
    options: dict[str, Any] = {"margin_pp": 2.0, "limit_pp": None, "alpha": 0.05}
    return [judge("none", baseline, baseline, **options), judge("emb", frozen, baseline, **options)]


def test_phases_speedups_and_the_epoch_that_pays_back() -> None:
    """Shares of the phases; warm without the pass, cold with it; 2.5 s saved per epoch pay 4 s back in the second."""
    _, emb = breakdowns(_results(train_s=5.0, step_flop=300.0, prefix_s=4.0, prefix_bytes=100.0))
    assert emb.phases == (0.1, 0.3, 0.5, 0.1)
    assert (emb.counted, emb.warm) == (2.0, 2.0)
    assert emb.cold == pytest.approx(10 / 9)
    assert emb.pays_back == 2
    assert emb.sentence() is None  # as counted


@pytest.mark.parametrize(
    ("phases", "cause"),
    [
        # Counted 5.00×: 10 s of steps would take 2 s. Each case has one second of data more, and so on.
        ({"data_s": 1.2, "forward_s": 0.6}, "putting batches together, which took 1.2 s instead of 0.2 s"),
        ({"forward_s": 1.6}, "the forward passes, which took 1.6 s instead of 0.6 s"),
        ({"backward_s": 2.0}, "the backward passes, which took 2 s instead of 1 s"),
        ({"optimizer_s": 1.2}, "the optimizer, which took 1.2 s instead of 0.2 s"),
    ],
)
def test_a_phase_is_named_where_its_seconds_show_it(phases: dict[str, float], cause: str) -> None:
    """The phase that takes most of the time beyond what would be in proportion is the cause."""
    in_proportion = {"data_s": 0.2, "forward_s": 0.6, "backward_s": 1.0, "optimizer_s": 0.2}
    _, emb = breakdowns(_results(train_s=3.0, step_flop=120.0, **{**in_proportion, **phases}))
    assert emb.sentence() == (
        "Speed-up of emb: 3.33× measured, 5.00× expected from counted operations; "
        f"most of the difference is in {cause}."
    )


def test_a_speedup_beyond_the_counted_one_has_a_cause_as_well() -> None:
    """Here the optimizer, which counted operations do not include, saves more than its share."""
    phases = {"data_s": 1.0, "forward_s": 2.9, "backward_s": 4.9, "optimizer_s": 0.2}
    baseline = {"data_s": 1.0, "forward_s": 3.0, "backward_s": 5.0, "optimizer_s": 6.0}
    arms = (
        [_record("none", **{**UNFROZEN, "train_s": 15.0, **baseline})],
        [_record("emb", train_s=9.0, step_flop=590.0, **phases)],
    )
    results = [judge(run.spec.freeze, [run], arms[0], margin_pp=2.0, limit_pp=None) for arm in arms for run in arm]
    sentence = str(breakdowns(results)[1].sentence())
    assert "1.67× measured, 1.02× expected from counted operations; " in sentence
    assert "; most of the difference is in the optimizer, which took 0.2 s instead of " in sentence


@pytest.mark.parametrize(
    "phases",
    [
        {"data_s": 0.6, "forward_s": 1.0, "backward_s": 1.4, "optimizer_s": 0.6},
        {"data_s": None},
    ],
)
def test_a_gap_without_a_cause_is_unexplained(phases: dict[str, float | None]) -> None:
    """Where all phases take longer, or were not recorded, nothing is blamed."""
    _, emb = breakdowns(_results(train_s=3.6, step_flop=120.0, **phases))
    assert emb.sentence() == (
        "Speed-up of emb: 2.78× measured, 5.00× expected from counted operations; the difference is not explained."
    )


def test_waiting_for_a_processor_is_part_of_the_sentence() -> None:
    """A share below the limit of contention is named; runs beyond it give no speed-up to explain."""
    results = _results(train_s=3.6, step_flop=120.0, data_s=None)
    assert str(_contended(results, 0.04)[1].sentence()).endswith(
        "; the difference is not explained; threads waited for a processor in up to 4 % of the time."
    )
    (_, emb) = _contended(results, 0.4)
    assert (emb.warm, emb.cold, emb.pays_back, emb.sentence()) == (None, None, None, None)


def _contended(results: list[ConfigurationResult], share: float) -> list[Breakdown]:
    runs = [[made_up.contended(run, share) for run in result.records] for result in results]
    return breakdowns(
        [
            replace(result, records=tuple(own), baseline=tuple(runs[0]))
            for result, own in zip(results, runs, strict=True)
        ]
    )


def test_the_largest_gap_comes_first() -> None:
    """A terminal has room for one of them."""
    (_, small), (_, large) = (breakdowns(_results(train_s=5.0, step_flop=flop)) for flop in (200.0, 50.0))
    first, second = gap_sentences([small, large])
    assert "12.00× expected" in first
    assert "3.00× expected" in second


def test_some_configurations_never_pay_back() -> None:
    """A configuration that trains no faster never pays back; without a prefix there is no pass to charge."""
    none, slow = breakdowns(_results(train_s=11.0, step_flop=300.0, prefix_s=4.0, prefix_bytes=100.0))
    assert (none.cold, none.pays_back) == (None, None)
    assert slow.pays_back is None
    assert slow.cold == pytest.approx(10 / 15)


def test_without_phases_there_is_no_table() -> None:
    """Older records and the Trainer have no phases: no table and no sentence."""
    results = _results()
    plain = [replace(result, records=tuple(map(_without, result.records)), baseline=()) for result in results]
    assert breakdown_table(breakdowns(plain)) == ((), [])
    assert all(part.sentence() is None for part in breakdowns(plain))


def _without(record: RunRecord) -> RunRecord:
    return replace(record, readings={"train_s": record.readings["train_s"]})


def test_the_table_and_its_sentences() -> None:
    """One row per configuration; the time of the grid includes the pass and warm-ups; the pass has its reuse rate."""
    results = _results(train_s=5.0, step_flop=300.0, prefix_s=4.0, prefix_bytes=100.0, warmup_s=0.5)
    headers, cells = breakdown_table(breakdowns(results))
    assert headers[0] == "frozen"
    assert [row[0] for row in cells] == ["none", "emb"]
    assert cells[1] == ["emb", "10 %", "30 %", "50 %", "10 %", "2.00 s", "2.00×", "2.00×", "1.11×", "epoch 2"]
    assert grid_sentence(results) == "Whole grid: 2 runs trained and evaluated in 23.5 s."
    assert "1 pass for 1 runs, 0 % cache hits" in str(prefix_sentence(results))
    beside = [
        replace(result, records=tuple(run.without_times("others trained") for run in result.records))
        for result in results
    ]
    assert grid_sentence(beside) is None
    assert "shared by 1 runs" in str(prefix_sentence(beside))
    assert "the time of computing them was not measured" in str(prefix_sentence(beside))
