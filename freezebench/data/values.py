"""What a value of a column is: its type in plain words, whether a tokenizer can take it, how messages quote it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Value = TypeVar("Value")

# Encoders read some hundred tokens. A text of this many characters is a damaged file, and tokenizing it takes minutes.
MAX_TEXT_CHARS = 1_000_000

_MAX_QUOTED_CHARS = 60
# Data sets write a withheld label in one of these ways.
_UNLABELLED = (None, "", -1, -1.0, "-1")
_KINDS = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "a string"),
    (list, "a list"),
    (dict, "an object"),
)


def unfit(text: str) -> str | None:
    """Return why a tokenizer cannot take a text, as a clause; ``None`` if it can."""
    if len(text) > MAX_TEXT_CHARS:
        return f"has {len(text):,} characters, more than {MAX_TEXT_CHARS:,}"
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "holds half of a surrogate pair"
    return None


def is_unlabelled(labels: Sequence[object]) -> bool:
    """Return whether every label of a split is withheld."""
    return all(not isinstance(label, (bool, list, dict)) and label in _UNLABELLED for label in labels)


def kind_name(value: object) -> str:
    """Return the type of a value in words that need no Python."""
    if value is None:
        return "missing"
    return next((name for kind, name in _KINDS if isinstance(value, kind)), f"of type {type(value).__name__}")


def listed(values: Sequence[Value], text: Callable[[Value], str], limit: int) -> str:
    """Return values for a message, the first ones if there are more than ``limit``."""
    shown = ", ".join(map(text, values[:limit]))
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown


def short(value: object) -> str:
    """Return a value for a message: on one line, without control characters, and cut if it is long."""
    text = repr(value)
    return text if len(text) <= _MAX_QUOTED_CHARS else f"{text[: _MAX_QUOTED_CHARS - 1]}…"
