"""Freeze tests that are judged by another metric, those of the user included, and saved runs of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

Project = Callable[..., pytest.Pytester]

OPTIONS = ("-Wdefault::pytest.PytestWarning", "--freeze-grid=none,emb", "--freeze-num-seeds=3")
OWN = """
def share_of_hits(labels, predictions):
    return ((labels == 1) & (predictions == 1)).sum() / (labels == 1).sum()


def broken(labels, predictions):
    return labels[10**9]


def three(labels, predictions, more):
    return 1.0
"""


def test_a_limit_is_one_of_the_metric(project: Project, reach: Callable[..., list[str]], tmp_path: Path) -> None:
    """A drop of 20 points of accuracy is one of 40 of Matthews correlation; JUnit and saved figures name it."""
    reach(emb=0.7)
    pytester = project("max_drop=30")
    pytester.runpytest_inprocess(*OPTIONS).assert_outcomes(passed=2)
    junit = tmp_path / "j.xml"
    result = pytester.runpytest_inprocess(
        *OPTIONS, "--freeze-metric=mcc", f"--junitxml={junit}", "--benchmark-json=b.json"
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*INFERIOR: emb is not within 30 points of Matthews correlation of no freezing*"])
    case = ET.parse(junit).getroot()[0].findall("testcase")[-1]  # noqa: S314 - ours
    properties = {entry.get("name"): entry.get("value") for entry in case.iter("property")}
    assert properties["freezebench_metric"] == "mcc"
    benchmarks = json.loads((pytester.path / "b.json").read_text(encoding="utf-8"))["benchmarks"]
    assert [bench["extra_info"]["freezebench"]["metric"] for bench in benchmarks] == ["mcc"]


def test_the_result_says_by_what_it_was_judged(project: Project, reach: Callable[..., list[str]]) -> None:
    """For asserts of a test's own."""
    reach()
    pytester = project()
    text = (pytester.path / "test_project.py").read_text(encoding="utf-8")
    asserts = (
        "result = freeze_run()\n    assert (result.metric, result.slices, result.test_sets) == ('macro-f1', (), ())"
    )
    (pytester.path / "test_project.py").write_text(text.replace("freeze_run()", asserts), encoding="utf-8")
    pytester.runpytest_inprocess(*OPTIONS, "--freeze-metric=macro-f1").assert_outcomes(passed=2)


def test_a_function_of_the_user_judges(project: Project, reach: Callable[..., list[str]]) -> None:
    """It is found as the tests' own modules are; a baseline that is judged by it needs no name of ours."""
    reach(emb=0.4)
    pytester = project("max_drop=30")
    pytester.makepyfile(own_metrics=OWN)
    result = pytester.runpytest_inprocess(*OPTIONS, "--freeze-metric=own_metrics:share_of_hits")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*INFERIOR: emb*share?of?hits*"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:f", "*cannot import the metric no_such_module:f*"),
        ("own_metrics:share", "*own_metrics has no function share.*"),
        ("own_metrics:broken", "*the metric own_metrics:broken fails with IndexError*Correct the function."),
        ("own_metrics:three", "*the metric own_metrics:three takes (labels, predictions, more).*"),
        ("macro_f1", "*there is no metric 'macro_f1'. Did you mean 'macro-f1'?"),
    ],
)
def test_a_metric_that_cannot_be_used_is_refused_before_training(
    project: Project, reach: Callable[..., list[str]], name: str, message: str
) -> None:
    """One sentence and exit code 4."""
    ran = reach()
    pytester = project()
    pytester.makepyfile(own_metrics=OWN)
    result = pytester.runpytest_inprocess(*OPTIONS, f"--freeze-metric={name}")
    assert (result.ret, ran) == (4, [])
    result.stderr.fnmatch_lines([message])


@pytest.mark.slow
def test_a_saved_run_is_compared_by_the_metric_that_it_was_saved_with(
    project: Project, reached: dict[str, Any]
) -> None:
    """A worse run fails by it; with another metric, nothing is trained, and nothing admits the comparison."""
    pytester = project("num_seeds=3, metric='balanced-accuracy'")
    grid = "--freeze-grid=none,emb"
    assert pytester.runpytest_inprocess(grid, "--benchmark-save=ref", "--freeze-report=before").ret == 0
    result = pytester.runpytest_inprocess(grid, "--benchmark-compare", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["Limit passed: emb: balanced accuracy: drop 0.00 points, upper bound *2 points below*"]
    )
    reached["accuracy"] = 0.6
    result = pytester.runpytest_inprocess(grid, "--freeze-anchor=before")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*INFERIOR: balanced accuracy: drop *, lower bound *2 points below the anchor*"])
    ran = reached["ran"]
    for reference in ("--benchmark-compare=0001", "--freeze-anchor=before"):
        result = pytester.runpytest_inprocess(
            grid, reference, "--freeze-metric=macro-f1", "--freeze-compare-across=model,data,lr"
        )
        assert (result.ret, reached["ran"]) == (4, ran)
        result.stderr.fnmatch_lines(["*metric balanced-accuracy → macro-f1*(the metric has to be the same)*"])


def test_a_metric_without_a_value_breaks_a_test_in_a_sentence(
    project: Project, reach: Callable[..., list[str]]
) -> None:
    """Runs whose metric has no value are not saved with a benchmark, and their test says why it is broken."""
    reach()
    pytester = project()
    # One that has no value whatever was predicted is refused before anything is trained.
    body = "    return 1.0 if (labels == predictions).all() else float('nan')\n"
    pytester.makepyfile(own=f"def undefined(labels, predictions):\n{body}")
    result = pytester.runpytest_inprocess(*OPTIONS, "--freeze-metric=own:undefined", "-opythonpath=.")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*INVALID: none: seed 42: its undefined is not defined*"])
    result.stdout.no_fnmatch_line("*ValueError*")
