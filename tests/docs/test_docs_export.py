"""The page on experiment trackers: its commands run, and log what it says."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import pytest

from freezebench import cli
from freezebench.records import contention
from freezebench.report.tracking import registry
from freezebench.report.tracking.registry import TRACKERS, without_warnings
from snippets import TINY_DEFAULTS, of_program, program
from trackers import KeepingTracker

PAGE = "docs/how-to/export.md"


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("tensorboard"), reason="the extra `tensorboard` is not installed")
@pytest.mark.usefixtures("without_matplotlib")
def test_the_commands_of_the_page_log_their_runs(
    workplace: Path, pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two configurations with three seeds each; TensorBoard writes files, and the others have tests of their own."""
    monkeypatch.setenv("FREEZEBENCH_LOCK_DIR", str(workplace / "turns"))
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    monkeypatch.setattr(contention, "CONTENTION_LIMIT", 1.0)
    monkeypatch.setattr(registry, "is_installed", lambda _: True)
    kept = {name: KeepingTracker() for name in ("mlflow", "wandb")}
    monkeypatch.setitem(TRACKERS, "mlflow", lambda: kept["mlflow"])
    monkeypatch.setitem(TRACKERS, "wandb", lambda: kept["wandb"])
    with without_warnings():  # now, since pytester forgets what its sessions import
        importlib.import_module("freezebench.report.tracking.tensorboard")
    (workplace / "pytest.ini").write_text(TINY_DEFAULTS, encoding="utf-8")
    for command in (command for command in of_program("pytest", "freezebench") if command.block.page == PAGE):
        arguments = list(command.words[command.words.index(program(command)) + 1 :])
        if program(command) == "pytest":
            result = pytester.runpytest_inprocess("-W", "default", "--freeze-isolate=none", *arguments)
            assert result.ret == 0, result.outlines
        else:
            capsys.readouterr()
            assert cli.main(arguments) == 0
            assert capsys.readouterr().out.startswith("logged 6 runs of ./my-checkpoint")
    for tracker in kept.values():
        assert [len(content.runs) for content in tracker.experiments] == [6]
    assert "report.json" in kept["mlflow"].experiments[0].files
    assert {run.tags["reused"] for run in kept["wandb"].experiments[0].runs} == {"true"}
    events = list(workplace.glob("runs/freezebench/*/*/events*"))
    assert len(events) == 2 * 6
