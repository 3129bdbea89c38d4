"""Freeze tests in GitHub Actions: annotations, the step's summary, and JUnit properties."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

Project = Callable[..., pytest.Pytester]

# Within the interval of the tiny model's drop, and wide enough for the design to resolve.
INCONCLUSIVE_LIMIT = 12


@pytest.fixture
def actions(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Set the environment of a GitHub Actions step and return the path of the step's summary."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return tmp_path / "summary.md"


def properties_by_test(junit: Path) -> dict[str, dict[str, str]]:
    """Return the properties of every test case in a JUnit file."""
    return {
        str(case.get("name")): {str(each.get("name")): str(each.get("value")) for each in case.iter("property")}
        for case in ET.parse(junit).getroot().iter("testcase")  # noqa: S314 - ours
    }


@pytest.mark.slow
def test_failures_and_tables_reach_github(project: Project, actions: Path, tmp_path: Path) -> None:
    """A failed configuration is an error at its line, an undecided one a warning; XML and summary have the same."""
    junit = tmp_path / "j.xml"
    result = project(
        f"max_drop={{'emb': 90, 'emb+L0': {INCONCLUSIVE_LIMIT}, 'emb+L0-1': 1}}, num_seeds=3"
    ).runpytest_inprocess(f"--junitxml={junit}")
    result.assert_outcomes(passed=2, failed=1, skipped=1)
    commands = [line for line in result.outlines if line.startswith("::")]
    location = "file=test_project.py,line=3,title=test_project.py%3A%3Atest_it"
    assert commands[0].partition("::INFERIOR")[0] == f"::error {location}[emb+L0-1]"
    assert commands[1].startswith(f"::warning {location}[emb+L0]::INCONCLUSIVE: emb+L0 is not shown to be within")
    assert len(commands) == 2
    text = actions.read_text(encoding="utf-8")
    assert "| emb+L0-1 " in text
    assert "\n\n**" in text
    properties = properties_by_test(junit)
    assert properties["test_it[none]"]["freezebench_verdict"] == "baseline"
    for spec, standing in (("emb", "passed"), ("emb+L0", "inconclusive"), ("emb+L0-1", "inferior")):
        own = properties[f"test_it[{spec}]"]
        assert own["freezebench_standing"] == standing
        assert own["freezebench_verdict"] in ("inferior", "inconclusive", "non_inferior")
        lower, drop, upper = (float(own[f"freezebench_{name}_pp"]) for name in ("lower", "drop", "upper"))
        assert lower < drop < upper
        assert own["freezebench_message"].startswith((standing.upper(), spec))


@pytest.mark.slow
def test_an_unwritable_summary_is_a_warning(project: Project, actions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session passes and names the file that could not be written."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(actions.parent))
    result = project("max_drop=90").runpytest_inprocess("--freeze-grid=none,emb+L0-1")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["freezebench: warning: the step summary could not be written to *"])


@pytest.mark.slow
def test_outside_github_nothing_is_written(project: Project, actions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without GITHUB_ACTIONS there are neither commands nor a file."""
    monkeypatch.delenv("GITHUB_ACTIONS")
    result = project("max_drop=1").runpytest_inprocess("--freeze-grid=none,emb+L0-1")
    result.assert_outcomes(passed=1, failed=1)
    assert not [line for line in result.outlines if line.startswith("::")]
    assert not actions.exists()
