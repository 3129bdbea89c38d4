"""The plan that is shown before anything trains, and the width of the summary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freezebench.runs import experiment

Project = Callable[..., pytest.Pytester]


def test_the_plan_is_shown_and_nothing_runs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data, runs, seeds, rates and steps; exit code 0, no model loaded, no test run, other tests included."""

    def run(*_: Any, **__: Any) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr(experiment, "run", run)
    pytester = project("num_seeds='2,4'")
    pytester.makepyfile(test_other="def test_other():\n    assert False")
    result = pytester.runpytest_inprocess("--freeze-plan", "--freeze-grid=emb", "--freeze-lr=1e-2,emb:5e-3")
    assert result.ret == 0
    result.assert_outcomes()
    result.stdout.fnmatch_lines(
        [
            "freezebench: 1 configuration with 2, then 4 seeds; the unfrozen baseline runs as well*",
            "freezebench: 48 training, 24 validation and 40 test sentences of 2 classes (*)",
            "frozen * runs * finished * seeds * learning rate * steps each * expected each",
            "none * 2 * 0 * 42 to 43 * 0.01 * 48 * unknown",
            "emb * 2 * 0 * 42 to 43 * 0.005 * 48 * unknown",
            "freezebench: 4 runs; the duration is unknown until the first run has ended, since no *",
            "freezebench: --freeze-plan: nothing runs",
        ]
    )
    result.stdout.no_fnmatch_line("*test accuracy*")


def test_a_plan_without_freeze_tests(project: Project) -> None:
    """If only other tests are selected, they do not run either."""
    pytester = project()
    pytester.makepyfile(test_other="def test_other():\n    assert False")
    result = pytester.runpytest_inprocess("--freeze-plan", "test_other.py")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["freezebench: --freeze-plan: no freeze test is selected"])


def test_a_plan_that_cannot_be_made_is_an_error(project: Project) -> None:
    """Errors of settings and of collection are the same as without the plan."""
    pytester = project()
    refused = pytester.runpytest_inprocess("--freeze-plan", "--freeze-grid=emb+L7")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stdout.no_fnmatch_line("*no freeze test is selected*")
    pytester.makepyfile(test_other="1 / 0")
    assert pytester.runpytest_inprocess("--freeze-plan").ret == pytest.ExitCode.INTERRUPTED


@pytest.mark.usefixtures("without_matplotlib")
def test_durations_come_from_a_report_of_the_same_runs(project: Project) -> None:
    """The plan names the source of the figures; configurations that were not saved are unknown."""
    pytester = project("num_seeds=1")
    report = "--freeze-report=out"
    assert pytester.runpytest_inprocess("--freeze-grid=none", report).ret == 0
    result = pytester.runpytest_inprocess("--freeze-grid=none,emb", report, "--freeze-plan")
    result.stdout.fnmatch_lines(
        [
            "none * s",
            "emb * unknown",
            "*2 runs: training and evaluation of 1 of them take about * s, by the median times of out (2*); how long *",
        ]
    )


@pytest.mark.usefixtures("without_matplotlib")
@pytest.mark.parametrize("plan", [[], ["--freeze-plan"]])
def test_a_missing_device_is_a_usage_error(project: Project, plan: list[str]) -> None:
    """One sentence and exit code 4, with the plan or without, also if saved runs have durations."""
    session = project("num_seeds=1")
    arguments = ["--freeze-grid=none", "--freeze-report=out"]
    assert session.runpytest_inprocess(*arguments).ret == 0
    result = session.runpytest_inprocess(*arguments, "--freeze-device=cuda:99", *plan)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: cannot use device cuda:99: torch *"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.slow
def test_finished_runs_are_not_counted_as_left(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs in the store count as finished and give durations; in the end no run is left."""
    session = project("num_seeds=2")
    store = [f"--freeze-store={tmp_path / 'runs'}", "--freeze-grid=none,emb"]
    session.runpytest_inprocess(*store, "-k", "emb").assert_outcomes(passed=1, deselected=1)
    min((tmp_path / "runs").glob("*.json")).unlink()
    files = sorted((tmp_path / "runs").iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(experiment, "run", None)
        part = session.runpytest_inprocess(*store, "--freeze-plan")
        part.stdout.fnmatch_lines(
            [
                "frozen * runs * finished * seeds * expected each",
                "freezebench: 4 runs, 3 of which earlier sessions finished: * of the other one take *",
            ]
        )
        anew = session.runpytest_inprocess(*store, "--freeze-plan", "--freeze-resume=no")
        anew.stdout.fnmatch_lines(["freezebench: 4 runs; the duration is unknown*"])
        assert sorted((tmp_path / "runs").iterdir()) == files  # no run was claimed
    session.runpytest_inprocess(*store).assert_outcomes(passed=2)
    whole = session.runpytest_inprocess(*store, "--freeze-plan")
    whole.stdout.fnmatch_lines(
        ["none * 2 * 2 * –", "freezebench: 4 runs, all of which earlier sessions finished: nothing is left to train*"]
    )


@pytest.mark.slow
def test_the_summary_fits(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has 100 columns unless COLUMNS is set, and no colour without a terminal unless --color=yes is given."""
    pytester = project("num_seeds=2, max_drop=90")
    arguments = ["--freeze-grid=none,emb,emb+L0-1", "--freeze-store=runs"]
    for columns in (None, 80):
        if columns is None:
            monkeypatch.delenv("COLUMNS")
        else:
            monkeypatch.setenv("COLUMNS", str(columns))
        lines = pytester.runpytest_inprocess(*arguments).outlines
        start = next(index for index, line in enumerate(lines) if "= freezebench: " in line)
        end = next(index for index, line in enumerate(lines) if line.startswith("---") and " benchmark: " in line)
        assert max(map(len, lines[start:end])) <= (columns or 100)
        assert all(len(line) <= (columns or 100) for line in lines if line.startswith("freezebench: "))
        assert not any("\x1b" in line for line in lines)
        assert any(line.split()[:2] == ["none", "baseline"] for line in lines[start:end])
    coloured = pytester.runpytest_inprocess(*arguments, "--color=yes")
    assert any(line.startswith(("\x1b[1mFreeze emb", "\x1b[1mNo configuration is")) for line in coloured.outlines)
