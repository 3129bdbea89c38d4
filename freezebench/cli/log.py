"""``log``: saved runs for experiment trackers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from freezebench.cli.arguments import parsed_argument
from freezebench.cli.output import write_error, write_lines
from freezebench.config.options import BY_NAME
from freezebench.config.parsers import parse_folder

if TYPE_CHECKING:
    import argparse


def log_runs(options: argparse.Namespace) -> int:
    """Log the runs and verdicts of saved reports, print where, and return 0; 1 if something could not be logged.

    Raises:
        FreezebenchError: If a report cannot be read, or a tracker's library is missing or not set up.
    """
    from freezebench.escaping import shell_word
    from freezebench.report.experiment import read_experiments
    from freezebench.report.publish import saved_files
    from freezebench.report.tracking.export import log_experiments
    from freezebench.report.tracking.registry import make_trackers

    names = cast("tuple[str, ...]", BY_NAME["log"].parse(options.to, "--to"))
    trackers = make_trackers(names, "--to")
    paths = [Path(parsed_argument(parse_folder, text, "DIR")) for text in options.paths]
    reports = {path: read_experiments(path) for path in paths}
    outcomes = [
        outcome
        for tracker in trackers
        for path, experiments in reports.items()
        for outcome in log_experiments(
            experiments,
            tracker,
            again=f"Run: python -m freezebench log {shell_word(str(path))} --to={tracker.name}",
            files=saved_files(path),
        )
    ]
    write_lines([outcome.sentence for outcome in outcomes if not outcome.is_failure])
    for outcome in outcomes:
        if outcome.is_failure:
            write_error(outcome.sentence)
    return int(any(outcome.is_failure for outcome in outcomes))
