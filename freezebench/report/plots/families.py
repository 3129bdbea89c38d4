"""Families of configurations as shapes of marks: frozen prefixes, adapters, schedules and so on."""

from __future__ import annotations

import itertools
from types import MappingProxyType
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from freezebench.escaping import visible
from freezebench.report.plots.style import INK
from freezebench.report.terminal_text import cut
from freezebench.specs.freeze import FreezeSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Every family has the same shape in all reports; families of other packages get the next ones in order.
_SHAPES = MappingProxyType(
    {
        "frozen prefix": "o",
        "frozen parts": "s",
        "some parameters": "^",
        "adapters": "D",
        "schedules": "P",
        "layer-wise rates": "v",
    }
)
_FURTHER_SHAPES = "Xp*<>h8d"
_WIDEST_FAMILY = 24
_WIDEST_NAME = 26


def family_shapes(freezes: Iterable[str]) -> dict[str, str]:
    """Return the shape of each family among configurations; empty where there is one family, which needs no shape."""
    families = {family_of(freeze) for freeze in freezes if freeze != "none"}
    if len(families) == 1:
        return {}
    further = itertools.cycle(_FURTHER_SHAPES)
    known = {family: shape for family, shape in _SHAPES.items() if family in families}
    return known | {family: next(further) for family in sorted(families - _SHAPES.keys())}


def family_of(freeze: str) -> str:
    """Return the family of a configuration."""
    return FreezeSpec.parse(freeze).family


def family_handles(shapes: Mapping[str, str]) -> list[Line2D]:
    """Return the legend's entries of families."""
    return [
        Line2D(
            [], [], ls="", color="none", mec=INK, mew=1.1, marker=shape, ms=6, label=cut(visible(name), _WIDEST_FAMILY)
        )
        for name, shape in shapes.items()
    ]


def short_name(freeze: str) -> str:
    """Return the name of a configuration for a label in a picture; the middle of a long one is left out."""
    return cut(freeze, _WIDEST_NAME)


def legend_columns(freezes: Iterable[str]) -> int:
    """Return how many names of configurations fit side by side in a legend of the pictures' width."""
    longest = max((len(short_name(freeze)) for freeze in freezes), default=0)
    return next(number for number, widest in ((4, 11), (3, 18), (2, _WIDEST_NAME)) if longest <= widest)
