"""How training time is spent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import made_up
from freezebench.records.reading import Reading
from freezebench.report.breakdown import breakdown_table, breakdowns, grid_sentence
from freezebench.report.verdict_text import prefix_sentence
from freezebench.verdicts.judge import judge

if TYPE_CHECKING:
    from freezebench.records.run_record import RunRecord
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
    assert (emb.predicted, emb.warm) == (2.0, 2.0)
    assert emb.cold == pytest.approx(10 / 9)
    assert emb.pays_back == 2
    assert emb.sentence() is None  # as predicted


@pytest.mark.parametrize(
    ("engine", "step_flop", "why"),
    [
        ("cached", 100.0, "work other than matrix products"),
        ("standard", 100.0, "--freeze-engine=cached leaves them out"),
        ("cached", 550.0, "freezing also saves work that is not counted"),
    ],
)
def test_a_speedup_far_from_the_predicted_one_is_explained(engine: str, step_flop: float, why: str) -> None:
    """A difference of more than a quarter gives a sentence with both figures, the phases and the reason."""
    _, emb = breakdowns(_results(engine, train_s=5.0, step_flop=step_flop))
    sentence = emb.sentence()
    assert sentence is not None
    assert "measured 2.00×" in sentence
    assert f"{600 / step_flop:.2f}×" in sentence
    assert "backward 50 %" in sentence
    assert why in sentence


def test_slow_batches_are_named_as_the_reason() -> None:
    """On a GPU the processor that assembles batches may limit a deep freeze."""
    _, emb = breakdowns(_results(train_s=5.0, step_flop=100.0))
    slow = replace(emb, phases=(0.6, 0.2, 0.1, 0.1))
    assert "assembling batches" in str(slow.sentence())


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
    assert cells[1] == ["emb", "10 %", "30 %", "50 %", "10 %", "2 s", "2.00×", "2.00×", "1.11×", "epoch 2"]
    assert grid_sentence(results) == "Whole grid: 2 runs trained and evaluated in 23.5 s."
    assert "1 pass for 1 runs, 0 % cache hits" in str(prefix_sentence(results))
