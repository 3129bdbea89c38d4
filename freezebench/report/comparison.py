"""The comparison with a saved run: old and new figures of every configuration, verdicts, and what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.strategy_text import names_heading
from freezebench.report.terminal_table import text_tables
from freezebench.specs.node_ids import function_of
from freezebench.units import NOT_MEASURED, bytes_text, energy_text, listed, seconds_text, with_and
from freezebench.verdicts.compare import SAVED_RUN
from freezebench.verdicts.gate import COSTS
from freezebench.verdicts.matching import differences
from freezebench.verdicts.mean_squares import POINTS
from freezebench.verdicts.vocabulary import standing_term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.verdicts.compare import Comparison, Pair
    from freezebench.verdicts.observation import Observation

_MOST_NAMED = 8


def comparison_lines(comparison: Comparison, *, with_parts: bool = True, width: int = 100) -> list[str]:
    """Return a table of old and new figures, and sentences about limits and about what cannot be compared.

    Args:
        comparison: The comparison.
        with_parts: Whether each limit has a sentence; pytest's summary has them already.
        width: Largest width of the table, in columns of a terminal.
    """
    name = "" if comparison.reference == SAVED_RUN else f"{comparison.reference}, "
    lines = [f"freezebench: compared with {name}the run of {comparison.date} ({comparison.source}), saved → now"]
    if any(not pair.refused for pair in comparison.pairs):
        lines += text_tables(comparison_headers(comparison), comparison_cells(comparison), width)
    else:
        lines.append("Nothing was compared.")
    return lines + remarks(comparison, with_parts=with_parts)


def remarks(comparison: Comparison, *, with_parts: bool = True) -> list[str]:
    """Return the sentences under the table: limits, and what was not compared."""
    labelled = zip(comparison.pairs, _labels(comparison.pairs), strict=True)
    lines = [line for pair, label in labelled for line in _pair_lines(pair, label, with_parts=with_parts)]
    lines += _refused_lines(comparison)
    lines += [f"Not in {comparison.reference}: {name}." for name in comparison.only_new]
    lines += [f"Only in {comparison.reference}: {name}." for name in comparison.only_old]
    lines += [f"Not run, so not compared: {name}." for name in comparison.not_run]
    return _across_lines(comparison) + lines


def remedy_lines(comparison: Comparison, option: str, across: Sequence[str]) -> list[str]:
    """Return how configurations that differ could be compared all the same, or why they cannot be.

    Args:
        comparison: The comparison.
        option: The option that admits differences.
        across: What it admits already.
    """
    pairs = [pair for pair in comparison.pairs if pair.differences]
    items = [item for pair in pairs for item in differences(pair.old, pair.new) if not item.is_harmless]
    fixed = list(dict.fromkeys(item.fixed_part for item in items if item.name is None))
    if fixed:
        has = "has" if len(fixed) == 1 else "have"
        return [f"The {with_and(fixed)} {has} to be the same. Choose another run."]
    names = [*across, *(item.name for item in items if item.name is not None)]
    return [f"To compare across these: {option}={','.join(dict.fromkeys(names))}."] if items else []


def _across_lines(comparison: Comparison) -> list[str]:
    """Return what differs and was compared across on request, once for all configurations in which it does."""
    names: dict[str, list[str]] = {}
    for pair, label in zip(comparison.pairs, _labels(comparison.pairs), strict=True):
        for text in pair.admitted:
            names.setdefault(text, []).append(label)
    everywhere = len(comparison.pairs)
    return [
        f"Compared across: {text}" + ("." if len(specs) == everywhere else f" ({', '.join(specs)}).")
        for text, specs in names.items()
    ]


def comparison_headers(comparison: Comparison) -> tuple[str, ...]:
    """Return the headers of the table."""
    metrics = {pair.new.metric.name: pair.new.metric for pair in comparison.pairs if not pair.refused}
    # A folder may hold experiments of several metrics.
    headings = [f"{metric.label} %" if metric.unit == "points" else metric.label for metric in metrics.values()]
    metric = headings[0] if len(headings) == 1 else "metric"
    return (names_heading(pair.new.freeze for pair in comparison.pairs), metric, *COSTS)


def comparison_cells(comparison: Comparison) -> list[list[str]]:
    """Return the cells of every configuration that was compared, in the order of the headers: old → new."""
    labelled = zip(comparison.pairs, _labels(comparison.pairs), strict=True)
    return [[label, *map(_cell, pair.observations)] for pair, label in labelled if not pair.refused]


def _labels(pairs: Sequence[Pair]) -> list[str]:
    """Return what configurations are called: by the freeze spec; with several experiments, as in the ids of tests."""
    specs = [pair.new.freeze for pair in pairs]
    names = [pair.new.name for pair in pairs]
    cases = [name.removeprefix(f"{function_of(name)}[").removesuffix("]") for name in names]
    return next((labels for labels in (specs, cases) if len(set(labels)) == len(labels)), names)


def _pair_lines(pair: Pair, label: str, *, with_parts: bool) -> list[str]:
    """Return the sentences about one configuration."""
    lines = []
    if pair.new.node_id and pair.old.node_id and pair.new.node_id != pair.old.node_id:
        lines.append(f"Renamed: {pair.old.node_id} is now {pair.new.node_id}.")
    for observation in pair.observations:
        if observation.standing is not None:
            word = standing_term(observation.standing, is_cost=not observation.is_metric).word
            lines += [f"{word}: {label}: {observation.sentence}."] if with_parts else []
        elif observation.sentence:
            lines.append(f"{label}: {observation.sentence}.")
    return lines


def _refused_lines(comparison: Comparison) -> list[str]:
    """Return what was not compared, one sentence per reason."""
    names: dict[str, list[str]] = {}
    for pair in comparison.pairs:
        if pair.refused:
            names.setdefault(pair.refused.rstrip("."), []).append(pair.new.name)
    return [f"Not compared: {listed(refused, _MOST_NAMED)}: {reason}." for reason, refused in names.items()]


def _cell(observation: Observation) -> str:
    """Return one quantity: old → new, the ratio of a cost, and the standing where a limit is asserted."""
    old, new = observation.old, observation.new
    cell = " → ".join(_figure(observation, value) for value in (old, new))
    # The metric is judged by its difference, so it has no ratio.
    if not observation.is_metric and observation.is_comparable and old and new is not None:
        cell += f" ({new / old:.3f}×)"
    if observation.standing:
        return f"{cell} {standing_term(observation.standing, is_cost=not observation.is_metric).word}"
    return cell if observation.is_comparable else f"{cell} not comparable"


def _figure(observation: Observation, value: float | None) -> str:
    if observation.scale is None:
        return {"train time": seconds_text, "peak memory": bytes_text, "energy": energy_text}[observation.quantity](
            value
        )
    if value is None:
        return NOT_MEASURED
    return f"{100 * value:.1f}" if observation.scale == POINTS else f"{value:.3f}"
