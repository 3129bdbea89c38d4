"""``compare``: a saved run against an earlier one, without training."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

from freezebench.cli.arguments import check_configurations, parsed_argument
from freezebench.cli.output import write, write_lines
from freezebench.config.metric_limits import check_points
from freezebench.config.parsers import parse_run
from freezebench.config.session_settings import in_ci
from freezebench.config.sources import Source, parse_sources
from freezebench.errors import RecordError, SettingsError
from freezebench.escaping import json_text
from freezebench.specs.limits import DEFAULT_MARGIN_PP

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from freezebench.config.sources import ParsedOptions
    from freezebench.records.saved import SavedRun
    from freezebench.specs.json_types import Json
    from freezebench.verdicts.compare import Comparison

LIMITS = ("max_time", "max_energy", "max_memory")


def compare_runs(options: argparse.Namespace) -> int:
    """Print old against new and return 0 (pass), 1 (fail), 2 (undecided, if strict) or 4 (not comparable).

    A proven regression comes first: it stays one, even if other configurations could not be compared.

    Raises:
        FreezebenchError: If an option or a file is bad.
    """
    from freezebench.records.files import plain
    from freezebench.report.comparison import comparison_lines, remedy_lines
    from freezebench.specs.grid import PerSpec
    from freezebench.specs.limits import CostLimits
    from freezebench.verdicts.compare import compare

    # The parsers of pytest's options, so that both commands accept and refuse the same values.
    values = {name: getattr(options, name) for name in ("margin", *LIMITS)}
    parsed = parse_sources([Source(label="--{dashed_name}", values=values)], session_wide=False)
    values = {name: getattr(options, name) for name in ("compare_across", "allow_unmatched")}
    session = Source(label="--{dashed_name}", values=values)
    admitted = parse_sources([session], session_wide=True)
    across: tuple[str, ...] = admitted.get("compare_across", ())
    allowed: tuple[str, ...] = admitted.get("allow_unmatched", ())
    limits = {name: parsed.get(name, PerSpec()) for name in LIMITS}
    margin_pp = parsed.get("margin", DEFAULT_MARGIN_PP)
    names = [parsed_argument(parse_run, text, name) for text, name in ((options.old, "OLD"), (options.new, "NEW"))]
    old, new = (_saved_run(name, options.storage) for name in names)
    _check_margin(parsed, new)
    freezes = dict.fromkeys(configuration.freeze for configuration in (*old.configurations, *new.configurations))
    check_configurations(parsed, LIMITS, freezes, f"{options.old} or {options.new}")
    comparison = compare(old, new, margin_pp=margin_pp, costs=CostLimits(**limits), across=across)
    code = _exit_code(comparison, strict=options.strict, unmatched=_unmatched(old, new, comparison, allowed))
    if options.json:
        write(json_text(plain(_comparison_json(comparison, code)), indent=1) + "\n")
    else:
        write_lines([*comparison_lines(comparison), *remedy_lines(comparison, "--compare-across", across)])
    return code


def _check_margin(options: ParsedOptions, new: SavedRun) -> None:
    """Make sure that the margin fits the unit of the metrics that judge.

    Raises:
        SettingsError: If points are out of range, or a metric with a unit of its own has no margin.
    """
    for metric in {configuration.metric.name: configuration.metric for configuration in new.configurations}.values():
        if metric.unit == "points" and "margin" in options:
            check_points(options.get("margin", DEFAULT_MARGIN_PP), "--margin")
        elif metric.unit != "points" and "margin" not in options:
            raise SettingsError(
                f"{new.source} is judged by {metric.label}, in {metric.drop_unit}, in which no margin is usual. Give "
                "--margin, the largest acceptable loss in that unit."
            )


def _saved_run(name: str, storage: str) -> SavedRun:
    """Return the saved run at a path, or that of a number or name as ``--benchmark-compare`` takes it.

    Raises:
        FreezebenchError: If there is none, or it cannot be read.
    """
    from freezebench.records.benchmark_storage import DEFAULT_STORAGE, BenchmarkStorage, is_name
    from freezebench.records.reference_search import find_run
    from freezebench.records.saved_files import read_saved_run

    path = Path(os.path.expanduser(name))  # noqa: PTH111 - a user who does not exist is no error
    if os.path.exists(path) or not is_name(name):  # noqa: PTH110 - False for a name that no file can have
        return read_saved_run(path)
    if storage == DEFAULT_STORAGE and not os.path.isdir(".benchmarks"):  # noqa: PTH112 - likewise
        raise RecordError(
            f"compare {name}: there is no such file or folder (seen from {Path.cwd()}), and no folder .benchmarks, to "
            "which pytest-benchmark saves. Give a file, a report folder, or the number of a saved run, with "
            "--benchmark-storage=DIR if it is saved elsewhere."
        )
    requested = find_run(BenchmarkStorage.open(storage), name, option="compare", is_required=True)
    return cast("SavedRun", requested.saved)  # a run that is required is found, or refused there


def _unmatched(old: SavedRun, new: SavedRun, comparison: Comparison, allowed: Sequence[str]) -> list[str]:
    """Return the configurations without a partner that are not allowed to have none."""
    names = {*comparison.only_old, *comparison.only_new}
    configurations = [item for item in (*old.configurations, *new.configurations) if item.name in names]
    return [item.name for item in configurations if "all" not in allowed and item.freeze not in allowed]


def _exit_code(comparison: Comparison, *, strict: bool, unmatched: Sequence[str]) -> int:
    """Return the exit code of a comparison.

    Args:
        comparison: The comparison.
        strict: Whether what is undecided must not pass.
        unmatched: Names of the configurations that should have a partner.
    """
    if comparison.standing in ("worse", "broken"):
        return 1
    if all(pair.refused for pair in comparison.pairs) or any(pair.differences for pair in comparison.pairs):
        return 4
    # As in pytest: nobody may be watching who would notice that nothing was decided, or that a configuration is gone.
    is_unattended = in_ci() and (unmatched or not any(pair.is_decided for pair in comparison.pairs))
    return 2 if is_unattended or (strict and (unmatched or comparison.standing == "undecided")) else 0


def _comparison_json(comparison: Comparison, code: int) -> dict[str, Json]:
    """Return a comparison in JSON types, for scripts."""
    return {
        "exit_code": code,
        "standing": comparison.standing,
        "old": {"source": comparison.source, "date": comparison.date},
        "configurations": [
            {
                "freeze": pair.new.freeze,
                "old": pair.old.name,
                "new": pair.new.name,
                "refused": pair.refused,
                "compared_across": list(pair.admitted),
                "quantities": [asdict(observation) for observation in pair.observations],
            }
            for pair in comparison.pairs
        ],
        "only_old": list(comparison.only_old),
        "only_new": list(comparison.only_new),
    }
