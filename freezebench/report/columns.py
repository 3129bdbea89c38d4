"""Columns: every figure of the summary as a terminal shows it, on its decimal point, its unit in the heading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from freezebench.report.terminal_text import columns_of, pad
from freezebench.specs.interim_looks import ALPHA_ONE_LOOK
from freezebench.units import NOT_MEASURED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.report.rows import Row
    from freezebench.verdicts.judge import ConfigurationResult

Style = Literal["", "strong", "good", "unsure", "bad", "faint"]

_VERDICTS: dict[str, tuple[str, Style]] = {
    "non_inferior": ("non-inferior", "good"),
    "inferior": ("inferior", "bad"),
    "inconclusive": ("inconclusive", "unsure"),
    "invalid": ("INVALID", "bad"),
    "baseline": ("baseline", "faint"),
}
_TESTS: dict[str, tuple[str, Style]] = {
    "ok": ("ok", "good"),
    "worse": ("WORSE", "bad"),
    "undecided": ("UNDECIDED", "unsure"),
    "broken": ("BROKEN", "bad"),
}
_THREE_DIGITS = 10
_SECONDS_UNTIL = 600
_JOULES_UNTIL = 10_000


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        heading: Its lines.
        cells: One per configuration.
        styles: How each cell looks; empty: plain.
        rank: How soon it gives way where room is short: the higher the sooner; 0 never does.
        about_cost: Whether it tells what training takes, not how good the result is.
        is_left: Whether its cells begin at one place instead of ending there.
    """

    heading: tuple[str, ...]
    cells: tuple[str, ...]
    styles: tuple[Style, ...] = ()
    rank: int = 0
    about_cost: bool = False
    is_left: bool = False

    @property
    def width(self) -> int:
        """The widest of its lines."""
        return max(map(columns_of, (*self.heading, *self.cells)))

    @property
    def says_anything(self) -> bool:
        """Whether some configuration has this figure."""
        return any(cell.strip() != NOT_MEASURED for cell in self.cells)


def columns(rows: Sequence[Row], results: Sequence[ConfigurationResult]) -> list[Column]:
    """Return the columns in the order in which they stand; figures that no configuration has take no room.

    Args:
        rows: The configurations' figures, least frozen first.
        results: What they come from, same order.
    """
    frozen, *verdicts = _frozen(rows), *_verdicts(rows, results)
    figures = [
        _drop(rows, results),
        _accuracy(rows),
        Column(heading=("limit", "points"), cells=aligned([row.limit_pp for row in rows], "{:g}".format), rank=7),
        Column(heading=("test F1", "% ± SD"), cells=_with_sd([(row.f1, row.f1_sd) for row in rows]), rank=5),
        *_costs(rows),
    ]
    return [frozen, *verdicts, *(column for column in figures if column.says_anything)]


def _frozen(rows: Sequence[Row]) -> Column:
    return Column(heading=("frozen",), cells=tuple(row.freeze for row in rows), is_left=True)


def _verdicts(rows: Sequence[Row], results: Sequence[ConfigurationResult]) -> list[Column]:
    """Return the verdict at the margin and, where a test asserts something, what became of it."""
    margin = next((result.verdict.margin_pp for result in results if result.verdict), None)
    words = [_VERDICTS[row.verdict] for row in rows]
    found = [
        Column(
            heading=("verdict",) if margin is None else ("verdict at", f"{margin:g} points"),
            cells=tuple(word for word, _ in words),
            styles=tuple(style for _, style in words),
            is_left=True,
        )
    ]
    tests: list[tuple[str, Style]] = [
        (NOT_MEASURED, "") if row.broken or (row.gate is None and not row.num_parts) else _TESTS[row.standing]
        for row in rows
    ]
    if any(word != NOT_MEASURED for word, _ in tests):
        cells, styles = tuple(word for word, _ in tests), tuple(style for _, style in tests)
        found.append(Column(heading=("test at", "limit"), cells=cells, styles=styles, is_left=True))
    return found


def _drop(rows: Sequence[Row], results: Sequence[ConfigurationResult]) -> Column:
    # Two one-sided bounds that each err with probability alpha make an interval of level 1 - 2 alpha.
    level = 100 * (1 - 2 * next((result.verdict.alpha for result in results if result.verdict), ALPHA_ONE_LOOK))
    parts = [aligned([getattr(row, name) for row in rows], "{:+.1f}".format) for name in _BOUNDS]
    cells = tuple(
        drop.strip() if row.lower_pp is None or row.upper_pp is None else f"{drop} [{low}, {up}]"
        for row, drop, low, up in zip(rows, *parts, strict=True)
    )
    return Column(heading=("drop, points", f"[{level:.0f} % interval]"), cells=cells)


_BOUNDS = ("drop_pp", "lower_pp", "upper_pp")


def _accuracy(rows: Sequence[Row]) -> Column:
    cells = _with_sd([(row.accuracy, row.accuracy_sd) for row in rows])
    return Column(heading=("test acc.", "% ± SD" if any("±" in cell for cell in cells) else "%"), cells=cells)


