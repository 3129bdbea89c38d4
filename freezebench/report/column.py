"""What a result column is: where its figures come from, what they mean, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

from freezebench.report.contention import MARK
from freezebench.units import NOT_MEASURED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.meters.metrics import OverSeeds
    from freezebench.verdicts.vocabulary import Term

# A column changes its unit where its smallest figure would have four digits or more; memory from half a GiB on.
_SECONDS_UNTIL = 600
_JOULES_UNTIL = 10_000
_GIB_FROM = 2.0**29
_THREE_DIGITS = 10


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The unit of a whole column of the terminal, where cells are aligned and the unit is in the heading.

    Attributes:
        unit: What the heading shows.
        factor: How many of the column's units make one of these.
        text: Writes a figure in this unit.
    """

    unit: str
    factor: float
    text: Callable[[float], str]


class Tabled(Protocol):
    """What a row of a table is: the figures of a configuration, or of a whole experiment."""

    @property
    def is_contended(self) -> bool:
        """Whether its times are those of contended runs, since there are no others."""


RowT = TypeVar("RowT", bound=Tabled)


@dataclass(frozen=True, kw_only=True)
class Column(Generic[RowT]):
    """One column of results.

    Headings may hold ``{names}``, ``{memory}``, ``{energy}``, ``{device}``, ``{meter}``, ``{level}``, ``{margin}``,
    ``{sd}`` and ``{unit}``, which ``heading_words`` and the column's scale fill in.

    Attributes:
        name: Its name in CSV and JSON, a field of the row or a name of its own.
        heading: Long heading, for Markdown and page.
        short_heading: Lines of the heading on a terminal.
        unit: Unit of its figures; empty for texts and ratios.
        source: Where a figure comes from: a function of a row, which gives it in the column's unit.
        aggregation: How the figures of several seeds become one; empty where all seeds have the same.
        better: Which direction is better; ``None`` where neither is.
        text: Writes a figure with its unit.
        spread: Figure that follows after ``±``, and ``spread_text``, which writes it.
        bounds: Figures in brackets, the lower and the upper bound, where both are known; ``bound_text`` writes them.
        needs_quiet: Whether other work on the processors falsifies it, so that figures of contended runs get a mark.
        scale: Unit of a whole column, by its smallest figure; ``None``: ``text`` gives each figure its own.
        term: Word and colour of a column of texts; the figure is then only what the page sorts by.
        is_cost: Whether it is about what training takes, not about how good the result is.
        rank: When it goes to a further table on a narrow terminal: the higher the sooner; 0 is in the first ones.
        hide_empty: Whether Markdown, too, leaves it out where no configuration has a figure.
        hide_equal: Whether all renderings leave it out where all configurations have the same.
        page_only: Whether terminal and Markdown leave it out.
        empty_words: Cells that say nothing, so that a column of them is left out.
    """

    name: str
    heading: str
    short_heading: tuple[str, ...] = ()
    unit: str = ""
    source: Callable[[RowT], float | None]
    aggregation: OverSeeds | Literal["mean", "geometric mean", ""] = ""
    better: Literal["lower", "higher"] | None = None
    text: Callable[[float], str] = str
    spread: Callable[[RowT], float | None] | None = None
    spread_text: Callable[[float], str] = str
    bounds: tuple[Callable[[RowT], float | None], Callable[[RowT], float | None]] | None = None
    bound_text: Callable[[float], str] = str
    needs_quiet: bool = False
    scale: Callable[[float], Scale] | None = None
    term: Callable[[RowT], Term] | None = None
    is_cost: bool = False
    rank: int = 0
    hide_empty: bool = False
    hide_equal: bool = False
    page_only: bool = False
    empty_words: tuple[str, ...] = (NOT_MEASURED,)

    def cell(self, row: RowT) -> str:
        """Return a configuration's cell, its unit included."""
        if self.term is not None:
            return self.term(row).word
        value = self.source(row)
        if value is None:
            return NOT_MEASURED
        cell = self.text(value)
        if self.spread is not None and (spread := self.spread(row)) is not None:
            cell += f" ± {self.spread_text(spread)}"
        known = [value for value in (bound(row) for bound in self.bounds or ()) if value is not None]
        if known and len(known) == len(self.bounds or ()):
            cell += f" [{', '.join(map(self.bound_text, known))}]"
        return cell + self.mark(row)

    def in_one_unit(self, rows: Sequence[RowT]) -> Column[RowT]:
        """Return the column with all its cells in the unit that its heading has on a terminal."""
        known = [value for value in map(self.source, rows) if value is not None]
        if self.scale is None or not known:
            return self
        scale = self.scale(min(known))
        return replace(self, text=lambda value: f"{scale.text(value / scale.factor)} {scale.unit}")

    def mark(self, row: RowT) -> str:
        """Return what follows a figure of which only runs on a busy machine are known; empty for the others."""
        return f" {MARK}" if self.needs_quiet and row.is_contended else ""

    def is_empty(self, rows: Sequence[RowT]) -> bool:
        """Return whether no configuration has this figure, or all have the same and it is to be left out then."""
        cells = {self.cell(row) for row in rows}.difference(self.empty_words)
        return len(cells) <= int(self.hide_equal)

    @property
    def description(self) -> str:
        """How the figures of several seeds become one, and which direction is better."""
        parts = [
            f"{self.aggregation} over the seeds" if self.aggregation else "",
            f"{self.better} is better" if self.better else "",
        ]
        return ", ".join(filter(None, parts))


def percent_number(digits: int) -> Callable[[float], str]:
    """Return a function that writes a share in per cent without the sign, which is in the heading."""
    return lambda value: f"{100 * value:z.{digits}f}"


def points_text(value: float) -> str:
    """Return percentage points with one decimal and their sign, which is ``+`` of a rounded zero."""
    return f"{value:+z.1f}"


def times_text(value: float) -> str:
    """Return a multiple with two decimals, from 100 on with none."""
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"  # noqa: PLR2004 - three digits


def time_scale(smallest: float) -> Scale:
    """Return seconds, or minutes for a column whose smallest figure is large."""
    if smallest < _SECONDS_UNTIL:
        return Scale(unit="s", factor=1.0, text=_three_digits)
    return Scale(unit="min", factor=60.0, text=_three_digits)


def memory_scale(smallest: float) -> Scale:
    """Return MiB, or GiB for a column whose smallest figure is large."""
    if smallest >= _GIB_FROM:
        return Scale(unit="GiB", factor=2.0**30, text="{:.2f}".format)
    return Scale(unit="MiB", factor=2.0**20, text="{:.0f}".format)


def energy_scale(smallest: float) -> Scale:
    """Return J, or kJ for a column whose smallest figure is large."""
    if smallest < _JOULES_UNTIL:
        return Scale(unit="J", factor=1.0, text="{:.0f}".format)
    return Scale(unit="kJ", factor=1000.0, text="{:.0f}".format)


def _three_digits(value: float) -> str:
    """Return a number with three significant digits, from 10 on with one decimal."""
    if value >= _THREE_DIGITS:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"
