"""The commands that need no pytest.

``python -m freezebench doctor`` lists what this machine can train on and measure;
``python -m freezebench compare OLD NEW`` compares a saved run with an earlier one;
``python -m freezebench fetch`` downloads the data set ``reviews``;
``python -m freezebench init`` writes a first freeze test, ini keys and a workflow into a project;
``python -m freezebench judge DIR`` judges finished runs by another metric or margin;
``python -m freezebench log DIR --to=TRACKERS`` logs saved runs to experiment trackers;
``python -m freezebench report DIR`` makes the page of saved runs.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, NoReturn

from freezebench import __version__
from freezebench.cli.compare import LIMITS, compare_runs
from freezebench.cli.doctor import doctor
from freezebench.cli.judge import judge_runs
from freezebench.cli.log import log_runs
from freezebench.cli.output import close_output, flush_output, write_error, write_lines
from freezebench.cli.report import make_report
from freezebench.errors import FreezebenchError
from freezebench.escaping import terminal_text
from freezebench.records.benchmark_storage import DEFAULT_STORAGE
from freezebench.specs.limits import DEFAULT_MARGIN_PP

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMPARE = """exit codes:
  0  nothing is inferior, exceeded or invalid (with --strict: nothing is inconclusive or without a partner either)
  1  the metric of a configuration is inferior, a limit is exceeded, or a new run is invalid
  2  with --strict: a verdict is inconclusive, or a configuration has no partner; in continuous integration: a
     configuration has no partner, or every verdict on the metric is inconclusive
  4  bad input: a file cannot be read, model, data or protocol differ, or nothing can be compared
"""
_JUDGE = """exit codes:
  0  no configuration is inferior at a limit, and none is invalid (with --strict: none is inconclusive either)
  1  a configuration is inferior at a limit, or its runs are invalid
  2  with --strict: a configuration is inconclusive
  4  bad input: an option or a file cannot be read, or the runs lack what the metric needs
"""
# Those of a shell: 128 and the number of the signal.
_INTERRUPTED, _OUTPUT_CLOSED = 130, 141


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    A bad command line exits with 4, as in pytest; Ctrl-C with 130; and with 141 where standard output is closed before
    everything is written, as by ``| head -1``.
    """
    try:
        code = _run(arguments)
        flush_output()
    except KeyboardInterrupt:
        return _complain("interrupted", _INTERRUPTED)
    except BrokenPipeError:
        close_output()
        return _OUTPUT_CLOSED
    except FreezebenchError as error:
        return _complain(f"error: {error}", 4)
    except OSError as error:
        place = "standard output" if error.filename is None else error.filename
        close_output()
        return _complain(
            f"error: {place}: {error.strerror or error}. Give a path that can be read, or written to, and has space.", 4
        )
    return code


