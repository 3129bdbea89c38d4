"""--freeze-log in whole sessions: when something is logged, what a failure costs, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from freezebench import cli
from freezebench.report.tracking import export, registry  # noqa: F401 - before pytester forgets what sessions import
from freezebench.runs import experiment
from freezebench.runs.environment import environment
from trackers import install

Project = Callable[..., pytest.Pytester]

# Training is replaced by made-up runs.
pytestmark = pytest.mark.usefixtures("reached")
GRID = "grid='none,L0', num_seeds=2, margin=45"
FAILED = "ConnectionError: refused. "


def test_a_session_logs_its_runs_once_and_says_where(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second session makes an entry of its own, whose runs are known as reused."""
    tracker, run = install(monkeypatch), experiment.run
    # Only runs of this very environment are reused.
    monkeypatch.setattr(experiment, "run", lambda *spec, **rest: replace(run(*spec, **rest), environment=environment()))
    session = project(GRID)
    store = f"--freeze-store={tmp_path / 'store'}"
    result = session.runpytest_inprocess("--freeze-log=mlflow", store)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            f"freezebench: logs to {tracker.destination}",
            f"freezebench: logged 4 runs of *{tracker.destination}, number 1",
        ]
    )
    assert session.runpytest_inprocess("--freeze-log=mlflow", store, "-p", "no:terminal").ret == 0
    first, second = tracker.experiments
    assert [run.name for run in first.runs] == ["none, seed 42", "none, seed 43", "L0, seed 42", "L0, seed 43"]
    assert first.files == {}
    assert {run.tags["reused"] for run in first.runs} == {"false"}
    assert {run.tags["reused"] for run in second.runs} == {"true"}


@pytest.mark.usefixtures("without_matplotlib")
def test_a_tracker_that_fails_loses_nothing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The session passes, its last lines say why and how to log again, and that works."""
    tracker = install(monkeypatch, ConnectionError("refused"))
    report = tmp_path / "reports"
    result = project(GRID).runpytest_inprocess("--freeze-log=mlflow", f"--freeze-report={report}")
    assert result.ret == 0
    again = f"python -m freezebench log {report} --to=mlflow"
    assert result.outlines[-1].endswith(f"{FAILED}Run: {again}")
    assert result.outlines[-1].startswith("freezebench: warning: ")
    assert cli.main(again.split()[3:]) == 1
    assert again in capsys.readouterr().err
    tracker.fault = None
    assert cli.main(again.split()[3:]) == 0
    assert "logged 4 runs" in capsys.readouterr().out
    (content,) = tracker.experiments
    assert set(content.files) == {"report.md", "report.csv", "report.json", "index.html"}
    assert len(content.runs) == 4


def test_without_a_report_the_session_is_run_again(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runs are in the store."""
    install(monkeypatch, ConnectionError("refused"))
    result = project(GRID).runpytest_inprocess("--freeze-log=mlflow", f"--freeze-store={tmp_path / 'store'}")
    assert result.outlines[-1].endswith("Run the same command again: finished runs are reused.")


def test_ctrl_c_ends_the_logging_alone(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a server does not answer."""
    install(monkeypatch, KeyboardInterrupt())
    result = project(GRID).runpytest_inprocess("--freeze-log=mlflow", f"--freeze-store={tmp_path / 'store'}")
    assert result.ret == 0
    assert "was interrupted. Run the same command again: " in result.outlines[-1]


def test_an_interrupted_session_logs_what_has_a_result(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The baseline's test has ended, and the next one is interrupted."""
    tracker = install(monkeypatch)
    session = project(GRID)
    stop = "    if 'L0' in item.name:\n        pytest.exit('stopped')\n"
    session.makeconftest(f"import pytest\n\ndef pytest_runtest_call(item):\n{stop}")
    result = session.runpytest_inprocess("--freeze-log=mlflow", "-Wdefault::pytest.PytestWarning")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    (content,) = tracker.experiments
    assert [run.name for run in content.runs] == ["none, seed 42", "none, seed 43"]


@pytest.mark.parametrize("option", ["--freeze-plan", "--collect-only"])
def test_nothing_is_logged_where_nothing_runs(option: str, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan says where it would be."""
    tracker = install(monkeypatch)
    result = project(GRID).runpytest_inprocess("--freeze-log=mlflow", option)
    assert result.ret == 0
    assert tracker.experiments == []
    assert (f"freezebench: logs to {tracker.destination}" in result.outlines) is (option == "--freeze-plan")


def test_a_missing_library_ends_the_session_before_training(
    project: Project, reached: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 4; listing tests does not need it."""
    monkeypatch.setattr(registry, "is_installed", lambda _: False)
    session = project(GRID)
    result = session.runpytest_inprocess("--freeze-log=wandb")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --freeze-log=wandb needs the package wandb, which is not installed. *"])
    assert reached["ran"] == 0
    assert session.runpytest_inprocess("--freeze-log=wandb", "--collect-only").ret == 0


def test_unknown_trackers_are_refused(project: Project) -> None:
    """By flag or ini key, which may list several."""
    session = project(GRID)
    result = session.runpytest_inprocess("--freeze-log=mlflow,excel")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--freeze-log=excel: choose from mlflow, wandb, tensorboard.*"])
