"""What saved runs hold of the metric that judged them: its name, unit and direction, and the outcome of every example.

Accuracy of classification is saved as earlier versions save it, as one bit per test sentence. Of any other metric the
numbers are saved whose mean is the metric.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from freezebench.errors import RecordError
from freezebench.records.evaluated import examples_of, outcomes_of_run, value_of_run
from freezebench.records.packed import packed, unpacked
from freezebench.records.scores import pack_scores, unpack_scores
from freezebench.scoring.metric import Metric, Unit
from freezebench.scoring.metrics import ACCURACY, METRICS
from freezebench.scoring.own_metric import own_label
from freezebench.specs.fields import brief, real
from freezebench.specs.names import TASKS, TaskName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.examples import Examples
    from freezebench.specs.json_types import Json

CLASSIFICATION = "sequence-classification"
# Largest difference between a saved value and the mean of the saved outcomes; those of numbers have seven digits.
_ROUNDING, _ROUNDING_OF_NUMBERS = 1e-6, 1e-4


def saved_outcomes(record: RunRecord, metric: Metric) -> NDArray[Any]:
    """Return the outcome of every test example of a valid run: booleans for accuracy of classification, else numbers.

    Raises:
        RecordError: If the run has not recorded what the metric needs.
    """
    if metric.name == ACCURACY.name and record.data is not None and record.data.task == CLASSIFICATION:
        return np.array(record.test_correct, dtype=np.bool_)
    return outcomes_of_run(record, metric)


def too_few_examples(records: Sequence[RunRecord], metric: Metric) -> str | None:
    """Return which test examples of valid runs are too few for an interval of the metric; ``None``: none are."""
    if metric.name == ACCURACY.name:
        return None
    values = (value_of_run(record, metric) for record in records)
    return metric.too_few([examples_of(record) for record in records], values) if records else None


def named_metric(name: str, unit: Unit = "points", *, higher_is_better: bool = True) -> Metric:
    """Return the metric of a saved run, to compare its outcomes.

    It may be a function of another project. Reading a file never imports it, so that its values cannot be computed.
    """
    known = METRICS.get(name)
    if known is not None:
        return known
    return Metric(
        name=name,
        label=own_label(name),
        tasks=get_args(TaskName),
        value=_unknown,
        unit=unit,
        higher_is_better=higher_is_better,
    )


def _unknown(_: Examples) -> float:
    return math.nan


def metric_info(metric: Metric, task: str) -> dict[str, Json]:
    """Return metric and task in JSON types; nothing for accuracy of classification, as in earlier versions."""
    if metric.name == ACCURACY.name and task == CLASSIFICATION:
        return {}
    return {
        "task": task,
        "metric": metric.name,
        "metric_unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
    }


def metric_from_info(info: Mapping[str, object]) -> tuple[Metric, str]:
    """Return metric and task from what ``metric_info`` returned.

    Raises:
        RecordError: If an entry is damaged.
    """
    name, task = info.get("metric", ACCURACY.name), info.get("task", CLASSIFICATION)
    higher_is_better, stated = info.get("higher_is_better", True), info.get("metric_unit", "points")
    unit = next((unit for unit in get_args(Unit) if unit == stated), None)
    if not isinstance(name, str) or task not in TASKS or unit is None or not isinstance(higher_is_better, bool):
        raise RecordError(
            f"metric {brief(name)} of task {brief(task)}, in {brief(stated)}, is none that can be compared"
        )
    return named_metric(name, unit, higher_is_better=higher_is_better), str(task)


def outcomes_info(outcomes: NDArray[Any]) -> dict[str, Json]:
    """Return the outcomes of a run in JSON types, with the value that they give."""
    value = float(outcomes.mean())
    if outcomes.dtype == np.bool_:
        return {"accuracy": value, "num_test": len(outcomes), "test_correct_base64": packed(outcomes)}
    numbers = pack_scores(outcomes[:, np.newaxis].astype(np.float32))
    return {"value": value, "num_test": len(outcomes), "outcomes_base64": numbers}


def outcomes_from_info(run: Mapping[str, object]) -> NDArray[Any]:
    """Return the outcomes of a run.

    Raises:
        RecordError: If an entry is missing or damaged.
    """
    num_test, bits = run.get("num_test"), run.get("test_correct_base64")
    if isinstance(num_test, bool) or not isinstance(num_test, int):
        raise RecordError(f"'num_test' is missing or no int: {brief(num_test)}")
    if "outcomes_base64" in run:
        return _numbers(run, num_test)
    if not isinstance(bits, str):
        raise RecordError(f"'test_correct_base64' is missing or no str: {brief(bits)}")
    correct = unpacked(num_test, bits)
    accuracy = run.get("accuracy")
    if not abs(correct.mean() - real(accuracy)) < _ROUNDING:
        raise RecordError(f"the outcomes give an accuracy of {correct.mean():.4f}, but {brief(accuracy)} was saved")
    return correct


def _numbers(run: Mapping[str, object], num_test: int) -> NDArray[np.float64]:
    """Return outcomes that are numbers.

    Raises:
        RecordError: If they are damaged.
    """
    text, value = run["outcomes_base64"], run.get("value")
    if not isinstance(text, str):
        raise RecordError(f"'outcomes_base64' is no str: {brief(text)}")
    numbers = unpack_scores(text, num_test, 1)[:, 0].astype(np.float64) if num_test > 0 else np.zeros(1)
    scale = max(1.0, float(np.abs(numbers).max()))
    if not abs(numbers.mean() - real(value)) < _ROUNDING_OF_NUMBERS * scale:
        raise RecordError(f"the outcomes give a value of {numbers.mean():.4g}, but {brief(value)} was saved")
    return numbers
