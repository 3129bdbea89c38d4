"""Tests of the registry of metrics."""

from __future__ import annotations

import pytest

from drawn_examples import drawn
from freezebench.errors import SettingsError
from freezebench.scoring.metrics import DEFAULT_METRICS, METRICS, metric_named, metric_of
from freezebench.specs.names import TASKS, TaskName

TAGS = ("O", "B-PER", "I-PER")


def test_every_task_has_a_usual_metric() -> None:
    """It is one of the task's own, and better where it is higher."""
    assert set(DEFAULT_METRICS) == set(TASKS)
    for task in DEFAULT_METRICS:
        metric = metric_of(None, task)
        assert (metric.name, metric.higher_is_better) == (DEFAULT_METRICS[task], True)
        assert task in metric.tasks


def test_metrics_say_where_they_are_from() -> None:
    """Their names are those of the registry, and each has a label and a source."""
    assert all(metric.name == name and metric.label and metric.source for name, metric in METRICS.items())


def test_lower_values_of_errors_are_better() -> None:
    """Of these metrics a rise is a drop of quality, in their own unit."""
    lower = {name: metric.unit for name, metric in METRICS.items() if not metric.higher_is_better}
    assert lower == {"log-loss": "nats", "ece": "points", "rmse": "label units", "mae": "label units"}


def test_an_unknown_metric_is_refused() -> None:
    """The nearest name is offered."""
    with pytest.raises(SettingsError, match=r"there is no metric 'macro_f1'. Did you mean 'macro-f1'\?"):
        metric_named("macro_f1")


def test_a_metric_of_another_task_is_refused() -> None:
    """Those that the task has are listed."""
    with pytest.raises(SettingsError, match=r"regression has no metric 'mcc'. Choose from pearson, spearman"):
        metric_of("mcc", "regression")


def test_f1_of_more_than_two_classes_is_refused() -> None:
    """Of which class is not said; macro F1 is named."""
    assert metric_of("f1", "sequence-classification", ("no", "yes")).name == "f1"
    with pytest.raises(SettingsError, match=r"for 2 classes, and the data have 3. Give --freeze-metric=macro-f1"):
        metric_of("f1", "sequence-classification", ("a", "b", "c"))


def test_words_without_entities_are_judged_by_accuracy() -> None:
    """Parts of speech have no F1 of entities: by default it is accuracy, and the name of the other is refused."""
    assert metric_of(None, "token-classification", TAGS).name == "entity-f1"
    assert metric_of(None, "token-classification", ("NOUN", "VERB")).name == "accuracy"
    with pytest.raises(SettingsError, match="such as O, B-PER and I-PER"):
        metric_of("entity-f1", "token-classification", ("NOUN", "VERB"))


@pytest.mark.parametrize(
    ("name", "task"),
    [(name, task) for name, metric in METRICS.items() for task in metric.tasks if metric.leave_one_out],
)
def test_leave_one_out_values_agree_with_computing_the_metric_again(name: str, task: TaskName) -> None:
    """In closed form they are those of the examples without one, also with ties and a class that occurs once."""
    metric = METRICS[name]
    assert metric.leave_one_out is not None
    for seed, num_examples in enumerate((4, 7, 12, 12, 25)):
        examples = drawn(task, seed, num_examples, num_classes=metric.num_classes or 2 + seed % 2)
        again = [metric.value(examples.without(number)) for number in range(num_examples)]
        assert metric.leave_one_out(examples) == pytest.approx(again, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("name", "task"), [(name, task) for name, metric in METRICS.items() for task in metric.tasks if metric.is_mean]
)
def test_contributions_have_the_metric_as_their_mean(name: str, task: TaskName) -> None:
    """A metric that is a mean over examples needs no jackknife."""
    metric = METRICS[name]
    assert metric.contributions is not None
    for seed in range(3):
        examples = drawn(task, seed)
        contributions = metric.contributions(examples)
        assert contributions.shape == (len(examples),)
        assert contributions.mean() == pytest.approx(metric.value(examples), abs=1e-12)
