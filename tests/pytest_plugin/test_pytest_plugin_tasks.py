"""Sessions of regression, several labels and token classification: one command each, and a model that is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freezebench.models.source import ModelSource
from freezebench.specs.names import TaskName
from report_schema import read_report
from task_data import NAMES, write_task_data

Project = Callable[..., pytest.Pytester]
pytestmark = pytest.mark.usefixtures("one_thread", "without_matplotlib")
METRICS: dict[TaskName, str] = {
    "regression": "Pearson correlation",
    "multi-label": "macro F1",
    "token-classification": "entity F1",
}


@pytest.mark.slow
@pytest.mark.parametrize("task", METRICS)
def test_a_session_of_every_task(project: Project, tmp_path: Path, task: TaskName) -> None:
    """Its table has the usual metric, its plan the head, and its report what was learned."""
    data, far = (write_task_data(tmp_path / name, task, (96, 32, 64)) for name in ("own", "far"))
    session = project("num_seeds=2, margin=60, max_drop=60, grid='none,emb'")
    # The checkpoint has a head of two classes for texts.
    options = (f"--freeze-data={data}", f"--freeze-task={task}", f"--freeze-test=far={far / 'test.jsonl'}")
    result = session.runpytest_inprocess(
        *options, "--freeze-epochs=8", "--freeze-lr=0.02", "--freeze-report=report", "--freeze-save=saved", "-v"
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["*the head is new, initialized by the seed of each run, since the head of * is for seq*"]
    )
    result.stdout.fnmatch_lines([f"*{METRICS[task]}*"])
    report: Any = read_report(session.path / "report")
    (run, *_) = [run for run in _runs(report) if run["spec"]["freeze"] == "emb"]
    assert run["data"]["task"] == task
    assert run["data"]["label_names"] == list(NAMES[task])
    assert run["tests"]["far"]["scores"]
    assert ModelSource.resolve(str(session.path / "saved")).task == task


def _runs(report: object) -> list[Any]:
    """Return the run records that a report holds, wherever they are."""
    if isinstance(report, dict):
        own = [report] if "step_losses" in report else []
        return own + [run for value in report.values() for run in _runs(value)]
    return [run for value in report for run in _runs(value)] if isinstance(report, list) else []
