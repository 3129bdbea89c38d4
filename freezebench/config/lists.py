"""Lists of models and data sets, as options give them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def split_list(text: str) -> list[str]:
    """Return the entries of a text, separated by commas; a path that exists is one entry, with its commas.

    An entry between two commas may be empty.
    """
    return [text] if _exists(text) else [entry.strip() for entry in text.split(",")]


def without_duplicates(texts: Iterable[str]) -> tuple[str, ...]:
    """Return texts without those that name the same file or folder, or the same model of the Hub, as an earlier one."""
    first_texts: dict[str, str] = {}
    for text in texts:
        first_texts.setdefault(os.path.realpath(_expanded(text)) if _exists(text) else text, text)
    return tuple(first_texts.values())


def _exists(text: str) -> bool:
    return os.path.exists(_expanded(text))  # noqa: PTH110 - a Path raises errors for texts that no path can be


def _expanded(text: str) -> str:
    with suppress(ValueError):  # a NUL byte after the tilde
        return os.path.expanduser(text)  # noqa: PTH111 - as above
    return text
