"""``judge``: finished runs by another metric, margin or limit, without training."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.cli.arguments import check_configurations, parsed_argument
from freezebench.cli.output import write, write_error, write_lines
from freezebench.config.metric_limits import check_amounts
from freezebench.config.parsers import parse_folder
from freezebench.config.sources import Source, parse_sources
from freezebench.errors import FreezebenchError, RecordError
from freezebench.escaping import json_text
from freezebench.specs.grid import PerSpec
from freezebench.specs.limits import DEFAULT_MARGIN_PP

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from freezebench.config.sources import ParsedOptions
    from freezebench.planning.finished_grid import FinishedGrid, Judging
    from freezebench.report.experiment import Experiment
    from freezebench.report.summary import Summary
    from freezebench.specs.interim_looks import InterimLooks
    from freezebench.specs.json_types import Json
    from freezebench.verdicts.judge import ConfigurationResult

_LARGEST_WIDTH = 200


def judge_runs(options: argparse.Namespace) -> int:
    """Print tables and answers of finished runs and return 0, 1 (past a limit), 2 (undecided, if strict).

    Raises:
        FreezebenchError: If an option or a file is bad, or the runs lack what the metric needs.
    """
    from freezebench.report.summary import summarize

    folder, parsed = Path(parsed_argument(parse_folder, options.folder, "DIR")), _parsed(options)
    judging = _judging(parsed)
    grids = _with_metric(_grids(folder), judging)
    if not {"metric", "margin"} & set(parsed.values):
        _name_other_judging(grids, judging)
    freezes = dict.fromkeys(freeze for grid in grids for freeze in grid.freezes)
    check_configurations(parsed, ["max_drop"], freezes, str(folder))
    try:
        summaries = [summarize(grid.judge(judging), grid.settings(judging)) for grid in grids]
    except FreezebenchError:
        raise
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        # Files are not validated value by value when they are read, so a wrong type is found only here.
        raise RecordError(
            f"{folder}: holds something that cannot be judged ({error!r}). Run its session again."
        ) from error
    code = _exit_code([result for summary in summaries for result in summary.results], strict=options.strict)
    if options.json:
        write(json_text(_json(grids, summaries, judging, code), indent=1) + "\n")
    else:
        _print(summaries, verbose=options.verbose)
    return code


def _parsed(options: argparse.Namespace) -> ParsedOptions:
    """Return the options that runs are judged by.

    Raises:
        SettingsError: If one has a bad value, or the metric needs a margin.
    """
    # The parsers of pytest's options, so that both accept and refuse the same values.
    names = ("metric", "margin", "max_drop", "max_slice_drop", "max_test_drop")
    values = {name: getattr(options, name) for name in names}
    parsed = parse_sources([Source(label="--{dashed_name}", values=values)], session_wide=False)
    with _current_folder():
        check_amounts(parsed)
    return parsed


def _judging(parsed: ParsedOptions) -> Judging:
    """Return what runs are judged by."""
    from freezebench.planning.finished_grid import Judging

    metric: str | None = parsed.get("metric", None)
    return Judging(
        metric=metric,
        margin_pp=parsed.get("margin", DEFAULT_MARGIN_PP),
        max_drop=parsed.get("max_drop", PerSpec()),
        max_slice_drop=parsed.get("max_slice_drop", None),
        max_test_drop=parsed.get("max_test_drop", None),
    )


@contextmanager
def _current_folder() -> Iterator[None]:
    """Import a metric of the user from the current folder, too, which comes behind the installed modules."""
    folder = str(Path.cwd())
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _grids(folder: Path) -> list[FinishedGrid]:
    """Return the experiments of a folder: those of its report, and those of the store that the report lacks.

    Raises:
        RecordError: If there are none, or a file is damaged.
    """
    from freezebench.planning.finished_grid import grid_of_results, grids_of_runs
    from freezebench.records.run_folder import stored_runs
    from freezebench.records.saved_files import report_file
    from freezebench.report.experiment import read_experiments

    grids: list[FinishedGrid | None] = []
    is_file = folder.is_file()
    if is_file or report_file(folder).is_file():
        grids = [
            grid_of_results(item.results, _looks(item), _factors(item), _session_judging(item))
            for item in read_experiments(folder)
        ]
    reported = [grid for grid in grids if grid is not None]
    known = {grid.spec.experiment_id for grid in reported}
    stored = [] if is_file else grids_of_runs(stored_runs(folder))
    found = [*reported, *(grid for grid in stored if grid.spec.experiment_id not in known)]
    if not found:
        raise RecordError(
            f"{folder} holds no finished runs (seen from {Path.cwd()}). Give a folder that --freeze-report or "
            "--freeze-store wrote."
        )
    return found


def _with_metric(grids: list[FinishedGrid], judging: Judging) -> list[FinishedGrid]:
    """Return the experiments whose task has the metric, and name the others on standard error.

    A store holds the runs of all sessions, and no metric is one of all tasks. If none has it, judging says so.
    """
    refusals = [grid.refusal(judging) for grid in grids]
    if None not in refusals:
        return grids
    for grid, refusal in zip(grids, refusals, strict=True):
        if refusal is not None:
            write_error(f"{grid.spec.model} on {grid.spec.data.source} is left out: {refusal}")
    return [grid for grid, refusal in zip(grids, refusals, strict=True) if refusal is None]


def _name_other_judging(grids: list[FinishedGrid], judging: Judging) -> None:
    """Name on standard error the experiments whose sessions judged by another metric or margin than the usual ones."""
    for grid in grids:
        if grid.session_judging is None:
            continue
        metric, margin_pp = grid.session_judging
        options = [] if metric in (None, grid.usual_metric) else [f"--metric={metric}"]
        options += [f"--margin={margin_pp:g}"] if options or margin_pp != judging.margin_pp else []
        if options:
            write_error(
                f"{grid.spec.model} on {grid.spec.data.source} is judged by the usual metric and margin, "
                f"{judging.margin_pp:g} points; {' '.join(options)} judges it as its session did."
            )


def _session_judging(experiment: Experiment) -> tuple[str | None, float] | None:
    """Return the metric and the margin of a report's session; ``None`` if the report does not say them."""
    metric, margin = experiment.settings.get("metric"), experiment.settings.get("margin_pp")
    if not isinstance(margin, (int, float)) or not isinstance(metric, (str, type(None))):
        return None
    return metric, float(margin)


