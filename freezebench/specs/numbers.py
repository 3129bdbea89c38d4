"""Numbers as options write them: ASCII digits of limited number, so that no text costs time, memory or an exception.

``int`` and ``float`` also take underscores, the digits of all scripts and any number of digits: 400 of them make a
float infinite, and 5,000 are refused with a message on the interpreter's settings.
"""

from __future__ import annotations

import re

_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
_DECIMAL = re.compile(
    r"[+-]?(?:(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:e[+-]?[0-9]{1,3})?|nan|inf|infinity)",
    re.IGNORECASE | re.ASCII,
)


def short_number(number: float) -> float:
    """Return a number as a person would write it: 0.0026, not 0.0026000000000000003."""
    return float(f"{number:.6g}")


def whole_number(text: str) -> int | None:
    """Return the whole number of a text, of at most 15 digits; ``None`` if it has none."""
    text = text.strip()
    return int(text) if _WHOLE.fullmatch(text) else None


def decimal_number(text: str) -> float | None:
    """Return the number of a text such as ``2`` or ``5e-5``, which may be infinite or NaN; ``None`` if it has none."""
    text = text.strip()
    return float(text) if _DECIMAL.fullmatch(text) else None