def _run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    Raises:
        FreezebenchError: If its input is bad.
    """
    parser = _parser()
    try:
        options, unknown = parser.parse_known_args(arguments)
        if unknown:
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except argparse.ArgumentError as error:
        return _complain(f"{parser.format_usage()}error: {error}", 4)
    except SystemExit as stop:
        # argparse exits with 2 for what pytest calls a usage error.
        return 4 if stop.code else 0
    if options.command == "doctor":
        return doctor(as_json=options.json, cluster=options.freeze_cluster)
    return _COMMANDS[options.command](options)


def _complain(message: str, code: int) -> int:
    """Write a message to standard error, and return an exit code."""
    stream: object = sys.stderr
    if stream is not None:
        sys.stderr.write(f"{terminal_text(message)}\n")
    return code


class _Parser(argparse.ArgumentParser):
    """A parser whose messages may repeat any argument."""

    def error(self, message: str) -> NoReturn:
        """Write usage and message, and exit."""
        super().error(terminal_text(message))


def _parser() -> argparse.ArgumentParser:
    description = (
        "write a first freeze test into a project, list what this machine can do, download data, and compare, judge "
        "and show finished runs"
    )
    parser = _Parser(prog="python -m freezebench", description=description, exit_on_error=False)
    parser.add_argument("--version", action="version", version=f"freezebench {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_init(commands.add_parser("init", help="write a first freeze test, ini keys and a workflow into a project"))
    _add_doctor(commands.add_parser("doctor", help="list what this machine can train on and measure"))
    _add_compare(
        commands.add_parser(
            "compare",
            help="compare a saved run with an earlier one",
            epilog=_COMPARE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    _add_judge(
        commands.add_parser(
            "judge",
            help="judge finished runs by another metric or margin, without training",
            epilog=_JUDGE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    commands.add_parser("fetch", help="download the data set `reviews`, so that later sessions need no network")
    _add_log(commands.add_parser("log", help="log the runs and verdicts of saved reports to experiment trackers"))
    report_parser = commands.add_parser("report", help="make the page with its pictures from saved runs")
    report_parser.add_argument(
        "paths",
        metavar="DIR|JSON",
        nargs="+",
        help="a folder that --freeze-report wrote, or its report.json; several are shown side by side, and each later "
        "one is compared with the first",
    )
    report_parser.add_argument("--output", metavar="DIR", help="folder of the page (default: that of the report)")
    return parser


def _add_compare(parser: argparse.ArgumentParser) -> None:
    kinds = "number or name of a run that pytest-benchmark saved, such as 0001, its JSON file, or a report folder"
    parser.add_argument("old", metavar="OLD", help=f"the reference: {kinds}")
    parser.add_argument("new", metavar="NEW", help=f"the run to judge: {kinds}")
    parser.add_argument(
        "--benchmark-storage",
        metavar="URI",
        dest="storage",
        default=DEFAULT_STORAGE,
        help="where pytest-benchmark saved the runs: file://FOLDER or FOLDER (default: %(default)s)",
    )
    parser.add_argument(
        "--margin", metavar="POINTS", help=f"largest acceptable drop of the metric (default: {DEFAULT_MARGIN_PP:g})"
    )
    for name in LIMITS:
        text = f"largest allowed {name[4:]} as a multiple of OLD's, one number or per configuration: 1.05,emb:1.1"
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="RATIO", help=text)
    parser.add_argument(
        "--compare-across",
        metavar="WHAT",
        help="compare although these differ, separated by commas: model, data, lr, epochs, …",
    )
    parser.add_argument(
        "--allow-unmatched",
        metavar="SPECS",
        help="configurations that may be missing from one run: emb,emb+L0-3, or all",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 2 if a verdict is inconclusive or a configuration is in one run only",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_judge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="a folder that --freeze-report or --freeze-store wrote")
    parser.add_argument("--metric", metavar="METRIC", help="as --freeze-metric (default: the usual one of the task)")
    parser.add_argument(
        "--margin", metavar="POINTS", help=f"largest acceptable drop of the metric (default: {DEFAULT_MARGIN_PP:g})"
    )
    parser.add_argument("--max-drop", metavar="POINTS", help="largest acceptable drops: 2,emb+L0-4:5 (default: none)")
    parser.add_argument("--max-slice-drop", metavar="POINTS", help="largest acceptable drop on every slice")
    parser.add_argument("--max-test-drop", metavar="POINTS", help="largest acceptable drop on every further test set")
    parser.add_argument("--strict", action="store_true", help="exit with 2 if a verdict is inconclusive")
    parser.add_argument("-v", "--verbose", action="store_true", help="also print the notes and the time of every phase")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", metavar="DIR", nargs="?", default=".", help="folder of the project (default: this one)"
    )
    parser.add_argument("--model", metavar="MODEL", help="as --freeze-model (default: the only checkpoint in DIR)")
    parser.add_argument("--data", metavar="DATA", help="as --freeze-data (default: the only data set in DIR)")
    parser.add_argument("--text-column", metavar="COLUMN", help="column of the texts (default: found by its name)")
    parser.add_argument(
        "--label-column", metavar="COLUMN", help="as --freeze-label-column (default: found by its name)"
    )
    parser.add_argument("--task", metavar="TASK", help="as --freeze-task (default: found from model and labels)")
    parser.add_argument("--dry-run", action="store_true", help="print what would be written, and write nothing")


def _add_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", metavar="DIR|JSON", nargs="+", help="a folder that --freeze-report wrote, or its report.json"
    )
    parser.add_argument("--to", metavar="TRACKERS", required=True, help="as --freeze-log: mlflow, wandb, tensorboard")


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--freeze-cluster",
        metavar="ADDRESS",
        help="list the nodes of a Ray cluster instead of this machine: auto, or HOST:PORT of its head",
    )


def fetch_reviews(_: argparse.Namespace) -> int:
    """Download the data set ``reviews`` unless the cache folder holds it, print its path, and return 0.

    Raises:
        FreezebenchError: If it cannot be downloaded or kept.
    """
    from freezebench.data.reviews import fetch

    # On standard error, so that a script gets the path alone.
    path = fetch(write_error)
    write_lines([str(path)])
    return 0


def init(options: argparse.Namespace) -> int:
    """Write a first freeze test, ini keys and a workflow into a project, print what was written, and return 0.

    Raises:
        FreezebenchError: If something that was named or found cannot be used.
    """
    from freezebench.cli.init.command import init_project  # brings the readers of models and data

    return init_project(options)


_COMMANDS = {
    "compare": compare_runs,
    "fetch": fetch_reviews,
    "init": init,
    "judge": judge_runs,
    "log": log_runs,
    "report": make_report,
}
