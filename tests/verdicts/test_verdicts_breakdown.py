"""Tests of a drop broken down by class, slice and test set."""

from __future__ import annotations

from typing import Any

import pytest

import made_up_scores
from freezebench.scoring.metrics import METRICS
from freezebench.verdicts.breakdown import broken_down
from freezebench.verdicts.judge import judge

FACTS: dict[str, Any] = {
    "test_slices": tuple(number % 2 for number in range(300)),
    "slice_names": ("web", "app"),
    "further": ("tweets",),
}


def test_a_result_has_its_drop_by_class_slice_and_test_set() -> None:
    """Each has figures, an interval and a verdict at the margin, in the unit of the metric; classes in recall."""
    baseline = made_up_scores.runs("sequence-classification", **FACTS)
    records = made_up_scores.runs("sequence-classification", "emb", noise=1.5, **FACTS)
    result = judge("emb", records, baseline, margin_pp=2.0, limit_pp=None, metric=METRICS["macro-f1"])
    assert [item.name for item in result.classes] == ["negative", "neutral", "positive"]
    assert [item.name for item in (*result.slices, *result.test_sets)] == ["web", "app", "tweets"]
    for item in (*result.classes, *result.slices, *result.test_sets):
        assert item.verdict is not None
        assert item.baseline is not None
        assert item.candidate is not None
        assert item.verdict.drop_pp == pytest.approx(100 * (item.baseline - item.candidate))
        unit = "points of recall" if item.kind == "class" else "points of macro F1"
        assert item.verdict.unit == unit
    # Without a limit nothing is asserted of them.
    assert result.parts == ()
    assert result.standing == "no_limit"


@pytest.mark.parametrize(("limit", "standing"), [(0.5, "worse"), (60.0, "ok")])
def test_limits_on_slices_and_test_sets_are_parts_of_the_joint_gate(limit: float, standing: str) -> None:
    """A slice past its limit fails the test, and is named."""
    baseline = made_up_scores.runs("regression", **FACTS)
    records = made_up_scores.runs("regression", "emb", noise=1.5, **FACTS)
    metric = METRICS["pearson"]
    result = judge(
        "emb", records, baseline, margin_pp=2, limit_pp=None, metric=metric, max_slice_drop=limit, max_test_drop=limit
    )
    assert [part.quantity for part in result.parts] == ["slices", "test sets"]
    assert result.standing == standing
    assert "points of Pearson correlation is allowed" in result.parts[0].sentence
    assert all(name in result.parts[0].sentence for name in ("web", "app"))
    assert "tweets" in result.parts[1].sentence
    (alone,) = judge("emb", records, baseline, margin_pp=2, limit_pp=None, metric=metric, max_test_drop=limit).parts
    assert alone == result.parts[1]


def test_the_margin_of_recall_is_in_points() -> None:
    """A margin in nats says nothing about it."""
    baseline, records = made_up_scores.runs("multi-label"), made_up_scores.runs("multi-label", "emb")
    limits = {"max_slice_drop": None, "max_test_drop": None}
    parts = broken_down(baseline, records, METRICS["log-loss"], margin_pp=0.05, alpha=0.05, **limits)
    assert [item.verdict and item.verdict.margin_pp for item in parts.classes] == [2.0] * 3
    assert parts.limits == ()


def test_a_class_that_loses_more_than_the_others_is_a_warning() -> None:
    """The drop of macro F1 is that of one class; a drop of all classes alike is none of them."""
    baseline = made_up_scores.runs("sequence-classification")
    one = made_up_scores.runs("sequence-classification", "emb", blind={2: 1.0})
    result = judge("emb", one, baseline, margin_pp=2.0, limit_pp=None, metric=METRICS["macro-f1"])
    (warning,) = result.warnings
    assert warning.startswith("emb: class positive loses more than the others: its recall drops by ")
    alike = made_up_scores.runs("sequence-classification", "emb", blind={0: 0.6, 1: 0.6, 2: 0.6})
    assert judge("emb", alike, baseline, margin_pp=2.0, limit_pp=None, metric=METRICS["macro-f1"]).warnings == ()


def test_a_lost_class_is_named_once() -> None:
    """It makes the verdict inferior, and it loses more than the others as well."""
    baseline = made_up_scores.runs("sequence-classification")
    records = made_up_scores.runs("sequence-classification", "emb", blind={2: 9.0})
    result = judge("emb", records, baseline, margin_pp=50.0, limit_pp=None, metric=METRICS["macro-f1"])
    assert result.class_loss is not None
    assert result.class_loss.startswith("hardly recognised: class positive")
    assert result.warnings == ()