def _looks(experiment: Experiment) -> InterimLooks | None:
    """Return after how many seeds configurations were judged; ``None`` if the report does not say it."""
    from freezebench.report.experiment import subsettings
    from freezebench.specs.interim_looks import InterimLooks
    from freezebench.specs.typed import typed_fields

    try:
        return typed_fields(InterimLooks, dict(subsettings(experiment.settings, "looks")))
    except FreezebenchError:
        return None


def _factors(experiment: Experiment) -> tuple[float, ...]:
    """Return the factors of the rates that were tried; early reports have no results of the trials."""
    factors = experiment.settings.get("tune_lr")
    return tuple(float(str(factor)) for factor in factors) if isinstance(factors, list) else ()


def _exit_code(results: list[ConfigurationResult], *, strict: bool) -> int:
    """Return the exit code of the results of all experiments.

    Args:
        results: The results.
        strict: Whether what is undecided must not pass.
    """
    if any(result.standing in ("worse", "broken") for result in results):
        return 1
    # Without a limit, the margin is what is to be decided.
    verdicts = [result.verdict for result in results if not result.is_asserted]
    is_open = any(verdict is not None and verdict.outcome == "inconclusive" for verdict in verdicts)
    is_open = is_open or any(result.standing == "undecided" for result in results)
    return 2 if strict and is_open else 0


def _print(summaries: list[Summary], *, verbose: bool) -> None:
    """Print table, answer and sentences of every experiment, as a session does."""
    from freezebench.report.terminal_summary import closing_lines, summary_lines, title_line

    width = min(shutil.get_terminal_size((100, 24)).columns, _LARGEST_WIDTH)
    for summary in summaries:
        lines = summary_lines(summary, width, verbose=verbose)
        write_lines(
            [f"=== {title_line(summary, width - 4)}", *("".join(text for text, _ in line) for line in lines), ""]
        )
    if len(summaries) > 1:
        write_lines("".join(text for text, _ in line) for line in closing_lines(summaries, width))


def _json(grids: list[FinishedGrid], summaries: list[Summary], judging: Judging, code: int) -> dict[str, Json]:
    """Return the results in JSON types, for scripts."""
    from freezebench.records.files import plain
    from freezebench.report.columns import figures

    experiments: list[Json] = [
        {
            "model": grid.spec.model,
            "data": grid.spec.data.source,
            "answer": plain(summary.answer),
            "configurations": [
                {
                    **plain(figures(row)),
                    "verdict_at_margin": plain(result.verdict),
                    "verdict_at_limit": plain(result.gate),
                    "classes": plain(result.classes),
                    "slices": plain(result.slices),
                    "test_sets": plain(result.test_sets),
                }
                for row, result in zip(summary.rows, summary.results, strict=True)
            ],
        }
        for grid, summary in zip(grids, summaries, strict=True)
    ]
    return {"exit_code": code, "margin": judging.margin_pp, "experiments": experiments}
