"""What a value of a column is: its type in plain words, whether a tokenizer can take it, how messages quote it."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING

from freezebench.escaping import has_surrogates
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

# Encoders read some hundred tokens. A text of this many characters is a damaged file, and tokenizing it takes minutes.
MAX_TEXT_CHARS = 1_000_000

# A longer label is a text: the column is another one.
MAX_NAME_CHARS = 200
_MAX_QUOTED_CHARS = 60
_MAX_LABELS = 8
_MAX_LABEL_CHARS = 40
# Unicode's categories of separators, of control characters and of formatting such as zero-width spaces.
_INVISIBLE = {"Zs", "Zl", "Zp", "Cc", "Cf"}
# Data sets write a withheld label in one of these ways, or as not a number.
_UNLABELLED = (None, "", "-", -1, -1.0, "-1", "-1.0")
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
    if has_surrogates(text):
        return "holds half of a surrogate pair"
    return None


def unfit_name(name: str) -> str | None:
    """Return why a label or tag cannot be used, as a clause; ``None`` if it can."""
    return f"has {len(name):,} characters" if len(name) > MAX_NAME_CHARS else unfit(name)


def is_invisible(text: str) -> bool:
    """Return whether a text has no character that can be seen, such as a zero-width space alone."""
    # The first character decides for almost all texts.
    start = text.lstrip()[:1]
    if start:
        return not start.isprintable() and all(unicodedata.category(character) in _INVISIBLE for character in text)
    return True


def is_unlabelled(labels: Sequence[object]) -> bool:
    """Return whether every label of a split is withheld."""
    return all(_is_withheld(label) for label in labels)


def is_missing(value: object) -> bool:
    """Return whether a value is null, not a number, or a string of white space."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_withheld(label: object) -> bool:
    if is_missing(label):
        return True
    if isinstance(label, list):  # of several columns
        return bool(label) and all(_is_withheld(value) for value in label)
    text = label.strip() if isinstance(label, str) else label
    return not isinstance(text, (bool, dict)) and text in _UNLABELLED


def kind_name(value: object) -> str:
    """Return the type of a value in words that need no Python."""
    if value is None:
        return "missing"
    return next((name for kind, name in _KINDS if isinstance(value, kind)), f"of type {type(value).__name__}")


def short(value: object) -> str:
    """Return a value for a message: on one line, without control characters, and cut if it is long."""
    text = repr(value)
    return text if len(text) <= _MAX_QUOTED_CHARS else f"{text[: _MAX_QUOTED_CHARS - 1]}…"


def label_list(labels: Sequence[object]) -> str:
    """Return labels for a message, the first ones if there are many."""
    return listed(labels, _MAX_LABELS, _label_text)


def _label_text(label: object) -> str:
    text = str(label) if str(label).isprintable() else repr(label)
    return text if len(text) <= _MAX_LABEL_CHARS else f"{text[: _MAX_LABEL_CHARS - 1]}…"
