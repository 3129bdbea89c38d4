"""Paths and names among the arguments of commands, refused where pytest's options refuse them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from freezebench.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


def parsed_argument(parse: Callable[[str], Value], text: str, argument: str) -> Value:
    """Return what a parser of options makes of an argument.

    Raises:
        SettingsError: If the parser refuses it, with the argument's name and text.
    """
    # Not by the option itself, which refuses what is no UTF-8: a file of that name can be read all the same.
    try:
        return parse(text)
    except SettingsError as error:
        raise SettingsError(f"{argument}={text}: {error}") from error
