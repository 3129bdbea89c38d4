"""The page on experiment trackers: its commands log what it says, with the libraries themselves."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import pytest

from freezebench import cli
from freezebench.records import contention
from freezebench.report.tracking.registry import TRACKERS, without_warnings
from snippets import TINY_DEFAULTS, of_program, program

PAGE = "docs/how-to/export.md"
# Imported once: pytester forgets what its sessions import.
MODULES = ("mlflow", "wandb", "tensorboard.summary.writer.event_file_writer", "sqlalchemy")


@pytest.fixture
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send nothing, and depend on no variable of the libraries."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "TENSORBOARD_LOGGING_DIR", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.slow
@pytest.mark.skipif(not all(map(importlib.util.find_spec, TRACKERS)), reason="not all of the libraries are installed")
@pytest.mark.usefixtures("_offline")
def test_the_commands_of_the_page_log_their_runs(
    workplace: Path, pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two configurations with three seeds each, below one run; the later sessions reuse them."""
    monkeypatch.setenv("FREEZEBENCH_LOCK_DIR", str(workplace / "turns"))
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr(contention, "CONTENTION_LIMIT", 1.0)
    (workplace / "pytest.ini").write_text(TINY_DEFAULTS, encoding="utf-8")
    with without_warnings():
        for name in MODULES:
            importlib.import_module(name)
    logged: list[str] = []
    for command in (command for command in of_program("pytest", "freezebench") if command.block.page == PAGE):
        arguments = list(command.words[command.words.index(program(command)) + 1 :])
        if program(command) == "pytest":
            result = pytester.runpytest_inprocess("-W", "default", "--freeze-isolate=none", *arguments)
            assert result.ret == 0, result.outlines
            logged += [line for line in result.outlines if "logged 6 runs" in line]
        else:
            assert cli.main(arguments) == 0
            logged += capsys.readouterr().out.splitlines()
    titles = [line.partition(" to ")[2].partition(":")[0] for line in logged]
    assert titles == ["MLflow", "TensorBoard", "Weights & Biases", "TensorBoard"]
    assert len(list(workplace.glob("wandb/offline-run-*"))) == 7
    assert len(list(workplace.glob("runs/freezebench/*/*/events*"))) == 12
    importlib.import_module("wandb").teardown()
