"""Parsers of the metric that judges, and of margins and limits in its unit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from freezebench.config.parsers import check_not_baseline
from freezebench.errors import SettingsError
from freezebench.specs.numbers import decimal_number

if TYPE_CHECKING:
    from freezebench.specs.grid import PerSpec

# In the unit of the labels, which may be large: no experiment needs more, so that a typing error ends at once.
_LARGEST_AMOUNT = 10**9


def parse_amount(text: str) -> float:
    """Return a margin or limit in the metric's unit, percentage points for most; ``check_amounts`` bounds points."""
    number = decimal_number(text)
    if number is None:
        number = math.nan
    _check_amount(number)
    return number


def parse_amounts(text: str) -> PerSpec:
    """Return amounts as ``parse_amount`` does, per configuration, the baseline included."""
    from freezebench.specs.grid import PerSpec

    limits = PerSpec.parse(text)
    for number in limits.numbers:
        _check_amount(number)
    return limits


def parse_amounts_below_baseline(text: str) -> PerSpec:
    """Return amounts per configuration, the baseline excepted."""
    limits = parse_amounts(text)
    check_not_baseline(limits)
    return limits


def _check_amount(number: float) -> None:
    """Refuse what is no amount in any unit."""
    if not 0 < number <= _LARGEST_AMOUNT:
        raise SettingsError(
            "give a number above 0, in percentage points or in the unit of a metric that has its own, of at most "
            f"{_LARGEST_AMOUNT:,}."
        )


def parse_metric(text: str) -> str:
    """Return the name of a metric, or ``module:function``, which is imported with the settings of a test."""
    if ":" not in text:
        from freezebench.scoring.metrics import metric_named

        metric_named(text)
    elif not all(part.isidentifier() for part in text.replace(":", ".", 1).split(".")):
        raise SettingsError("this names no function. Write it as module:function, such as my_metrics:recall_of_fraud.")
    return text
