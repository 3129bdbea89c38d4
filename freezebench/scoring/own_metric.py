"""Metrics of a user: ``module:function``, a function of labels and predictions, or of labels and scores.

::

    def recall_of_fraud(labels, predictions):
        return (predictions[labels == 1] == 1).mean()

What is passed are arrays of NumPy, one row per example; in token classification one row per word, sentence by sentence:

- labels and predictions: class numbers; numbers in regression; of several labels 0 or 1 for each, (examples, labels)
- scores: logits, (rows, classes), or (rows, 1) in regression

Attributes of the function are optional: ``higher_is_better`` (True), ``unit`` ("points"), ``tasks`` (all of them).
"""

from __future__ import annotations

import importlib
import inspect
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from freezebench.errors import FreezebenchError, SettingsError, named
from freezebench.import_path import modules_of_tests
from freezebench.scoring.examples import Examples
from freezebench.scoring.few import too_few_for_any
from freezebench.scoring.metric import Metric, Unit, Uses
from freezebench.specs.fields import brief
from freezebench.specs.names import TASKS, TaskName

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NUM_PARAMETERS = 2
_FEWEST_ROWS = 24
_ROUNDING = 1e-9
_ORDER_ROUNDING = 1e-5
_SURE = 10.0  # a logit


def own_metric(name: str) -> Metric:
    """Return the metric that ``module:function`` names.

    Raises:
        SettingsError: If there is no such function, or it cannot be called as a metric.
    """
    function = _imported(name)
    uses = _uses(name, function)
    unit: Any = getattr(function, "unit", "points")
    tasks: Any = getattr(function, "tasks", TASKS)
    higher_is_better: Any = getattr(function, "higher_is_better", True)
    if unit not in get_args(Unit):
        raise SettingsError(
            f"the metric {name} has the unit {brief(unit)}. Set its attribute unit to 'points', 'nats' or "
            "'label units'."
        )
    if not isinstance(higher_is_better, bool):
        raise SettingsError(
            f"the metric {name} has the attribute higher_is_better = {brief(higher_is_better)}. Set it to True or "
            "False."
        )
    if not isinstance(tasks, tuple | list) or not tasks or not set(tasks) <= set(TASKS):
        raise SettingsError(
            f"the metric {name} has the attribute tasks = {brief(tasks)}. Give a tuple of some of {', '.join(TASKS)}."
        )
    return Metric(
        name=name,
        label=own_label(name),
        tasks=tuple(tasks),
        value=_Called(name=name, function=function, uses=uses),
        too_few_labels=too_few_for_any,
        unit=unit,
        uses=uses,
        higher_is_better=higher_is_better,
        source=name,
    )


def own_label(name: str) -> str:
    """Return what sentences and tables call the metric that ``module:function`` names."""
    return name.rpartition(":")[2].replace("_", " ")


def check_own_metric(metric: Metric, task: TaskName, label_names: Sequence[str]) -> None:
    """Call a user's metric on some made-up examples, so that a fault in it is found before anything is trained.

    A value that is not a number is accepted here: it may be one of the data.

    Raises:
        SettingsError: If the function fails, returns something else than a number, or another one each time or in
            another order, or the same whatever was predicted, or a worse one for perfect predictions, or a number that
            cannot be in points.
    """
    examples = _made_up(task, label_names)
    value, again = metric.value(examples), metric.value(examples)
    if value != again and not (math.isnan(value) and math.isnan(again)):
        raise SettingsError(
            f"the metric {metric.name} returns {value:g} and then {again:g} for the same examples, so that its "
            "verdicts would be chance. Correct the function: seed what it draws at random."
        )
    if metric.unit == "points" and value > 1 + _ROUNDING:
        raise SettingsError(
            f"the metric {metric.name} returns {value:g}, and a metric in points is at most 1. Return a share "
            "rather than a percentage, or set its attribute unit to 'label units' or 'nats'."
        )
    others = _made_up(task, label_names, seed=1)
    for each in (examples, others):
        _check_order(metric, each)
    _check_direction(metric, value, metric.value(others), metric.value(perfect(examples)))


def _check_order(metric: Metric, examples: Examples) -> None:
    """Check that made-up examples in another order have the same value.

    Raises:
        SettingsError: If they have another one.
    """
    value, reordered = metric.value(examples), metric.value(_backwards(examples))
    # Sums of numbers in another order differ in their last digits.
    if abs(reordered - value) > _ORDER_ROUNDING * max(1.0, abs(value)):
        raise SettingsError(
            f"the metric {metric.name} returns {value:g}, and {reordered:g} for the same examples in another order. "
            "Correct the function: intervals leave examples out, so that the place of an example means nothing."
        )


