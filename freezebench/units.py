"""Quantities and lists as text for people; a missing figure is an en dash, never a zero."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

Value = TypeVar("Value")

NOT_MEASURED = "–"
_LONGEST_NAME = 100

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")


def bytes_text(value: float | None) -> str:
    """Return a number of bytes with a binary unit and three digits or more: ``1.50 GiB``, ``1020 MiB``."""
    if value is None:
        return NOT_MEASURED
    return _in_unit(value, _unit_of(value))


def bytes_texts(values: Sequence[float | None]) -> list[str]:
    """Return numbers of bytes in one unit, so that they can be compared at a glance: ``1.13 GiB`` and ``0.99 GiB``.

    It is that of the largest, or a smaller one if the smallest would be less than a tenth of it.
    """
    sizes = [abs(value) for value in values if value]
    unit = min(_unit_of(max(sizes)), _unit_of(10 * min(sizes))) if sizes else 0
    return [NOT_MEASURED if value is None else _in_unit(value, unit) for value in values]


def _unit_of(value: float) -> int:
    """Return the number of the largest unit in which a number of bytes is 1 or more."""
    unit = 0
    while abs(value) >= 1024 and unit < len(_BINARY) - 1:  # noqa: PLR2004 - binary units
        value, unit = value / 1024, unit + 1
    return unit


def _in_unit(value: float, unit: int) -> str:
    value /= 1024**unit
    digits = 0 if unit == 0 or not value or abs(value) >= 100 else 1 if abs(value) >= 10 else 2  # noqa: PLR2004
    return f"{value:.{digits}f} {_BINARY[unit]}"


def seconds_text(value: float | None) -> str:
    """Return seconds with three significant digits, minutes from 10 minutes on."""
    if value is None:
        return NOT_MEASURED
    if value >= 600:  # noqa: PLR2004 - seconds
        return f"{value / 60:.1f} min"
    return f"{value:.1f} s" if value >= 10 else f"{value:.3g} s"  # noqa: PLR2004 - seconds


def energy_text(value: float | None) -> str:
    """Return joules, with a prefix from 10 kJ on."""
    if value is None:
        return NOT_MEASURED
    return f"{value / 1000:.1f} kJ" if value >= 10_000 else f"{value:.0f} J"  # noqa: PLR2004 - joules


def percent_text(fraction: float | None, digits: int = 1) -> str:
    """Return a fraction (0 to 1) in per cent."""
    return NOT_MEASURED if fraction is None else f"{100 * fraction:z.{digits}f} %"


def share_text(fraction: float) -> str:
    """Return a share (0 to 1) in per cent, with decimals where it is small: ``48 %``, ``0.8 %``, ``0.03 %``."""
    return percent_text(fraction, 0 if fraction >= 0.01 else 1 if fraction >= 0.001 else 2)  # noqa: PLR2004 - per cent


def saving_text(saving: float) -> str:
    """Return a saving (a fraction) in words, which may be a loss: ``12 % less``, ``12 % more``."""
    return f"{abs(100 * saving):.0f} % {'less' if saving >= 0 else 'more'}"


def counted(number: int, noun: str) -> str:
    """Return a number of things, the noun in the plural unless there is one: ``1 seed``, ``1,024 runs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def with_unit(number: float, unit: str) -> str:
    """Return a number with its unit, such as ``1 point`` and ``2 points``."""
    return f"{number:g} {unit.replace('points', 'point', 1) if number == 1 else unit}"


def distinct_text(count: int, num_distinct: int, noun: str, group_column: str | None = None) -> str:
    """Return a number of things, and how many differ if some repeat others: ``872 sentences (850 distinct)``.

    Args:
        count: The number.
        num_distinct: How many differ, or the number of groups.
        noun: What the things are.
        group_column: Column whose values are the groups; ``None``: there are none.
    """
    if group_column is not None:
        return f"{count:,} {noun} in {counted(num_distinct, 'group')} ({group_column})"
    return f"{count:,} {noun}" + (f" ({num_distinct:,} distinct)" if num_distinct < count else "")


def ratio_text(value: float | None) -> str:
    """Return a ratio as a multiple: ``1.52×``."""
    return NOT_MEASURED if value is None else f"{value:.2f}×"


def number_text(value: float | None, digits: int = 1) -> str:
    """Return a plain number."""
    return NOT_MEASURED if value is None else f"{value:.{digits}f}"


def listed(values: Sequence[Value], limit: int, text: Callable[[Value], str] = str) -> str:
    """Return values separated by commas, the first ones and how many follow if there are more than ``limit``."""
    shown = ", ".join(map(text, values[:limit]))
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown


def with_and(items: Sequence[object]) -> str:
    """Return the items as a list in a sentence: ``42, 43 and 44``."""
    texts = [str(item) for item in items]
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def did_you_mean(name: str, names: Collection[str]) -> str:
    """Return the nearest of the names that exist, as a question after a sentence; all of them if none is near."""
    lower = {known.lower(): known for known in sorted(names)}
    # The time of a comparison grows with the product of both lengths.
    nearest = difflib.get_close_matches(str(name)[:_LONGEST_NAME].lower(), lower, n=1)
    return f" Did you mean {lower[nearest[0]]!r}?" if nearest else f" Choose from {', '.join(sorted(names))}."
