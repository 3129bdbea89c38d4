"""The fields of specs, checked where a person writes them: the constructor refuses a wrong value, not the run."""

from __future__ import annotations

import math
import operator
import reprlib
from numbers import Real
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

# No experiment counts that far; larger numbers would fail only in the middle of a run, or fill the memory.
_LARGEST_COUNT = 10**9

_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = 60


def brief(value: object) -> str:
    """Return a value as Python writes it, shortened; a value that cannot be written is named by its class."""
    try:
        return " ".join(_brief.repr(value).split())
    except ValueError:  # a whole number of more than 4,300 digits
        return f"<{type(value).__name__} of too many digits>"


def whole(value: object) -> int | None:
    """Return a whole number as an ``int``; ``None`` for anything else, truth values included."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return None
    try:
        return operator.index(value)
    except (TypeError, ValueError):  # an array or a tensor of several numbers, or of other numbers
        return None


def real(value: object) -> float:
    """Return a number as a ``float``; NaN for anything else, truth values included."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


class Fields:
    """The fields of a frozen dataclass, checked at the end of its constructor.

    Equal specs need equal values, so that numbers of NumPy, which behave like Python's, become Python's.
    """

    def __init__(self, owner: object) -> None:
        self._owner, self._class = owner, type(owner).__name__

    def text(self, name: str, example: str, *, or_none: bool = False) -> None:
        """Check that a field is a text that is not empty.

        Raises:
            SettingsError: If it is not.
        """
        value = getattr(self._owner, name)
        if not (isinstance(value, str) and value) and not (or_none and value is None):
            advice = f"{name}={str(value)!r}" if _is_path(value) else f"{name}={example!r}"
            raise SettingsError(f"{self._class}({name}={brief(value)}): give a text, such as {advice}.")

    def choice(self, name: str, choices: Sequence[str], *, or_none: bool = False) -> None:
        """Check that a field is one of some words.

        Raises:
            SettingsError: If it is not.
        """
        value = getattr(self._owner, name)
        # Not all values can be compared or hashed: an array would raise an error of its own.
        if not (isinstance(value, str) and value in choices) and not (or_none and value is None):
            words = ", ".join(map(repr, (*choices, None) if or_none else choices))
            raise SettingsError(f"{self._class}({name}={brief(value)}): choose from {words}.")

    def whole(self, name: str, smallest: int, largest: int = _LARGEST_COUNT, *, or_none: bool = False) -> None:
        """Check that a field is a whole number in a range, and make it an ``int``.

        Raises:
            SettingsError: If it is not.
        """
        value = getattr(self._owner, name)
        if or_none and value is None:
            return
        number = whole(value)
        if number is None or not smallest <= number <= largest:
            none = ", or None" if or_none else ""
            raise SettingsError(
                f"{self._class}({name}={brief(value)}): give a whole number from {smallest} to {largest}{none}."
            )
        object.__setattr__(self._owner, name, number)

    def number(self, name: str, largest: float, *, allow_zero: bool = False) -> None:
        """Check that a field is a finite number from 0, or above 0, to the largest, and make it a ``float``.

        Raises:
            SettingsError: If it is not.
        """
        value = getattr(self._owner, name)
        number = real(value)
        if not (0 < number <= largest or (allow_zero and number == 0)):
            smallest = "from 0" if allow_zero else "above 0 and"
            raise SettingsError(f"{self._class}({name}={brief(value)}): give a number {smallest} up to {largest:g}.")
        object.__setattr__(self._owner, name, number)

    def truth(self, name: str) -> None:
        """Check that a field is ``True`` or ``False``.

        Raises:
            SettingsError: If it is not.
        """
        value = getattr(self._owner, name)
        if not isinstance(value, bool):
            raise SettingsError(f"{self._class}({name}={brief(value)}): give True or False.")


def _is_path(value: object) -> bool:
    """Return whether a value is a path, which says how it is written as a text."""
    return hasattr(value, "__fspath__") and bool(str(value).strip())
