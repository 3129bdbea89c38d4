"""Comparison with a saved pytest-benchmark run: old beside new, and whatever found no partner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from freezebench.units import NOT_MEASURED, bytes_text, energy_text, ratio_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HEADERS = ["frozen", "accuracy %", "train time", "ratio", "peak memory", "ratio", "energy", "ratio"]


def comparison_lines(
    saved: Mapping[str, Any], current: Mapping[str, Mapping[str, Any]], *, other_machine: bool
) -> list[str]:
    """Return a table of saved against current figures and sentences about what cannot be compared.

    Args:
        saved: A pytest-benchmark JSON file.
        current: What this session saves with each benchmark, by node id.
        other_machine: Whether the saved run was made on another CPU model.
    """
    old = {
        bench["fullname"]: bench["extra_info"]["freezebench"]
        for bench in saved.get("benchmarks", [])
        if isinstance(bench.get("extra_info", {}).get("freezebench"), dict)
    }
    both = [name for name in current if name in old]
    lines = [f"freezebench: compared with the run of {saved.get('datetime', 'unknown date')}, saved → now"]
    if both:
        lines.append(tabulate([_cells(old[name], current[name]) for name in both], _HEADERS, disable_numparse=True))
    lines += [_difference(name, old[name], current[name]) for name in both if _differing(old[name], current[name])]
    lines += [f"Not in the saved run: {name}." for name in current if name not in old]
    lines += [f"Only in the saved run: {name}." for name in old if name not in current]
    if other_machine and both:
        lines.append("The saved run was made on another CPU model: times, memory and energy do not compare.")
    return lines


def _cells(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return one configuration's line."""
    return [
        str(new["freeze"]),
        _arrow(old, new, "accuracy", lambda value: NOT_MEASURED if value is None else f"{100 * value:.1f}"),
        _arrow(old, new, "train_s", seconds_text),
        _ratio(old, new, "train_s"),
        _arrow(old, new, "peak_memory_bytes", bytes_text),
        _ratio(old, new, "peak_memory_bytes"),
        _arrow(old, new, "energy_j", energy_text),
        _ratio(old, new, "energy_j"),
    ]


def _arrow(old: Mapping[str, Any], new: Mapping[str, Any], metric: str, text: Callable[[float | None], str]) -> str:
    return f"{text(old.get(metric))} → {text(new.get(metric))}"


def _ratio(old: Mapping[str, Any], new: Mapping[str, Any], metric: str) -> str:
    before, now = old.get(metric), new.get(metric)
    return ratio_text(now / before if before and now is not None else None)


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what has to be equal for figures to compare, and is not."""
    names = {"experiment_id": "model, data or protocol", "test_sha256": "test sentences", "precision": "precision"}
    return [text for name, text in names.items() if old.get(name) != new.get(name)]


def _difference(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return f"Not comparable: {name} was saved with other {' and '.join(_differing(old, new))}."