def _check_direction(metric: Metric, value: float, other: float, of_perfect: float) -> None:
    """Check that perfect predictions have another value than two sets of wrong ones, and a better one.

    Raises:
        SettingsError: If not: no configuration would lose anything, or those that lose most would be the best.
    """
    if value == other == of_perfect:
        raise SettingsError(
            f"the metric {metric.name} returns {value:g} for wrong and for perfect predictions alike. Correct the "
            "function: it has to compare its second argument with the labels."
        )
    is_higher_better = metric.higher_is_better
    if of_perfect < min(value, other) if is_higher_better else of_perfect > max(value, other):
        raise SettingsError(
            f"the metric {metric.name} returns {of_perfect:g} for perfect predictions and {value:g} for wrong ones, "
            f"and its attribute higher_is_better is {is_higher_better}. Set it to {not is_higher_better}, or correct "
            "the function."
        )


def _made_up(task: TaskName, label_names: Sequence[str], *, seed: int = 0) -> Examples:
    """Return made-up examples of a task, whose scores are random."""
    rng = np.random.default_rng(seed)
    num_classes = len(label_names)
    classes = np.tile(np.arange(num_classes), -(-_FEWEST_ROWS // num_classes))
    scores = rng.normal(size=(len(classes), num_classes)).astype(np.float32)
    labels: Any = classes
    predictions: Any = scores.argmax(axis=1)
    if task == "regression":
        labels = predictions = scores[:, 0].astype(np.float64)
        labels = labels + rng.normal(size=len(labels))
    elif task == "multi-label":
        labels, predictions = np.eye(num_classes, dtype=np.int64)[classes], (scores > 0).astype(np.int64)
    return Examples(
        task=task,
        labels=labels,
        predictions=predictions,
        scores=scores,
        label_names=tuple(label_names),
        lengths=np.full(len(classes) // num_classes, num_classes) if task == "token-classification" else None,
    )


def _backwards(examples: Examples) -> Examples:
    """Return made-up examples in the opposite order, in which every example has as many rows as there are classes."""
    rows = np.arange(len(examples.labels)).reshape(-1, len(examples.label_names))[::-1].ravel()
    return replace(
        examples,
        labels=examples.labels[rows],
        predictions=examples.predictions[rows],
        scores=examples.required_scores[rows].astype(np.float32),
    )


def perfect(examples: Examples) -> Examples:
    """Return examples with the right predictions, and scores that are sure of them."""
    labels = examples.labels
    if examples.task == "regression":
        scores = labels[:, np.newaxis]
    else:
        is_right = labels == 1 if labels.ndim > 1 else labels[:, np.newaxis] == np.arange(len(examples.label_names))
        scores = np.where(is_right, _SURE, -_SURE)
    return replace(examples, predictions=labels, scores=scores.astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class _Called:
    """A user's function as the value of a metric."""

    name: str
    function: Callable[..., object]
    uses: Uses

    def __call__(self, examples: Examples) -> float:
        """Return the function's value.

        Raises:
            SettingsError: If it fails, or returns something else than a number.
        """
        outputs = examples.predictions if self.uses == "predictions" else examples.required_scores
        try:
            # Copies, so that a function that sorts in place changes nothing else.
            value = self.function(examples.labels.copy(), outputs.copy())
        except (FreezebenchError, KeyboardInterrupt):
            raise
        except BaseException as error:  # what pytest.skip raises is no Exception
            raise SettingsError(f"the metric {self.name} fails with {named(error)}. Correct the function.") from error
        try:
            number = math.nan if isinstance(value, str | bytes) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isnan(number) and not isinstance(value, float | np.floating):
            raise SettingsError(
                f"the metric {self.name} returns {brief(value)} of type {type(value).__name__}. Return one number."
            )
        return number


def _imported(name: str) -> Callable[..., object]:
    """Return the function that a name denotes.

    Raises:
        SettingsError: If there is none.
    """
    module_name, _, attribute = name.partition(":")
    try:
        with modules_of_tests():
            value: object = importlib.import_module(module_name)
    except (FreezebenchError, KeyboardInterrupt):
        raise
    except BaseException as error:  # what pytest.importorskip raises is no Exception
        raise SettingsError(
            f"cannot import the metric {name}: {module_name} fails with {named(error)}. Correct the module or its "
            "name, or add its folder to pytest's ini option pythonpath."
        ) from error
    for part in attribute.split("."):
        value = getattr(value, part, None)
    if not callable(value):
        raise SettingsError(
            f"cannot use the metric {name}: {module_name} has no function {attribute}. Write def "
            f"{attribute}(labels, predictions), which returns a number."
        )
    return value


def _uses(name: str, function: Callable[..., object]) -> Uses:
    """Return what a function computes the metric from, which the name of its second parameter says.

    Raises:
        SettingsError: If it cannot be called with two arguments, or its second parameter has another name.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []  # a callable without a signature
    positional = [each for each in parameters if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}]
    needed = [each for each in parameters if each.default is each.empty and each.kind is not each.VAR_KEYWORD]
    second = positional[1].name if len(positional) >= _NUM_PARAMETERS else None
    use = next((use for use in get_args(Uses) if use == second), None)
    if use is None or len(needed) > _NUM_PARAMETERS:
        raise SettingsError(
            f"the metric {name} takes ({', '.join(each.name for each in parameters)}). Write a function of (labels, "
            "predictions), for classes or numbers, or of (labels, scores), for what the model returns."
        )
    return use  # type: ignore[no-any-return]
