"""Margins and limits in the unit of the metric that judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.specs.limits import SMALLEST_POINTS

if TYPE_CHECKING:
    from freezebench.config.sources import ParsedOptions
    from freezebench.scoring.metric import Unit
    from freezebench.specs.grid import PerSpec

_MOST_POINTS = 100
# Options with amounts in the unit of the metric.
_IN_ITS_UNIT = ("margin", "max_drop", "max_slice_drop", "max_test_drop", "max_regression")


def check_amounts(options: ParsedOptions) -> None:
    """Make sure that margins and limits fit the unit of the metric; a function of the user is imported for that.

    Raises:
        SettingsError: If points are out of range, a metric with a unit of its own has no margin, an amount is in the
            unit of another metric, or a function of the user cannot be imported or used.
    """
    metric = options.get("metric", "")
    if metric:
        unit = _unit_of(metric)
        _check_units(options, unit)
        if unit != "points":
            if "margin" not in options:
                where = options.origins["metric"]
                raise SettingsError(
                    f"{where}={metric}: this metric is measured in {unit}, for which there is no default margin. Set "
                    f"{where.removesuffix('metric')}margin to the largest acceptable drop in that unit."
                )
            return
    for name in (name for name in _IN_ITS_UNIT if name in options):
        value: float | PerSpec = options.get(name, 0.0)
        for number in (value,) if isinstance(value, float) else value.numbers:
            check_points(number, options.origins[name])


def _unit_of(metric: object) -> Unit:
    """Return the unit of a metric by its name; the usual metrics of all tasks, which have none, are in points."""
    from freezebench.scoring.metrics import metric_named

    return metric_named(metric).unit if isinstance(metric, str) else "points"


def _check_units(options: ParsedOptions, unit: Unit) -> None:
    """Refuse an amount that was written for a metric of another unit, which a stronger source replaced.

    Raises:
        SettingsError: If there is one: a limit of 1 point would be one of 1 nat.
    """
    for name in (name for name in _IN_ITS_UNIT if name in options):
        own = _unit_of(options.beside(name, "metric"))
        if own != unit:
            where = options.origins["metric"]
            option = where.removesuffix("metric") + (name.replace("_", "-") if where.startswith("--") else name)
            raise SettingsError(
                f"{options.origins[name]} is in {own}, and {where}={options.get('metric', '')} is measured in {unit}. "
                f"Set {option} in {unit}, too."
            )


def check_points(number: float, where: str) -> None:
    """Refuse what is no number of percentage points; a fraction such as 0.02 for 2 points gets a hint.

    Raises:
        SettingsError: If it is none.
    """
    if not SMALLEST_POINTS <= number <= _MOST_POINTS:
        hint = f" Did you mean {number * 100:g} points?" if number < SMALLEST_POINTS else ""
        raise SettingsError(
            f"{where}={number:g}: give percentage points, from {SMALLEST_POINTS} to {_MOST_POINTS}.{hint}"
        )
