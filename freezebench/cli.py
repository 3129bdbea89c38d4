"""The command line beside pytest: `python -m freezebench doctor` says what this machine can train on and measure."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; a bad command line exits with 4, as in pytest."""
    parser = argparse.ArgumentParser(prog="python -m freezebench", description=__doc__, exit_on_error=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    doctor_parser = commands.add_parser("doctor", help="what can be measured on this machine, and what not and why")
    doctor_parser.add_argument("--json", action="store_true", help="print JSON")
    try:
        options, unknown = parser.parse_known_args(arguments)
        if unknown:
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except argparse.ArgumentError as error:
        sys.stderr.write(f"{parser.format_usage()}error: {error}\n")
        return 4
    except SystemExit as stop:
        # argparse exits with 2 for what pytest calls a usage error.
        return 4 if stop.code else 0
    return doctor(as_json=options.json)


def doctor(*, as_json: bool) -> int:
    """Print what this machine can train on, measure and reach; return 0, whatever that is."""
    findings = [*_training(), *_measuring(), *_reaching()]
    if as_json:
        sys.stdout.write(json.dumps(findings, indent=1) + "\n")
        return 0
    rows = [["yes" if one["available"] else "no", one["name"], one["detail"]] for one in findings]
    sys.stdout.write(tabulate(rows, headers=["", "what", "source, or why not and what to do"]) + "\n")
    return 0


def _finding(name: str, detail: str, *, available: bool) -> dict[str, Any]:
    return {"name": name, "available": available, "detail": detail}


def _training() -> list[dict[str, Any]]:
    """Return devices and number formats to train in."""
    import torch

    from freezebench.training.precision import device_name, resolve_precision

    devices = [torch.device("cpu"), *(torch.device("cuda", index) for index in range(torch.cuda.device_count()))]
    found = [_finding("torch", torch.__version__, available=True)]
    for device in devices:
        found.append(_finding(f"device {device}", device_name(device), available=True))
        has_bf16 = resolve_precision("auto", device) == "bf16"
        detail = "native instructions" if has_bf16 else "no native instructions: float32 is used"
        found.append(_finding(f"bf16 on {device}", detail, available=has_bf16))
    if len(devices) == 1:
        found.append(_finding("device cuda", f"torch {torch.__version__} sees no CUDA device", available=False))
    return found


def _measuring() -> list[dict[str, Any]]:
    """Return what the meters can read."""
    from freezebench.meters.probe import probe

    return [capability.to_json() for capability in probe()]


def _reaching() -> list[dict[str, Any]]:
    """Return which presets' assets are here or can be had."""
    from freezebench.errors import ModelError
    from freezebench.specs.presets import PRESETS
    from freezebench.tasks.assets import hub_state
    from freezebench.tasks.embedded import checkpoint_folder

    wanted = PRESETS["distilbert-sst2"]
    state = hub_state(wanted.model, wanted.data.source)
    found = [_finding(f"preset {wanted.name}", state.reason, available=state.available)]
    try:
        found.append(_finding("preset embedded", str(checkpoint_folder()), available=True))
    except ModelError as error:
        found.append(_finding("preset embedded", str(error), available=False))
    return found
