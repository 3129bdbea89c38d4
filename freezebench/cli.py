"""The commands that need no pytest.

``python -m freezebench doctor`` lists what this machine can train on and measure;
``python -m freezebench compare OLD NEW`` compares a saved run with an earlier one;
``python -m freezebench fetch`` downloads the data set ``reviews``;
``python -m freezebench report DIR`` makes the page of saved runs.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tabulate import tabulate

from freezebench import __version__
from freezebench.config.session_settings import in_ci
from freezebench.config.sources import Source, parse_sources
from freezebench.errors import FreezebenchError
from freezebench.escaping import json_text, terminal_line, terminal_text, visible
from freezebench.specs.limits import DEFAULT_MARGIN_PP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezebench.meters.probe import Capability
    from freezebench.specs.json_types import Json
    from freezebench.verdicts.compare import Comparison

_COMPARE = """exit codes:
  0  no proven regression (under --strict: nothing undecided, and no configuration without a partner, either)
  1  a proven regression in accuracy, or past a limit; or a new run that broke
  2  under --strict: something is undecided, or has no partner; in continuous integration: no accuracy is decided
  4  bad input: a file that cannot be read, other model, data or protocol, or nothing that can be compared
"""
_LIMITS = ("max_time", "max_energy", "max_memory")


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; a bad command line exits with 4, as in pytest."""
    parser = _parser()
    try:
        options, unknown = parser.parse_known_args(arguments)
        if unknown:
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except argparse.ArgumentError as error:
        sys.stderr.write(f"{parser.format_usage()}error: {terminal_text(str(error))}\n")
        return 4
    except SystemExit as stop:
        # argparse exits with 2 for what pytest calls a usage error.
        return 4 if stop.code else 0
    if options.command == "doctor":
        return doctor(as_json=options.json)
    try:
        return {"compare": compare_runs, "fetch": fetch_reviews, "report": make_report}[options.command](options)
    except FreezebenchError as error:
        sys.stderr.write(f"error: {error}\n")
        return 4


class _Parser(argparse.ArgumentParser):
    """A parser whose messages may repeat any argument."""

    def error(self, message: str) -> NoReturn:
        """Write usage and message, and exit."""
        super().error(terminal_text(message))


def _print(lines: Iterable[str]) -> None:
    """Print lines."""
    sys.stdout.write("".join(f"{terminal_line(line)}\n" for line in lines))


