"""Strategies in sessions: grids that have them, and their arguments wherever a configuration is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from xml.etree import ElementTree as ET

import pytest

from made_up_strategies import LibraryLora, Lora, Lpft, Unfit, registered

Project = Callable[..., pytest.Pytester]

OPTIONS = ("-Wdefault::pytest.PytestWarning", "--freeze-num-seeds=1")
LORA = "lora(r=4,alpha=8)"


@pytest.fixture
def lora() -> Iterator[None]:
    """A strategy with arguments."""
    with registered(Lora, Lpft):
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("lora")
def test_arguments_in_every_option_of_a_session_and_in_what_it_writes(project: Project) -> None:
    """Options, ini lines, ids, JUnit, saved runs, store; names of files need no quotes."""
    pytester = project(f"grid=['none', {LORA!r}], max_drop={{{LORA!r}: 100}}")
    pytester.makeini(f"[pytest]\nfreeze_inconclusive =\n    skip\n    {LORA}:pass\nfreeze_max_train = 40\n")
    node_id = f"test_project.py::test_it[{LORA}]"
    written = ("--freeze-store=store", "--junitxml=junit.xml", "--benchmark-save=first")
    result = pytester.runpytest_inprocess(*OPTIONS, *written, f"--freeze-lr=1e-2,{LORA}:5e-3", node_id)
    assert result.parseoutcomes().get("passed", 0) + result.parseoutcomes().get("failed", 0) == 1
    result.stdout.fnmatch_lines([f"*learning rate 0.01, {LORA}:0.005*", f"*{LORA} seed 42*"])
    cases = ET.parse(pytester.path / "junit.xml").getroot().iter("testcase")  # noqa: S314 - just written
    assert [case.get("name") for case in cases] == [f"test_it[{LORA}]"]
    saved = json.loads(next(pytester.path.glob(".benchmarks/*/*first*.json")).read_text(encoding="utf-8"))
    assert [benchmark["name"] for benchmark in saved["benchmarks"]] == [f"test_it[{LORA}]"]
    limits = ("--benchmark-compare", f"--freeze-max-regression={LORA}:100", f"--freeze-allow-unmatched=emb,{LORA}")
    again = pytester.runpytest_inprocess(*OPTIONS, *limits, f"--freeze-lr=1e-2,{LORA}:5e-3", node_id)
    again.stdout.fnmatch_lines([f"*{LORA}*saved run*"])
    names = [path.name for path in pytester.path.rglob("*") if "lora" in path.name]
    assert not [name for name in names if set(name) & set("(),= ")]


@pytest.mark.usefixtures("lora")
def test_ids_with_arguments_select_tests(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """By node id, -k of the strategy's name, --deselect, and as the last failed test."""
    pytester = project(f"grid='none,{LORA},emb+{LORA},bitfit'")
    node_ids = [f"test_project.py::test_it[{name}]" for name in ("none", "bitfit", LORA, f"emb+{LORA}")]
    listed = ("--collect-only", "-q", "-Wdefault::pytest.PytestWarning")
    shown = pytester.runpytest_inprocess(*listed).stdout.lines
    assert [line for line in shown if "::" in line] == node_ids
    shown = pytester.runpytest_inprocess(*listed, "--deselect", node_ids[2], "-k", "lora or none").stdout.lines
    assert [line for line in shown if "::" in line] == [node_ids[0], node_ids[3]]
    shown = pytester.runpytest_inprocess(*listed, node_ids[3]).stdout.lines
    assert [line for line in shown if "::" in line] == [node_ids[3]]
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly")
    pytester.makeconftest("def pytest_runtest_call(item):\n    raise ValueError('x')\n")
    pytester.runpytest_inprocess("-Wdefault::pytest.PytestWarning", "--freeze-num-seeds=1", node_ids[2])
    shown = pytester.runpytest_inprocess(*listed, "--lf").stdout.lines
    assert [line for line in shown if "::" in line] == [node_ids[2]]


def test_what_a_word_stands_for_and_cannot_train_is_left_out_by_name(project: Project) -> None:
    """Before the tests, with the plan, and in the summary; whoever names it gets an error and exit code 4."""
    with registered(LibraryLora, Lpft, Unfit):
        pytester = project()
        result = pytester.runpytest_inprocess(*OPTIONS, "--freeze-grid=strategies", "--freeze-epochs=1", "-rs")
        assert result.parseoutcomes()["skipped"] == 4
        output = result.stdout.str()
        assert "left out: lpft, since lpft trains the head first, and 1 epoch is too few" in output
        assert "left out: lora, emb+lora, since lora needs no_such_library, which is not installed." in output
        assert "left out: bitfit, since cannot apply bitfit: the layers of tiny have no biases" in output
        plan = pytester.runpytest_inprocess(*OPTIONS, "--freeze-grid=strategies", "--freeze-epochs=1", "--freeze-plan")
        assert plan.ret == 0
        plan.stdout.fnmatch_lines(
            ["*: 5 configurations with 1 seed each", "*left out: lpft, since lpft trains the head first*"]
        )
        for grid, message in {"strategies,lpft": "1 epoch is too few", "lora": "needs no_such_library"}.items():
            named = pytester.runpytest_inprocess(*OPTIONS, f"--freeze-grid={grid}", "--freeze-epochs=1")
            assert named.ret == pytest.ExitCode.USAGE_ERROR
            named.stderr.fnmatch_lines([f"*{message}*"])
        unfit = pytester.runpytest_inprocess(*OPTIONS, "--freeze-grid=strategies,bitfit", "--freeze-epochs=1")
        assert unfit.ret == pytest.ExitCode.USAGE_ERROR
        unfit.stderr.fnmatch_lines(["*cannot apply bitfit*"])


@pytest.mark.usefixtures("lora")
def test_the_plan_says_where_another_engine_trains(project: Project) -> None:
    """One session may mix engines."""
    options = (*OPTIONS, "--freeze-grid=top-1,lora,lpft,search", "--freeze-engine=trainer", "--freeze-plan")
    refused = project().runpytest_inprocess(*options)
    refused.stderr.fnmatch_lines(["*names top-1 besides 'search'*"])
    options = (*OPTIONS, "--freeze-grid=top-1,lora,lpft", "--freeze-engine=trainer", "--freeze-plan")
    plan = project().runpytest_inprocess(*options)
    plan.stdout.fnmatch_lines(["*engine trainer (lora, lpft: cached)*", "*emb+L0 *"])
