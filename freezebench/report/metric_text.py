"""The metric that verdicts are about: what it is called, and how its values, drops and margins are written.

A drop of a metric between 0 and 1 is in points, hundredths of it, as that of accuracy is. Other metrics have a unit of
their own. A positive drop is worse for every metric, also for one of which lower values are better.
"""

from __future__ import annotations

import contextlib
import math
import sys
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError, SettingsError
from freezebench.escaping import visible
from freezebench.report.terminal_text import cut
from freezebench.scoring.jackknife import jackknife_text
from freezebench.scoring.metric import Metric
from freezebench.scoring.metrics import ACCURACY, METRICS, metric_of
from freezebench.scoring.own_metric import own_metric
from freezebench.specs.names import TASKS
from freezebench.units import NOT_MEASURED, percent_text, with_unit
from freezebench.verdicts.metric_values import metric_value
from freezebench.verdicts.noninferiority import fewest_decimals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.data_facts import DataFacts
    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Unit
    from freezebench.verdicts.judge import ConfigurationResult

_POINTS = "points"
_LONG_UNITS = {"points": "points", "nats": "nats", "label units": "units of the label"}
_WIDEST_LABEL = 24
_UNITS: dict[str, Unit] = {"nats": "nats", "units of the label": "label units"}  # as verdicts name them
_SHORT_UNITS = {"points": "points", "nats": "nats", "label units": "units"}


def metric_shown(name: str, unit: Unit = "points") -> Metric:
    """Return a metric by its name, for the words and units of a report.

    The metric of a saved report may be any function, and reading a report imports none: where its module is not loaded
    already, what is known of it is its name and its unit, and its values are not computed.

    Args:
        name: Its name.
        unit: Its unit, where nothing else says it.
    """
    if name in METRICS:
        return METRICS[name]
    if name.partition(":")[0] in sys.modules:
        with contextlib.suppress(SettingsError):
            return own_metric(name)
    return Metric(name=name, label=name, tasks=TASKS, value=_unknown, unit=unit)  # type: ignore[arg-type]


def is_known(metric: Metric) -> bool:
    """Return whether the values of a metric can be computed here; see ``metric_shown``."""
    return metric.value is not _unknown


def result_metric(result: ConfigurationResult) -> Metric:
    """Return the metric that a configuration was judged by."""
    return judged_metric([result])


def judged_metric(results: Sequence[ConfigurationResult]) -> Metric:
    """Return the metric by which the configurations of one experiment were judged; what was not run has none."""
    name = next((result.metric for result in results if result.was_run), ACCURACY.name)
    units = (result.verdict.unit for result in results if result.verdict is not None)
    return metric_shown(name, _UNITS.get(next(units, ""), "points"))


def metric_of_data(data: DataFacts | None, name: str | None) -> Metric:
    """Return the metric that judges runs on some data: the one of a name, or the usual one of their task."""
    try:
        if data is not None:
            return metric_of(name, data.task, data.label_names)
    except SettingsError:
        pass  # a check before the runs says so; what is shown of them goes on
    return metric_shown(name or ACCURACY.name)


def value_of(record: RunRecord, metric: Metric, test_set: str = "") -> float | None:
    """Return the metric of a run on a test set; ``None`` where it has no value, or the run lacks what it needs."""
    try:
        value = metric_value(record, metric, test_set)
    except FreezebenchError:  # also of a function of the user
        return None
    return None if value is None or not math.isfinite(value) else value


def _unknown(_: Examples) -> float:
    return float("nan")


def title_of(metric: Metric) -> str:
    """Return the name of the metric as the begin of a title."""
    return metric.label[:1].upper() + metric.label[1:]


def with_article(metric: Metric) -> str:
    """Return the name of the metric in a clause: ``an accuracy``, ``a macro F1``."""
    return f"{'an' if metric.label[:1] in 'aeiouAR' else 'a'} {metric.label}"


def digits_of(metric: Metric) -> int:
    """Return the number of decimals that its drops and bounds are written with."""
    return fewest_decimals(metric.drop_unit)


