"""Sessions next to pytest-xdist: only those that select freeze tests are refused."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from freezebench.pytest_plugin import options

Project = Callable[..., pytest.Pytester]

SENTENCE = "freeze tests cannot run under pytest-xdist: *Use -n0, and --freeze-devices=all for several devices."
GRID = "[pytest]\nfreeze_grid = none,emb\n"


def test_a_worker_refuses_freeze_tests() -> None:
    """Workers share no baseline; the controller, which would not show what a worker raises, gets the sentence."""
    config: Any = SimpleNamespace(workeroutput={}, getoption=lambda _, default=None: default)
    with pytest.raises(pytest.UsageError, match="--freeze-devices=all"):
        options.refuse_combinations(config)
    with pytest.raises(pytest.UsageError, match="--freeze-devices=all"):
        options.pytest_testnodedown(SimpleNamespace(workeroutput=config.workeroutput))
    options.pytest_testnodedown(SimpleNamespace(workeroutput={}))
    options.pytest_testnodedown(SimpleNamespace())  # a worker that crashed


def _session(project: Project, ini: str, arguments: list[str]) -> pytest.RunResult:
    """Return the result of a session with freeze tests in one file, and plain tests in another."""
    session = project()
    session.makepyfile(test_plain="def test_plain(): pass\ndef test_other(): pass")
    session.makeini(ini)
    return session.runpytest_subprocess(*arguments)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ini", "arguments"),
    [
        ("", ["-nauto", "--maxprocesses=2", "--dist=loadfile"]),
        ("", ["--dist=each", "--tx=2*popen", "-x"]),
        (GRID, ["-n2", "--freeze-plan"]),
        ("", ["-n2", "--freeze-grid=emb", "-k", "emb"]),
        ("", ["-n2", "--freeze-grid=emb+L9"]),
    ],
    ids=str,
)
def test_sessions_that_select_freeze_tests_are_refused(project: Project, ini: str, arguments: list[str]) -> None:
    """Exit code 4 and the sentence, once, wherever the freeze tests get their grid from."""
    pytest.importorskip("xdist")
    result = _session(project, ini, arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {SENTENCE}"])
    assert sum("pytest-xdist: " in line for line in result.outlines + result.errlines) == 1
    for word in ("*INTERNALERROR*", "*Traceback*", "*crashitem*"):
        result.stdout.no_fnmatch_line(word)
        result.stderr.no_fnmatch_line(word)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "outcomes"),
    [
        (["-n2", "-k", "other"], {"passed": 1}),
        (["-n2", "test_plain.py"], {"passed": 2}),
        (["-n2", "-m", "not freeze", "--freeze-num-seeds=1"], {"passed": 2}),
        (["--dist=load", "--tx=2*popen", "--deselect=test_project.py"], {"passed": 2}),
        (["-n2", "-k", "nothing"], {}),
        (["-n0", "-k", "other"], {"passed": 1, "deselected": 3}),
        (["-p", "xdist", "-p", "no:xdist", "test_plain.py"], {"passed": 2}),
        (["-n2", "--collect-only"], {}),
    ],
    ids=str,
)
def test_sessions_without_freeze_tests_are_left_alone(
    project: Project, arguments: list[str], outcomes: dict[str, int]
) -> None:
    """An ini key or a flag of freezebench alone is no reason to refuse workers, nor is a list of the tests."""
    pytest.importorskip("xdist")
    result = _session(project, GRID, arguments)
    result.assert_outcomes(**outcomes)
    is_empty = "nothing" in arguments
    assert result.ret == (pytest.ExitCode.NO_TESTS_COLLECTED if is_empty else pytest.ExitCode.OK)
    result.stderr.no_fnmatch_line("ERROR*")
