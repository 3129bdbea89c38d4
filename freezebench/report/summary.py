"""Tables: the summary that pytest prints and the report repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tabulate import tabulate

from freezebench.records.headline import headline_metrics
from freezebench.report.breakdown import breakdown_table, breakdowns, grid_sentence
from freezebench.report.rows import Row, row
from freezebench.report.verdict_text import (
    decided_sentence,
    prefix_sentence,
    recommendation_sentence,
    safe_prefix_sentence,
)
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.interim_looks import ALPHA_ONE_LOOK
from freezebench.units import (
    NOT_MEASURED,
    bytes_text,
    count_text,
    energy_text,
    number_text,
    percent_text,
    ratio_text,
    seconds_text,
)
from freezebench.verdicts.conclusions import conclusions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from freezebench.config.settings import Settings
    from freezebench.verdicts.judge import ConfigurationResult

# So many of a summary's lines are the answer; those after them qualify it.
NUM_ANSWERS = 3

_MEMORY_NAMES = {"peak_allocated_bytes": "GPU memory", "peak_rss_bytes": "process memory"}
_ENERGY_NAMES = {"energy_j": "GPU energy", "cpu_energy_j": "CPU package energy"}
_VERDICT_WORDS = {
    "non_inferior": "non-inferior",
    "inferior": "inferior",
    "inconclusive": "inconclusive",
    "invalid": "INVALID",
    "baseline": "baseline",
}


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One experiment's results, ready to be shown.

    Attributes:
        title: What was trained on what, where.
        results: The configurations, least frozen first.
        rows: Their figures, same order.
        lines: The sentences under the table.
    """

    title: str
    results: tuple[ConfigurationResult, ...]
    rows: tuple[Row, ...]
    lines: tuple[str, ...]

    @property
    def breakdown(self) -> tuple[tuple[str, ...], list[list[str]]]:
        """Headers and cells of the table of where the time went; empty where that was not measured."""
        return breakdown_table(breakdowns(self.results))

    def table(self, style: str = "simple") -> str:
        """Return the table in one of tabulate's styles; the header has one line in Markdown."""
        separator = " " if style in ("github", "pipe") else "\n"
        columns = _columns(self.rows, self.results)
        headers = [header.replace("\n", separator) for header, _ in columns]
        cells = [[cell(row) for _, cell in columns] for row in self.rows]
        # Numbers are formatted already: tabulate must neither parse nor align them by their decimal point.
        alignment = ["left"] + ["right"] * (len(headers) - 2) + ["left"]
        return tabulate(cells, headers=headers, tablefmt=style, disable_numparse=True, colalign=alignment)


def summarize(results: Sequence[ConfigurationResult], settings: Settings) -> Summary:
    """Return the summary of one experiment.

    Args:
        results: At least one configuration's result.
        settings: What was asked for.
    """
    ordered = sorted(results, key=lambda result: FreezeSpec.parse(result.freeze).frozen_order)
    rows = [row(result) for result in ordered]
    return Summary(
        title=_title(ordered, settings),
        results=tuple(ordered),
        rows=tuple(rows),
        lines=tuple(_lines(ordered, rows, settings)),
    )


def _columns(rows: Sequence[Row], results: Sequence[ConfigurationResult]) -> list[tuple[str, Callable[[Row], str]]]:
    """Return header and cell of every column; the headline metrics of memory and energy name themselves."""
    memory = _MEMORY_NAMES[rows[0].memory_metric].replace(" ", "\n") + " peak"
    energy = _ENERGY_NAMES[rows[0].energy_metric].replace(" ", "\n", 1)
    # Two one-sided bounds that each err with probability alpha make an interval of level 1 - 2 alpha.
    level = 100 * (1 - 2 * next((result.verdict.alpha for result in results if result.verdict), ALPHA_ONE_LOOK))
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("frozen", lambda row: row.freeze),
        ("trainable\nparams", lambda row: count_text(row.num_trainable_params)),
        ("share", lambda row: percent_text(row.trainable_fraction)),
        ("train\ntime", lambda row: seconds_text(row.train_s)),
        ("speed-\nup", lambda row: ratio_text(row.speedup)),
        ("samples\n/s", lambda row: number_text(row.samples_per_s, 0)),
        (memory, lambda row: bytes_text(row.peak_memory_bytes)),
        ("memory\nsaved", lambda row: percent_text(row.memory_saving, 0)),
        (energy, lambda row: energy_text(row.energy_j)),
        ("J per 1000\nsamples", lambda row: number_text(row.energy_per_1000_samples_j)),
        ("energy\nsaved", _energy_saved),
        ("test accuracy\n% ± SD", lambda row: _mean_sd(row.accuracy, row.accuracy_sd)),
        ("test F1\n% ± SD", lambda row: _mean_sd(row.f1, row.f1_sd)),
        (f"drop, points\n[{level:.0f} % interval]", _drop),
        ("limit", lambda row: number_text(row.limit_pp)),
        ("verdict at margin,\ntest at limit", _verdict),
    ]
    if all(row.energy_j is None for row in rows):
        # Its neighbours say already that no energy was measured.
        columns = [column for column in columns if not column[0].startswith("J per")]
    return columns


