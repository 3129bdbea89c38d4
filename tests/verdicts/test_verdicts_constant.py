"""Tests of constant predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import made_up
import made_up_scores
from freezebench.errors import SettingsError
from freezebench.records.evaluated import examples_of
from freezebench.records.scores import pack_scores
from freezebench.scoring.examples import Examples
from freezebench.scoring.metrics import METRICS
from freezebench.verdicts.baseline import lead_pp
from freezebench.verdicts.constant import (
    above_constant,
    constant_prediction,
    constant_sentence,
    is_constant,
    shows_learning,
)
from freezebench.verdicts.metric_values import metric_value

if TYPE_CHECKING:
    from freezebench.records.run_record import RunRecord
    from freezebench.specs.names import TaskName

CASES = [(task, name) for task in made_up_scores.NAMES for name, metric in METRICS.items() if task in metric.tasks]


@pytest.mark.parametrize(
    ("task", "name", "expected"),
    [
        ("sequence-classification", "accuracy", 0.55),
        ("sequence-classification", "balanced-accuracy", 1 / 3),
        ("sequence-classification", "macro-f1", 2 * 0.55 / 1.55 / 3),
        ("sequence-classification", "mcc", 0),
        ("sequence-classification", "auroc", 0.5),
        ("multi-label", "auroc", 0.5),
        ("token-classification", "entity-f1", 0),
        ("regression", "r2", 0),
        ("regression", "rmse", 1),
    ],
)
def test_metrics_of_the_best_constant_prediction(task: TaskName, name: str, expected: float) -> None:
    """The most frequent class, the frequencies as probabilities, or the mean."""
    record = made_up_scores.runs(task, num=1, num_test=600)[0]
    assert METRICS[name].value(constant_prediction(examples_of(record))) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(("task", "name"), [case for case in CASES if METRICS[case[1]].num_classes is None])
def test_outcomes_above_a_constant_have_the_mean_of_the_difference(task: TaskName, name: str) -> None:
    """That holds for every metric and direction; a correlation with a constant counts as 0."""
    metric = METRICS[name]
    records = made_up_scores.runs(task, num=2, num_test=80)
    value = metric.value(constant_prediction(examples_of(records[0])))
    better = np.mean([metric_value(record, metric) or 0.0 for record in records]) - (value if np.isfinite(value) else 0)
    above = above_constant(records, metric)
    assert above is not None
    differences, unit = above
    assert differences.mean() == pytest.approx(better if metric.higher_is_better else -better)
    assert unit > 0
    # Models that have learned something are better than a constant in every metric but the calibration.
    assert (differences.mean() > 0) == (name != "ece")


def test_metrics_that_guesses_may_have_do_not_show_learning() -> None:
    """Guesses of several classes have a higher macro F1 than the most frequent class, but no correlation."""
    record = made_up_scores.runs("sequence-classification", num=1, noise=1e6)[0]
    macro_f1 = METRICS["macro-f1"]
    macro, mcc = above_constant([record], macro_f1), above_constant([record], METRICS["mcc"])
    assert macro is not None
    assert mcc is not None
    assert macro[0].mean() > 0.05
    assert shows_learning(macro_f1, "sequence-classification") is METRICS["mcc"]
    assert abs(mcc[0].mean()) < 0.05
    assert shows_learning(macro_f1, "multi-label") is METRICS["auroc"]
    assert shows_learning(METRICS["auroc"], "multi-label") is METRICS["auroc"]
    # A constant prediction has the best recall of one class.
    own = replace(METRICS["accuracy"], name="own:recall_of_one_class")
    assert shows_learning(own, "sequence-classification") is METRICS["mcc"]
    assert shows_learning(own, "regression") is METRICS["pearson"]


def _all_alike(record: RunRecord) -> RunRecord:
    """Return a run that predicts for every example what it predicts for the first."""
    assert record.test is not None
    assert record.data is not None
    width = len(record.data.label_names)
    predictions = record.test.predictions
    first = predictions[:width] * (len(predictions) // width) if record.data.task == "multi-label" else None
    scores = None
    if record.data.task == "regression":
        scores = pack_scores(np.full((record.data.num_test, 1), 3.25, dtype=np.float32))
    alike = first if first is not None else predictions[:1] * len(predictions)
    return replace(record, test=replace(record.test, predictions=alike, scores=scores))


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("sequence-classification", "seed 42 predicts one class for every test sentence (class negative)"),
        ("multi-label", "seed 42 predicts the same labels for every test sentence (toxic and long)"),
        ("token-classification", "seed 42 predicts one class for every word of the test set (class B-PER)"),
        ("regression", "seed 42 predicts one number for every test sentence (3.25)"),
    ],
)
def test_runs_that_predict_the_same_throughout(task: TaskName, text: str) -> None:
    """The sentence says which seed, and what it predicts."""
    records = made_up_scores.runs(task, num=2)
    assert constant_sentence(records) is None
    constant = _all_alike(records[0])
    assert is_constant(constant)
    assert constant_sentence([constant, records[1]]) == text


def test_no_label_is_not_called_by_the_name_of_a_configuration() -> None:
    """Runs may have no label at all for any sentence, or some of them the same labels for each."""
    records = [_all_alike(record) for record in made_up_scores.runs("multi-label", num=2)]
    test = records[0].test
    assert test is not None
    silent = replace(records[0], test=replace(test, predictions=(0,) * len(test.predictions)))
    assert constant_sentence([silent]) == "seed 42 predicts no label for any test sentence"
    assert constant_sentence([silent, records[1]]) == (
        "seeds 42 and 43 predict the same labels for every test sentence (no label, toxic and long)"
    )


@pytest.mark.parametrize("task", ["sequence-classification", "multi-label", "token-classification"])
def test_a_metric_of_scores_looks_at_scores(task: TaskName) -> None:
    """No score of a rare class may be high enough for a prediction, and rank the examples all the same."""
    record = made_up_scores.runs(task)[0]
    assert record.test is not None
    constant = _all_alike(record)
    assert constant.test is not None
    ranking = replace(constant, test=replace(constant.test, scores=record.test.scores))
    for metric, of_ranking in (("accuracy", True), ("auroc", False), ("log-loss", False)):
        assert is_constant(ranking, METRICS[metric]) is of_ranking, metric
        assert is_constant(constant, METRICS[metric]), metric


def test_invalid_runs_predict_nothing() -> None:
    """They have a fault of their own."""
    assert not is_constant(made_up.broken("none"))


def test_a_metric_of_a_user_may_have_no_value_for_a_constant() -> None:
    """Whether it fails or is not a number, there is nothing to compare with."""
    records = made_up_scores.runs("sequence-classification", num=2)

    def fails(examples: Examples) -> float:
        if len(set(examples.predictions.tolist())) == 1:
            raise SettingsError("the metric m:f fails with ValueError. Correct the function.")
        return 0.5

    for number, value in enumerate((fails, lambda _: float("nan"))):
        metric = replace(METRICS["mcc"], name=f"m:f{number}", value=value, leave_one_out=None)
        assert above_constant(records, metric) is None
        assert lead_pp(records, metric) is None


def test_numbers_that_differ_as_labels_do_are_not_constant_however_small() -> None:
    """Labels may be of any size: those of a ten-millionth are told apart as those of one."""
    record = made_up_scores.runs("regression")[0]
    assert record.test is not None
    assert record.data is not None
    assert record.data.test_values is not None
    values = np.array(record.data.test_values) * 1e-7
    data = replace(record.data, test_values=tuple(values.tolist()))
    for numbers, is_same in ((0.9 * values, False), (np.full(len(values), values.mean()), True)):
        scores = pack_scores(numbers[:, np.newaxis].astype(np.float32))
        assert is_constant(replace(record, data=data, test=replace(record.test, scores=scores))) is is_same
