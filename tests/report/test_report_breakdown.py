"""Where the time went."""

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
    assert emb.sentence() is None  # as promised


@pytest.mark.parametrize(
    ("engine", "step_flop", "why"),
    [
        ("cached", 100.0, "what is no matrix product"),
        ("standard", 100.0, "--freeze-engine=cached leaves them out"),
        ("cached", 550.0, "freezing spares work that is not counted"),
    ],
)
def test_a_speedup_other_than_promised_is_explained(engine: str, step_flop: float, why: str) -> None:
    """More than a quarter off in either direction gives a plain sentence with both figures and the phases."""
    _, emb = breakdowns(_results(engine, train_s=5.0, step_flop=step_flop))
    sentence = emb.sentence()
    assert sentence is not None
    assert "measured 2.00×" in sentence
    assert f"{600 / step_flop:.2f}×" in sentence
    assert "backward 50 %" in sentence
    assert why in sentence


def test_where_batches_take_longest_it_is_said() -> None:
    """On a GPU the processor may be what a deep freeze waits for."""
    _, emb = breakdowns(_results(train_s=5.0, step_flop=100.0))
    waiting = replace(emb, phases=(0.6, 0.2, 0.1, 0.1))
    assert "putting batches together" in str(waiting.sentence())


def test_what_never_pays_back_and_what_is_not_cached() -> None:
    """A configuration that trains no faster pays nothing back; without a prefix there is nothing to charge."""
    none, slow = breakdowns(_results(train_s=11.0, step_flop=300.0, prefix_s=4.0, prefix_bytes=100.0))
    assert (none.cold, none.pays_back) == (None, None)
    assert slow.pays_back is None
    assert slow.cold == pytest.approx(10 / 15)


def test_engines_that_tell_no_phases_have_no_table() -> None:
    """Figures of older records and of the Trainer: no table, no sentence, nothing invented."""
    results = _results()
    plain = [replace(result, records=tuple(map(_without, result.records)), baseline=()) for result in results]
    assert breakdown_table(breakdowns(plain)) == ((), [])
    assert all(part.sentence() is None for part in breakdowns(plain))


def _without(record: RunRecord) -> RunRecord:
    return replace(record, readings={"train_s": record.readings["train_s"]})


def test_the_table_and_the_sentences_under_it() -> None:
    """One row per configuration; the whole grid's time contains the pass, whose hit rate is told, and warm-ups."""
    results = _results(train_s=5.0, step_flop=300.0, prefix_s=4.0, prefix_bytes=100.0, warmup_s=0.5)
    headers, cells = breakdown_table(breakdowns(results))
    assert headers[0] == "frozen"
    assert [row[0] for row in cells] == ["none", "emb"]
    assert cells[1] == ["emb", "10 %", "30 %", "50 %", "10 %", "2 s", "2.00×", "2.00×", "1.11×", "epoch 2"]
    assert grid_sentence(results) == "Whole grid: 2 runs trained and evaluated in 23.5 s."
    assert "1 pass for 1 runs, 0 % of which found theirs" in str(prefix_sentence(results))