def _mean_sd(mean: float | None, sd: float | None) -> str:
    """Return a share in per cent with its standard deviation over seeds, where there are several."""
    if mean is None:
        return NOT_MEASURED
    return f"{100 * mean:.1f}" + ("" if sd is None else f" ± {100 * sd:.1f}")


def _energy_saved(row: Row) -> str:
    """Return the saving with the interval that the meters' uncertainties allow."""
    text = percent_text(row.energy_saving, 0)
    if row.energy_saving is None or row.energy_saving_uncertainty is None:
        return text
    return f"{text} ± {100 * row.energy_saving_uncertainty:.0f}"


def _drop(row: Row) -> str:
    if row.drop_pp is None or row.lower_pp is None or row.upper_pp is None:
        return NOT_MEASURED
    return f"{row.drop_pp:+.1f} [{row.lower_pp:+.1f}, {row.upper_pp:+.1f}]"


def _verdict(row: Row) -> str:
    word = _VERDICT_WORDS[row.verdict]
    if row.broken or (row.gate is None and not row.num_parts):
        return word
    gate = {"ok": "ok", "worse": "WORSE", "undecided": "UNDECIDED", "broken": "BROKEN"}[row.standing]
    return f"{word}, {gate}"


def _title(results: Sequence[ConfigurationResult], settings: Settings) -> str:
    """Return what was trained on what, where."""
    record = next((record for result in results for record in result.records if record.is_valid), None)
    parts = [f"{settings.model} on {settings.data.source}"]
    if record is not None and record.data is not None:
        generated = " generated" if record.data.generated else ""
        parts.append(f"{record.data.num_train:,} training and {record.data.num_test:,}{generated} test sentences")
        parts.append(f"{record.device_name} ({record.device}, {record.precision})")
    protocol = settings.protocol
    epochs = f"{protocol.num_epochs} epoch" + ("s" if protocol.num_epochs > 1 else "")
    parts.append(f"{epochs}, batch {protocol.batch_size}")
    parts.append(f"engine {protocol.engine}, frozen part in {protocol.frozen_part_runs_in} mode")
    counts = sorted({len(result.records) for result in results if not result.broken}) or [0]
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    parts.append(f"{seeds} seed" + ("" if seeds == "1" else "s"))
    return "; ".join(parts)


def _lines(results: Sequence[ConfigurationResult], rows: Sequence[Row], settings: Settings) -> list[str]:
    """Return the sentences under the table: the answer, then what qualifies it."""
    lines = [safe_prefix_sentence(results, rows, settings.margin_pp)]
    basis = f"limits from {settings.limits_from}" if settings.limits_from else "no limit asserted"
    lines.append(
        f"{decided_sentence(results)} at {'their limits' if settings.limits_from else 'the margin'} "
        f"({basis}; margin {settings.margin_pp:g} points)."
    )
    lines.insert(1, recommendation_sentence(results, rows, settings.margin_pp))
    lines += [
        f"Limit {part.standing if part.standing == 'ok' else part.standing.upper()}: {result.freeze}: {part.sentence}."
        for result in results
        for part in result.parts
    ]
    lines += [line for line in (prefix_sentence(results), grid_sentence(results)) if line]
    lines += [line for line in (part.sentence() for part in breakdowns(results)) if line]
    lines += [f"Broken: {row.freeze}: {row.broken.rstrip('.')}." for row in rows if row.broken]
    records = [record for result in results for record in result.records if record.is_valid]
    if any(record.data and record.data.generated for record in records):
        lines.append("The sentences were generated by freezebench: the figures say nothing about another data set.")
    lines += [
        f"Data: {note}" for note in _once(note for record in records if record.data for note in record.data.notes)
    ]
    undertrained = [result.freeze for result in results if result.undertrained]
    if undertrained:
        lines.append(
            f"Undertrained: the best epoch was the last one for {', '.join(undertrained)}; "
            "more epochs might raise their accuracy."
        )
    lines += [f"Warning: {warning}." for warning in _once(w.rstrip(".") for result in results for w in result.warnings)]
    lines += _footnotes(results)
    lines += [conclusion.sentence for conclusion in conclusions(results, settings.margin_pp)]
    return lines


def _footnotes(results: Sequence[ConfigurationResult]) -> list[str]:
    """Return one line per distinct reason for a headline figure that was not or only partly measured."""
    titles: dict[str, list[str]] = {}
    for result in results:
        for record in result.records:
            for name in headline_metrics(result.records):
                reading = record.readings.get(name)
                if reading is not None and reading.reason:
                    state = "not measured" if reading.value is None else "partly measured"
                    titles.setdefault(f"{state}: {reading.reason}", []).append({**_ENERGY_NAMES, **_MEMORY_NAMES}[name])
    return [f"{', '.join(_once(names))} {reason.rstrip('.')}." for reason, names in titles.items()]


def _once(items: Iterable[str]) -> list[str]:
    """Return the items in order, each once."""
    return list(dict.fromkeys(items))
