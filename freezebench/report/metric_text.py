"""The metric that verdicts are about: what it is called, and how its values, drops and margins are written.

A drop of a metric between 0 and 1 is in points, hundredths of it, as that of accuracy is. Other metrics have a unit of
their own. A positive drop is worse for every metric, also for one of which lower values are better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.escaping import visible
from freezebench.scoring.metric import Metric
from freezebench.scoring.metrics import ACCURACY, METRICS
from freezebench.specs.names import TASKS
from freezebench.units import NOT_MEASURED, percent_text, without_negative_zero

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezebench.scoring.examples import Examples
    from freezebench.verdicts.judge import ConfigurationResult

_POINTS = "points"
_LONG_UNITS = {"points": "points", "nats": "nats", "label units": "units of the label"}
_SHORT_UNITS = {"points": "points", "nats": "nats", "label units": "units"}
# Decimals of a drop in points, and of values and drops in a unit of their own.
_POINTS_DIGITS, _OWN_DIGITS = 1, 3


def metric_shown(name: str) -> Metric:
    """Return a metric by its name, for the words and units of a report.

    The metric of a saved report may be a function of the project that was tested. Reading a report never imports it:
    what is known of it is its name, and its values are not computed.
    """
    return METRICS.get(name) or Metric(name=name, label=name, tasks=TASKS, value=_unknown)  # type: ignore[arg-type]


def judged_metric(results: Iterable[ConfigurationResult]) -> Metric:
    """Return the metric by which the configurations of one experiment were judged; what was not run has none."""
    return metric_shown(next((result.metric for result in results if result.was_run), ACCURACY.name))


def _unknown(_: Examples) -> float:
    return float("nan")


def digits_of(metric: Metric) -> int:
    """Return the number of decimals that its drops and bounds are written with."""
    return _POINTS_DIGITS if metric.unit == _POINTS else _OWN_DIGITS


def value_text(value: float | None, metric: Metric) -> str:
    """Return a value of the metric: ``92.2 %`` for one in points, a plain number for others."""
    if metric.unit == _POINTS:
        return percent_text(value)
    return NOT_MEASURED if value is None else f"{value:.{_OWN_DIGITS}f}"


def value_number(value: float, metric: Metric) -> str:
    """Return the same without the per cent sign, which is in a heading."""
    return f"{value * metric.scale:.{digits_of(metric)}f}"


def in_scale(value: float, metric: Metric) -> float:
    """Return a value as axes and columns show it: in per cent, or as it is where the metric has a unit of its own."""
    return value * metric.scale


def signed_drop(value: float, metric: Metric) -> str:
    """Return a drop or a bound of it with its sign."""
    return without_negative_zero(f"{value:+.{digits_of(metric)}f}")


def unsigned_drop(value: float | None, metric: Metric) -> str:
    """Return a drop or a bound of it, with a sign only if it is a gain."""
    return "unknown" if value is None else f"{value:.{digits_of(metric)}f}".replace("-0.0", "0.0")


def unit_word(metric: Metric) -> str:
    """Return the unit of drops, in a sentence that names the metric."""
    return _LONG_UNITS[metric.unit]


def in_unit(number: float, metric: Metric) -> str:
    """Return a margin or limit with its unit, for a sentence that names the metric: ``2 points``, ``0.05 nats``."""
    return f"{number:g} {unit_word(metric)}"


def in_points_of(number: float, metric: Metric) -> str:
    """Return the same with the name of the metric if that is not accuracy: ``2 points of macro F1``."""
    return f"{number:g} {metric.drop_unit}"


def metric_words(metric: Metric) -> dict[str, str]:
    """Return what headings depend on: name and units of the metric."""
    is_accuracy = metric.name == ACCURACY.name
    return {
        "metric": visible(metric.label),
        "of_metric": "" if is_accuracy else f" of {visible(metric.label)}",
        "points": _SHORT_UNITS[metric.unit],
        "value_unit": "%" if metric.unit == _POINTS else _SHORT_UNITS[metric.unit],
    }