def value_text(value: float | None, metric: Metric) -> str:
    """Return a value of the metric: ``92.2 %`` for one in points, a plain number for others."""
    if metric.unit == _POINTS:
        return percent_text(value)
    return NOT_MEASURED if value is None else f"{value:z.{digits_of(metric)}f}"


def value_number(value: float, metric: Metric) -> str:
    """Return the same without the per cent sign, which is in a heading."""
    return f"{value * metric.scale:z.{digits_of(metric)}f}"


def axis_label(metric: Metric) -> str:
    """Return the label of an axis of values, which are multiplied by the metric's scale."""
    unit = "%" if metric.unit == _POINTS else _LONG_UNITS[metric.unit]
    return f"test {visible(metric.label)} ({unit})"


def seed_drop(baseline: RunRecord, record: RunRecord, metric: Metric, test_set: str = "") -> float | None:
    """Return the drop of one run against the unfrozen one of its seed, in the unit of drops; positive is worse.

    ``None`` where one of them has no value.
    """
    before, after = value_of(baseline, metric, test_set), value_of(record, metric, test_set)
    if before is None or after is None:
        return None
    return (before - after) * metric.scale * (1 if metric.higher_is_better else -1)


def signed_drop(value: float, metric: Metric) -> str:
    """Return a drop or a bound of it with its sign."""
    return f"{value:+z.{digits_of(metric)}f}"


def unsigned_drop(value: float | None, metric: Metric) -> str:
    """Return a drop or a bound of it, with a sign only if it is a gain."""
    return "unknown" if value is None else f"{value:z.{digits_of(metric)}f}"


def level_percent(alpha: float) -> str:
    """Return the level of an interval, in per cent, whose two bounds each err with probability ``alpha``: ``90``."""
    return f"{100 * (1 - 2 * alpha):.0f}"


def unit_word(metric: Metric) -> str:
    """Return the unit of drops, in a sentence that names the metric."""
    return _LONG_UNITS[metric.unit]


def in_unit(number: float, metric: Metric) -> str:
    """Return a margin or limit with its unit, for a sentence that names the metric: ``2 points``, ``0.05 nats``."""
    return with_unit(number, unit_word(metric))


def in_points_of(number: float, metric: Metric) -> str:
    """Return the same with the name of the metric if that is not accuracy: ``2 points of macro F1``."""
    return with_unit(number, metric.drop_unit)


def direction_sentence(metric: Metric) -> str | None:
    """Return that a drop of a loss is an increase; ``None`` where higher values are better, as those of accuracy."""
    if metric.higher_is_better:
        return None
    return f"Drop: lower values of {metric.label} are better, so a positive drop (which is worse) is an increase."


def definition_sentence(metric: Metric, num_units: int) -> str | None:
    """Return what defines the metric, its unit, and how its intervals are made; ``None`` for accuracy."""
    return None if metric is ACCURACY else f"Metric: {definition(metric, num_units)}."


def definition(metric: Metric, num_units: int) -> str:
    """Return label and source of the metric, its unit, and how its intervals are made, as a clause.

    Args:
        metric: The metric.
        num_units: Number of distinct texts or groups of the test set.
    """
    source = f" ({metric.source})" if metric.source else ""
    unit = "in points, hundredths of it" if metric.unit == _POINTS else f"in {_LONG_UNITS[metric.unit]}"
    how = "intervals are those of its mean over examples"
    if not metric.is_mean:
        groups = jackknife_text(metric, num_units)
        how = f"intervals are those of jackknife pseudovalues{'' if groups is None else f' ({groups})'}"
    return f"{metric.label}{source}; drops are {unit}, and {how}"


def metric_words(metric: Metric) -> dict[str, str]:
    """Return what headings depend on: name and units of the metric."""
    is_accuracy, label = metric is ACCURACY, cut(visible(metric.label), _WIDEST_LABEL)
    return {
        "metric": label,
        "of_metric": "" if is_accuracy else f" of {label}",
        "points": _SHORT_UNITS[metric.unit],
        "value_unit": "%" if metric.unit == _POINTS else _SHORT_UNITS[metric.unit],
    }
