"""The order of a session's runs, and what the terminal shows of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

Project = Callable[..., pytest.Pytester]

FAST = "num_seeds=2"


def _runs(result: pytest.RunResult) -> list[str]:
    """Return the finished runs as the log names them, in order."""
    lines = (re.match(r"freezebench \[(\d+/\d+)\] (\S+ seed \d+): test accuracy", line) for line in result.outlines)
    return [f"{line[1]} {line[2]}" for line in lines if line]


def test_runs_go_seed_by_seed_and_tests_in_their_own_order(project: Project) -> None:
    """The first test trains most runs, each later one its last seed; after a seed, the log has a table of all."""
    result = project(FAST).runpytest_inprocess("-v", "--freeze-grid=none,emb,emb+L0")
    assert _runs(result) == [
        "1/6 none seed 42",
        "2/6 emb seed 42",
        "3/6 emb+L0 seed 42",
        "4/6 none seed 43",
        "5/6 emb seed 43",
        "6/6 emb+L0 seed 43",
    ]
    result.stdout.fnmatch_lines(
        [
            "*test_it[[]none[]]*",
            "freezebench [[]3/6[]] emb+L0 seed 42: test accuracy * left",
            "freezebench provisional, after seed 1 of 2 (drop in points, no verdicts yet):",
            "freezebench   frozen * accuracy * drop * train time",
            "freezebench   none * % * – * s*",
            "freezebench   emb * % * s*",
            "freezebench   emb+L0 * % * s*",
            "freezebench [[]4/6[]] none seed 43*",
            "*test_it[[]none[]]*",
            "freezebench [[]5/6[]] emb seed 43*",
            "*test_it[[]emb[]]*",
            "freezebench [[]6/6[]] emb+L0 seed 43*",
            "*test_it[[]emb+L0[]]*",
        ]
    )
    assert str(result.stdout).count("provisional, after") == 1


def test_q_shows_which_run_goes_on(project: Project) -> None:
    """In a log that is a line per finished run, and no table."""
    result = project(FAST).runpytest_inprocess("-q", "--freeze-grid=none,emb")
    assert _runs(result) == ["1/4 none seed 42", "2/4 emb seed 42", "3/4 none seed 43", "4/4 emb seed 43"]
    result.stdout.no_fnmatch_line("*provisional, after*")


SOME = """
import pytest

SKIPPED = {
    "emb": pytest.mark.skip,
    "emb+L0": pytest.mark.skipif(True, reason="statically"),
    "emb+L0-1": pytest.mark.skipif("False", reason="never"),
}

def pytest_collection_modifyitems(items):
    for item in items:
        spec = item.callspec.params["freeze_spec"]
        if spec in SKIPPED:
            item.add_marker(SKIPPED[spec])
"""


def test_tests_that_will_not_train_are_not_in_the_plan(project: Project) -> None:
    """Nothing is trained for deselected tests, those that a marker skips, and those without freeze_run."""
    pytester = project(FAST)
    pytester.makeconftest(SOME)
    result = pytester.runpytest_inprocess("-k", "not head", "--freeze-grid=none,emb,emb+L0,emb+L0-1,head")
    runs = ["none seed 42", "emb+L0-1 seed 42", "none seed 43", "emb+L0-1 seed 43"]
    assert _runs(result) == [f"{number}/4 {run}" for number, run in enumerate(runs, 1)]
    text = (pytester.path / "test_project.py").read_text(encoding="utf-8")
    changed = text.replace("freeze_run", "freeze_spec").replace("()\n", "\n")
    pytester.makepyfile(test_project=changed)
    assert not _runs(pytester.runpytest_inprocess("--freeze-grid=none,emb"))
