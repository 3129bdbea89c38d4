"""Tests of metrics of a user."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from drawn_examples import drawn
from freezebench.errors import SettingsError
from freezebench.scoring.confusion import ACCURACY, MACRO_F1
from freezebench.scoring.metrics import metric_named, metric_of
from freezebench.scoring.outcomes import outcomes
from freezebench.specs.names import TASKS, TaskName

Write = Callable[[str], None]
NAMES = ("a", "b", "c")
CLASSIFICATION: TaskName = "sequence-classification"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes the module own_metrics, which can then be imported."""

    def write(text: str) -> None:
        monkeypatch.delitem(sys.modules, "own_metrics", raising=False)
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / "own_metrics.py").write_text(text, encoding="utf-8")

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return write


def test_a_function_of_labels_and_predictions(write: Write) -> None:
    """By default higher is better, drops are in points, and every task may have it."""
    write("def recall_of_a(labels, predictions):\n    return (predictions[labels == 0] == 0).mean()\n")
    metric = metric_of("own_metrics:recall_of_a", CLASSIFICATION, NAMES)
    examples = drawn(CLASSIFICATION, 0, 30)
    is_a = examples.labels == 0
    assert metric.value(examples) == (examples.predictions[is_a] == 0).mean()
    assert (metric.label, metric.unit, metric.uses, metric.higher_is_better) == (
        "recall of a",
        "points",
        "predictions",
        True,
    )
    assert metric.tasks == TASKS


def test_a_function_of_scores_with_attributes(write: Write) -> None:
    """The name of the second parameter says what is passed; attributes say direction, unit and tasks."""
    write(
        "def brier(labels, scores):\n    return float(((scores[:, 0] - labels) ** 2).mean())\n"
        "brier.higher_is_better = False\nbrier.unit = 'label units'\nbrier.tasks = ('regression',)\n"
    )
    metric = metric_of("own_metrics:brier", "regression", ("rating",))
    examples = drawn("regression", 0, 30)
    assert metric.value(examples) == pytest.approx(np.square(examples.predictions - examples.labels).mean(), rel=1e-6)
    assert (metric.unit, metric.uses, metric.higher_is_better) == ("label units", "scores", False)
    with pytest.raises(SettingsError, match="multi-label has no metric 'own_metrics:brier'"):
        metric_of("own_metrics:brier", "multi-label", NAMES)


@pytest.mark.parametrize("task", TASKS)
def test_it_is_tried_on_made_up_examples_of_every_task(write: Write, task: str) -> None:
    """Arrays have the shapes of the task, and a function that sorts them in place changes nothing else."""
    write(
        "def agreement(labels, predictions):\n"
        "    labels.sort(axis=0)\n"
        "    predictions.sort(axis=0)\n"
        "    return (labels == predictions).mean()\n"
    )
    metric = metric_of("own_metrics:agreement", task, NAMES)  # type: ignore[arg-type]
    examples = drawn(task, 0, 30)  # type: ignore[arg-type]
    before = examples.labels.copy(), examples.predictions.copy()
    assert 0 <= metric.value(examples) <= 1
    assert np.array_equal(examples.labels, before[0])
    assert np.array_equal(examples.predictions, before[1])