def _parser() -> argparse.ArgumentParser:
    description = "what this machine can train on and measure; download of data; comparison and report of saved runs"
    parser = _Parser(prog="python -m freezebench", description=description, exit_on_error=False)
    parser.add_argument("--version", action="version", version=f"freezebench {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    doctor_parser = commands.add_parser("doctor", help="what can be measured on this machine, and what not and why")
    doctor_parser.add_argument("--json", action="store_true", help="print JSON")
    compare_parser = commands.add_parser(
        "compare",
        help="compare a saved run with an earlier one",
        epilog=_COMPARE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    files = "pytest-benchmark JSON file, report folder, or its report.json"
    compare_parser.add_argument("old", metavar="OLD", type=Path, help=f"the reference: a {files}")
    compare_parser.add_argument("new", metavar="NEW", type=Path, help="the run to judge, likewise")
    compare_parser.add_argument(
        "--margin", metavar="POINTS", help=f"largest acceptable drop of accuracy (default: {DEFAULT_MARGIN_PP:g})"
    )
    for name in _LIMITS:
        text = f"largest allowed {name[4:]} as a multiple of OLD's, one number or per configuration: 1.05,emb:1.1"
        compare_parser.add_argument(f"--{name.replace('_', '-')}", metavar="RATIO", help=text)
    compare_parser.add_argument(
        "--compare-across", metavar="WHAT", help="what may differ, separated by commas: model, data, lr, epochs, …"
    )
    compare_parser.add_argument(
        "--strict", action="store_true", help="exit with 2 where something is undecided, or in one of the runs only"
    )
    compare_parser.add_argument("--json", action="store_true", help="print JSON")
    commands.add_parser("fetch", help="download the data set `reviews` now, so that later sessions need no network")
    report_parser = commands.add_parser("report", help="make the page and its pictures from saved runs")
    report_parser.add_argument(
        "paths",
        metavar="DIR|JSON",
        type=Path,
        nargs="+",
        help="a folder that --freeze-report wrote, or its report.json; several are shown side by "
        "side, and the later ones are compared with the first",
    )
    report_parser.add_argument(
        "--output", metavar="DIR", type=Path, help="folder of the page (default: that of the only report)"
    )
    return parser


def fetch_reviews(_: argparse.Namespace) -> int:
    """Download the data set ``reviews`` unless the cache folder holds it, print its path, and return 0.

    Raises:
        FreezebenchError: If it cannot be downloaded or kept.
    """
    from freezebench.data.reviews import fetch

    # On standard error, so that a script gets the path alone.
    path = fetch(lambda progress: sys.stderr.write(f"{terminal_line(progress)}\n"))
    _print([str(path)])
    return 0


def make_report(options: argparse.Namespace) -> int:
    """Write the page of saved runs, print where, and return 0.

    Raises:
        FreezebenchError: If a file is bad or nothing can be written.
    """
    from freezebench.errors import RecordError, SettingsError
    from freezebench.records.files import prepare_folder
    from freezebench.report.publish import publish_saved

    folder = options.output
    if folder is None:
        if len(options.paths) > 1:
            raise SettingsError("several reports make one page: name its folder with --output=DIR.")
        folder = options.paths[0] if options.paths[0].is_dir() else options.paths[0].parent
    prepare_folder(folder, "--output")
    try:
        written = publish_saved(folder, options.paths)
    except FreezebenchError:
        raise
    except OSError as error:
        raise SettingsError(
            f"the page could not be written to {folder} ({error.strerror or error}). Name another folder with "
            "--output=DIR."
        ) from error
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        # Files are not validated value by value when they are read, so a wrong type is found only here.
        names = ", ".join(map(str, options.paths))
        raise RecordError(
            f"{names}: holds something that cannot be shown ({error!r}). Run its session again with --freeze-report."
        ) from error
    _print([f"wrote {written[0]}" + (f" and {len(written) - 1} pictures" if written[1:] else "")])
    return 0


def compare_runs(options: argparse.Namespace) -> int:
    """Print old against new and return 0 (pass), 1 (fail), 2 (undecided, if strict) or 4 (not comparable).

    A proven regression comes first: it stays one, even if other configurations could not be compared.

    Raises:
        FreezebenchError: If an option or a file is bad.
    """
    from freezebench.records.files import plain
    from freezebench.records.saved_files import read_saved_run
    from freezebench.report.comparison import comparison_lines
    from freezebench.specs.grid import PerSpec
    from freezebench.specs.limits import CostLimits
    from freezebench.verdicts.compare import compare

    # The parsers of pytest's options, so that both commands accept and refuse the same values.
    values = {name: getattr(options, name) for name in ("margin", *_LIMITS)}
    parsed = parse_sources([Source(label="--{dashed_name}", values=values)], session_wide=False)
    session = Source(label="--{dashed_name}", values={"compare_across": options.compare_across})
    across: tuple[str, ...] = parse_sources([session], session_wide=True).get("compare_across", ())
    limits = {name: parsed.get(name, PerSpec()) for name in _LIMITS}
    margin_pp = parsed.get("margin", DEFAULT_MARGIN_PP)
    old, new = read_saved_run(options.old), read_saved_run(options.new)
    comparison = compare(old, new, margin_pp=margin_pp, costs=CostLimits(**limits), across=across)
    code = _exit_code(comparison, strict=options.strict)
    if options.json:
        sys.stdout.write(json_text(plain(_comparison_json(comparison, code)), indent=1) + "\n")
    else:
        _print(comparison_lines(comparison))
    return code


def _exit_code(comparison: Comparison, *, strict: bool) -> int:
    """Return the exit code of a comparison."""
    if comparison.standing in ("worse", "broken"):
        return 1
    if all(pair.refused for pair in comparison.pairs) or any(pair.differences for pair in comparison.pairs):
        return 4
    is_incomplete = comparison.standing == "undecided" or comparison.only_old or comparison.only_new
    # As in pytest, where no accuracy is decided, nobody who would notice may be watching.
    is_idle = in_ci() and not any(pair.is_decided for pair in comparison.pairs)
    return 2 if is_idle or (strict and is_incomplete) else 0


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


def doctor(*, as_json: bool) -> int:
    """Print what this machine can train on, measure and reach; return 0, whatever is missing."""
    capabilities = [*_training(), *_measuring(), *_presets()]
    if as_json:
        sys.stdout.write(json_text([capability.to_json() for capability in capabilities], indent=1) + "\n")
        return 0
    rows = [["yes" if row.available else "no", visible(row.name), visible(row.detail)] for row in capabilities]
    _print(tabulate(rows, headers=["", "what", "source, or why not and what to do"]).split("\n"))
    return 0


def _training() -> list[Capability]:
    """Return the devices and number formats that runs can use."""
    import torch

    from freezebench.meters.probe import Capability
    from freezebench.training.device import device_name, resolve_precision

    devices = [torch.device("cpu"), *(torch.device("cuda", index) for index in range(torch.cuda.device_count()))]
    capabilities = [Capability(name="torch", available=True, detail=torch.__version__)]
    for device in devices:
        capabilities.append(Capability(name=f"device {device}", available=True, detail=device_name(device)))
        has_bf16 = resolve_precision("auto", device) == "bf16"
        detail = "native instructions" if has_bf16 else "no native instructions: float32 is used"
        capabilities.append(Capability(name=f"bf16 on {device}", available=has_bf16, detail=detail))
    if len(devices) == 1:
        detail = f"torch {torch.__version__} finds no CUDA device"
        capabilities.append(Capability(name="device cuda", available=False, detail=detail))
    return capabilities


def _measuring() -> list[Capability]:
    """Return the figures that can be measured."""
    from freezebench.meters.probe import probe

    return probe()


def _presets() -> list[Capability]:
    """Return the presets whose models and data are cached or can be downloaded."""
    from freezebench.meters.probe import Capability
    from freezebench.specs.presets import PRESETS

    # Presets may share their model and data: the Hub is requested once for both.
    states = {
        assets: _assets_state(*assets)
        for assets in dict.fromkeys((preset.model, preset.data.source) for preset in PRESETS.values())
    }
    capabilities = []
    for preset in PRESETS.values():
        is_available, detail = states[preset.model, preset.data.source]
        capabilities.append(Capability(name=f"preset {preset.name}", available=is_available, detail=detail))
    return capabilities


def _assets_state(model: str, data: str) -> tuple[bool, str]:
    """Return whether a preset's model and data set are available, and their source, or what to do."""
    from freezebench.data import reviews
    from freezebench.errors import ModelError
    from freezebench.hub import download_command
    from freezebench.models.availability import hub_state
    from freezebench.models.embedded import checkpoint_folder

    if model == "embedded":
        try:
            folder = checkpoint_folder()
        except ModelError as error:
            return False, str(error)
        if data == reviews.SOURCE and not reviews.is_fetched():
            where = reviews.cache_folder()
            return False, f"{data} is not in {where}: run `python -m freezebench fetch` once with network"
        return True, str(folder)
    state = hub_state(model, data)
    if state.available:
        return True, state.reason
    commands = [] if state.model_cached else [download_command(model)]
    commands += [] if state.data_cached else [download_command(data, is_dataset=True)]
    return False, f"{state.reason}: run {' and '.join(f'`{command}`' for command in commands)} once with network"
