"""Tests of what a metric shows on slices and further test sets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import made_up_scores
from freezebench.errors import SettingsError
from freezebench.records.evaluated import examples_of
from freezebench.scoring.examples import Examples
from freezebench.scoring.metrics import METRICS
from freezebench.verdicts.metric_subsets import further_evidence, slice_evidence
from freezebench.verdicts.subsets import judge_subsets

if TYPE_CHECKING:
    from freezebench.records.run_record import RunRecord
    from freezebench.specs.names import TaskName

SLICES = tuple(min(number // 100, 2) for number in range(300))
NAMES = ("short", "medium", "long", "empty")


def _arms(task: TaskName, **facts: object) -> tuple[list[RunRecord], list[RunRecord]]:
    return made_up_scores.runs(task, **facts), made_up_scores.runs(task, "emb", noise=1.5, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("sequence-classification", "macro-f1"),
        ("multi-label", "auroc"),
        ("token-classification", "entity-f1"),
        ("regression", "rmse"),
    ],
)
def test_slices_have_the_metric_of_their_examples(task: TaskName, name: str) -> None:
    """The drop is the difference of the means; a slice without examples is left out."""
    metric = METRICS[name]
    baseline, records = _arms(task, test_slices=SLICES, slice_names=NAMES)
    evidence = slice_evidence(baseline, records, metric)
    assert [item.name for item in evidence] == ["short", "medium", "long"]
    assert [item.num_examples for item in evidence] == [100, 100, 100]
    for number, item in enumerate(evidence):
        kept = np.array(SLICES) == number
        before, after = (
            np.mean([metric.value(examples_of(run).only(kept)) for run in arm]) for arm in (baseline, records)
        )
        assert (item.baseline, item.candidate) == pytest.approx((before, after))
        assert item.squares is not None
        worse = before - after if metric.higher_is_better else after - before
        assert float(item.squares.drop) == pytest.approx(worse)
        assert item.squares.scale == metric.scale
        assert item.squares.num_sentences == 100


def test_further_test_sets_have_the_metric_of_their_own_examples() -> None:
    """Each has its own labels, texts and outcomes."""
    baseline, records = _arms("sequence-classification", further=("tweets", "products"))
    metric = METRICS["mcc"]
    evidence = further_evidence(baseline, records, metric)
    assert [(item.name, item.kind) for item in evidence] == [("tweets", "test set"), ("products", "test set")]
    values = [metric.value(examples_of(run, "products")) for run in records]
    assert evidence[1].candidate == pytest.approx(np.mean(values))
    assert evidence[0].candidate != evidence[1].candidate


def test_groups_are_the_units_of_slices_too() -> None:
    """A slice of one long document has too few units, however many sentences it has."""
    groups = tuple(number if number < 200 else 200 + number % 4 for number in range(300))
    arms = _arms("sequence-classification", test_slices=SLICES, slice_names=NAMES, test_groups=groups)
    *_, last = slice_evidence(*arms, METRICS["accuracy"])
    assert last.squares is None
    assert last.too_few == "4 texts or groups, and an interval needs 10"
    assert last.candidate is not None


def test_too_few_examples_of_a_slice_are_named() -> None:
    """The metric says how many it needs, of the examples of the slice."""
    metric = replace(METRICS["mcc"], too_few_labels=lambda examples: "few" if len(examples) < 150 else None)
    slices = tuple(int(number >= 100) for number in range(300))
    short, rest = slice_evidence(*_arms("sequence-classification", test_slices=slices, slice_names=NAMES), metric)
    assert (short.too_few, rest.too_few) == ("few", None)


def test_without_slices_and_further_test_sets_there_is_nothing_to_judge() -> None:
    """Most data sets have neither."""
    arms = _arms("regression")
    assert slice_evidence(*arms, METRICS["pearson"]) == further_evidence(*arms, METRICS["pearson"]) == []


def test_a_metric_that_fails_on_a_slice_has_no_value_there() -> None:
    """A function of a user may need several classes; the other slices have their figures."""

    def value(examples: Examples) -> float:
        if len(examples) <= 100:
            raise SettingsError("the metric m:f fails with ValueError. Correct the function.")
        return float(np.mean(examples.labels == examples.predictions))

    metric = replace(METRICS["mcc"], name="m:f", value=value, leave_one_out=None, too_few_labels=lambda _: None)
    slices = tuple(int(number >= 90) for number in range(300))
    evidence = slice_evidence(*_arms("sequence-classification", test_slices=slices, slice_names=NAMES), metric)
    first, second = judge_subsets(evidence, margin_pp=2.0, reference_pp=2.0, alpha=0.05, unit="points of f")
    assert (first.candidate, first.verdict, first.reason) == (None, None, "the metric has no value here")
    assert second.verdict is not None
    assert second.verdict.drop_pp is not None
