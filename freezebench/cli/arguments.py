"""Paths and names among the arguments of commands, refused where pytest's options refuse them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from freezebench.errors import SettingsError
from freezebench.specs.grid import PerSpec
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from freezebench.config.sources import ParsedOptions

Value = TypeVar("Value")

_MOST_NAMED = 8


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


def check_configurations(options: ParsedOptions, names: Collection[str], freezes: Collection[str], source: str) -> None:
    """Make sure that options have values only for configurations that exist, since others would hold for nothing.

    Args:
        options: The options.
        names: Those with values per configuration.
        freezes: Ids of the configurations.
        source: Where these come from.

    Raises:
        SettingsError: If one has a value for another configuration.
    """
    for name in (name for name in names if name in options):
        unknown = [spec for spec, _ in options.get(name, PerSpec()).by_spec if spec not in freezes]
        if unknown:
            raise SettingsError(
                f"{options.origins[name]} has a value for {unknown[0]}, which is no configuration of {source}, so that "
                f"the value would hold for nothing. Choose from {listed(list(freezes), _MOST_NAMED)}."
            )