def test_outcomes_of_few_examples_are_those_of_the_usual_jackknife(write: Write) -> None:
    """With at most 100 examples each of them is left out, as in closed form."""
    write(
        "from sklearn.metrics import f1_score\n"
        "def own_f1(labels, predictions):\n"
        "    return f1_score(labels, predictions, labels=[0, 1, 2], average='macro', zero_division=0)\n"
    )
    examples = drawn(CLASSIFICATION, 0, 40)
    own = metric_named("own_metrics:own_f1")
    assert own.value(examples) == f1_score(examples.labels, examples.predictions, average="macro")
    assert outcomes(own, examples) == pytest.approx(outcomes(MACRO_F1, examples))


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("no_such_module_at_all:f", "", r"No module named 'no_such_module_at_all'. Correct the module or its name"),
        ("own_metrics:f", "1 / 0\n", r"own_metrics fails with ZeroDivisionError: division by zero"),
        ("own_metrics:g", "def f(labels, predictions): ...\n", r"own_metrics has no function g. Write def g\(labels"),
        ("own_metrics:f", "f = 3\n", "has no function f"),
        ("own_metrics:f", "def f(labels): ...\n", r"takes \(labels\). Write a function of \(labels, predictions\)"),
        ("own_metrics:f", "def f(y, z): ...\n", r"takes \(y, z\)"),
        ("own_metrics:f", "def f(labels, predictions, more): ...\n", r"takes \(labels, predictions, more\)"),
        ("own_metrics:f", "def f(labels, predictions): ...\nf.unit = 'percent'\n", "unit to 'points', 'nats' or"),
        ("own_metrics:f", "def f(labels, predictions): ...\nf.higher_is_better = 'no'\n", "Set it to True or False"),
        ("own_metrics:f", "def f(labels, predictions): ...\nf.tasks = 'regression'\n", "Give a tuple of some of"),
        ("own_metrics:f", "def f(labels, predictions): ...\n", "returns None of type NoneType. Return one number"),
        ("own_metrics:f", "def f(labels, predictions): return 'high'\n", "returns 'high' of type str"),
        ("own_metrics:f", "def f(labels, predictions): return predictions\n", "of type ndarray"),
        ("own_metrics:f", "def f(labels, predictions): raise KeyError('x')\n", r"fails with KeyError: 'x'. Correct"),
        ("own_metrics:f", "def f(labels, predictions): raise SystemExit(3)\n", r"fails with SystemExit: 3. Correct"),
        (
            "own_metrics:f",
            "import pytest\npytest.importorskip('no_such')\n",
            r"own_metrics fails with Skipped: could not",
        ),
        (
            "own_metrics:f",
            "import pytest\ndef f(labels, predictions): pytest.skip('x')\n",
            "fails with Skipped: x. Corr",
        ),
        (
            "own_metrics:f",
            "def f(labels, predictions): return 62.5\n",
            r"62.5, and a metric in points is at most 1. Return a",
        ),
        (
            "own_metrics:f",
            "import random\ndef f(labels, predictions): return random.random()\n",
            r"returns 0\.\d+ and then 0\.\d+ for the same examples",
        ),
        (
            "own_metrics:f",
            "def f(labels, predictions):\n    labels[:] = predictions\n    return (labels == predictions).mean()\n",
            "returns 1 for wrong and for perfect predictions alike. Correct the function",
        ),
        (
            "own_metrics:f",
            "def f(labels, predictions): return (labels[:9] == predictions[:9]).mean()\n",
            r"for the same examples in another order\. Correct the function",
        ),
        (
            "own_metrics:f",
            "def f(labels, predictions): return (labels != predictions).mean()\n",
            r"returns 0 for perfect predictions and 0\.\d+ for wrong ones, and its attribute higher_is_better is T",
        ),
        (
            "own_metrics:f",
            "def f(labels, predictions): return (labels == predictions).mean()\nf.higher_is_better = False\n",
            r"returns 1 for perfect .* higher_is_better is False\. Set it to True, or correct",
        ),
    ],
)
def test_what_is_no_metric_is_refused(write: Write, name: str, text: str, match: str) -> None:
    """In one sentence, before anything is trained."""
    write(text)
    with pytest.raises(SettingsError, match=match):
        metric_of(name, CLASSIFICATION, NAMES)


def test_optional_parameters_are_allowed(write: Write) -> None:
    """What has a default need not be passed."""
    write("def f(labels, predictions, beta=0.5, **options): return beta * (labels == predictions).mean()\n")
    examples = drawn(CLASSIFICATION, 0)
    value = metric_of("own_metrics:f", CLASSIFICATION, NAMES).value(examples)
    assert value == 0.5 * ACCURACY.value(examples)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("outputs", ["predictions", "scores"])
def test_a_metric_that_ignores_what_was_predicted_is_refused(write: Write, task: TaskName, outputs: str) -> None:
    """Every configuration would pass by it."""
    write(f"def f(labels, {outputs}): return 0.5\n")
    with pytest.raises(SettingsError, match=r"returns 0.5 for wrong and for perfect predictions alike"):
        metric_of("own_metrics:f", task, NAMES)


def test_a_metric_that_only_perfect_predictions_change_is_one(write: Write) -> None:
    """It is the same for all wrong predictions."""
    write("def f(labels, predictions): return float((labels == predictions).all())\n")
    assert metric_of("own_metrics:f", CLASSIFICATION, NAMES).value(drawn(CLASSIFICATION, 0)) == 0


def test_a_value_that_is_not_a_number_is_one_of_the_data(write: Write) -> None:
    """It may be defined on other data; on these it makes the verdict invalid."""
    write("def f(labels, predictions): return float('nan')\n")
    metric = metric_of("own_metrics:f", CLASSIFICATION, NAMES)
    assert np.isnan(outcomes(metric, drawn(CLASSIFICATION, 0))).all()