def _with_sd(figures: Sequence[tuple[float | None, float | None]]) -> tuple[str, ...]:
    """Return shares in per cent with their standard deviations over seeds, where there are several."""
    means = aligned([mean and 100 * mean for mean, _ in figures], "{:.1f}".format)
    spreads = aligned([sd if sd is None else 100 * sd for _, sd in figures], "{:.1f}".format)
    return tuple(
        mean if sd is None else f"{mean} ± {spread}"
        for mean, spread, (_, sd) in zip(means, spreads, figures, strict=True)
    )


def _costs(rows: Sequence[Row]) -> list[Column]:
    """Return what training takes, and what freezing saves of it."""
    on_gpu = rows[0].memory_metric == "peak_allocated_bytes"
    seconds = [row.train_s for row in rows]
    in_seconds = _smallest(seconds) < _SECONDS_UNTIL
    time_unit, time_scale = ("s", 1.0) if in_seconds else ("min", 60.0)
    memory = [row.peak_memory_bytes for row in rows]
    memory_unit, memory_scale = ("GiB", 2.0**30) if _smallest(memory) >= 2.0**29 else ("MiB", 2.0**20)
    memory_text = "{:.2f}".format if memory_unit == "GiB" else "{:.0f}".format
    energy = [row.energy_j for row in rows]
    energy_unit, energy_scale = ("J", 1.0) if _smallest(energy) < _JOULES_UNTIL else ("kJ", 1000.0)
    device = "GPU" if on_gpu else "process"
    return [
        _numbers(("train", "time", time_unit), _scaled(seconds, time_scale), _three_digits),
        _numbers(("speed-", "up"), [row.speedup for row in rows], "{:.2f}×".format),
        _numbers((device, "peak", memory_unit), _scaled(memory, memory_scale), memory_text),
        _numbers(("memory", "saved"), _percent([row.memory_saving for row in rows]), "{:.0f} %".format, rank=2),
        _numbers(("GPU" if on_gpu else "CPU", "energy", energy_unit), _scaled(energy, energy_scale), "{:.0f}".format),
        _energy_saved(rows),
        _numbers(("trains,", "share"), _percent([row.trainable_fraction for row in rows]), "{:.1f} %".format, rank=1),
        _numbers(("trainable", "params"), [row.num_trainable_params for row in rows], "{:,}".format, rank=4),
        _numbers(("samples", "/s"), [row.samples_per_s for row in rows], "{:,.0f}".format, rank=6),
        _numbers(
            ("J per", "1000", "samples"), [row.energy_per_1000_samples_j for row in rows], "{:.1f}".format, rank=8
        ),
    ]


def _energy_saved(rows: Sequence[Row]) -> Column:
    """Return the saving with the interval that the meters' uncertainties allow."""
    savings = aligned(_percent([row.energy_saving for row in rows]), "{:.0f} %".format)
    widths = aligned(_percent([row.energy_saving_uncertainty for row in rows]), "{:.0f}".format)
    cells = tuple(
        saving if row.energy_saving is None or row.energy_saving_uncertainty is None else f"{saving} ± {width}"
        for row, saving, width in zip(rows, savings, widths, strict=True)
    )
    return Column(heading=("energy", "saved"), cells=cells, rank=3, about_cost=True)


def _numbers(
    heading: tuple[str, ...], values: Sequence[float | None], text: Callable[[float], str], *, rank: int = 0
) -> Column:
    """Return a column of what training takes."""
    return Column(heading=heading, cells=aligned(values, text), rank=rank, about_cost=True)


def aligned(values: Sequence[float | None], text: Callable[[float], str]) -> tuple[str, ...]:
    """Return numbers of one width whose decimal points stand below each other; what is missing is a dash.

    Args:
        values: The numbers.
        text: Writes one of them.
    """
    texts = [NOT_MEASURED if value is None else _without_negative_zero(text(value)) for value in values]
    fractions = [len(cell) - cell.index(".") if "." in cell else 0 for cell in texts]
    longest = max(fractions)
    texts = [cell + " " * (longest - fraction) for cell, fraction in zip(texts, fractions, strict=True)]
    width = max(map(columns_of, texts))
    return tuple(pad(cell, width, left=False) for cell in texts)


def _without_negative_zero(text: str) -> str:
    return text.replace("-", "+" if text == "-0.0" else "", 1) if text.strip("-0. %") == "" else text


def _three_digits(value: float) -> str:
    """Return a number with three significant digits, from 10 on with one decimal."""
    if value >= _THREE_DIGITS:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _smallest(values: Sequence[float | None]) -> float:
    return min((value for value in values if value is not None), default=0.0)


def _scaled(values: Sequence[float | None], scale: float) -> list[float | None]:
    return [None if value is None else value / scale for value in values]


def _percent(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else 100 * value for value in values]
