"""The outcome of freeze tests: every verdict under every policy, in exit code and JUnit, with other plugins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from freezebench.records import contention
from freezebench.records.run_record import RunRecord
from freezebench.runs import experiment

Project = Callable[..., pytest.Pytester]
Reach = Callable[..., list[str]]

# At a limit of 30 points, against a baseline that reaches 90 %.
REACHED = {"non_inferior": 0.9, "inferior": 0.4, "inconclusive": 0.6}


def _junit(path: Path) -> tuple[int, int, dict[str, str]]:
    """Return failures, skips and the properties of the last test case."""
    suite = ET.parse(path).getroot()[0]  # noqa: S314 - ours
    properties = suite.findall("testcase")[-1].iter("property")
    values = {str(entry.get("name")): str(entry.get("value")) for entry in properties}
    return int(suite.get("failures", -1)), int(suite.get("skipped", -1)), values


@pytest.mark.parametrize("policy", ["skip", "pass", "fail"])
@pytest.mark.parametrize(
    ("verdict", "word"),
    [("non_inferior", "passed"), ("inferior", "INFERIOR"), ("inconclusive", "INCONCLUSIVE"), ("invalid", "INVALID")],
)
def test_every_verdict_under_every_policy(  # noqa: PLR0917 - fixtures and parameters
    project: Project, reach: Reach, tmp_path: Path, policy: str, verdict: str, word: str
) -> None:
    """Outcome, exit code and JUnit are consistent; the policy changes only what is undecided."""
    reach(emb=REACHED.get(verdict))
    junit = tmp_path / "j.xml"
    result = project("max_drop=30").runpytest_inprocess(
        "--freeze-grid=none,emb", f"--freeze-inconclusive={policy}", f"--junitxml={junit}", "-rs"
    )
    fails = verdict in ("inferior", "invalid") or (verdict == "inconclusive" and policy == "fail")
    skips = verdict == "inconclusive" and policy == "skip"
    result.assert_outcomes(passed=2 - fails - skips, failed=int(fails), skipped=int(skips))
    assert result.ret == int(fails)
    failures, skipped, properties = _junit(junit)
    assert (failures, skipped) == (int(fails), int(skips))
    assert properties["freezebench_verdict"] in (verdict, "inferior")
    assert properties["freezebench_standing"] == word.lower()
    if fails or skips:
        result.stdout.fnmatch_lines([f"*{word}: emb*"])


def test_what_a_saved_run_lacks_is_named(project: Project, reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configurations whose test failed, and those without a time; without such an option there is nothing to say."""
    reach(emb=0.4)
    pytester = project("max_drop=30")
    failed = pytester.runpytest_inprocess("--freeze-grid=none,emb", "--benchmark-save=main")
    failed.assert_outcomes(passed=1, failed=1)
    failed.stdout.fnmatch_lines(["*warning: what --benchmark-save saves lacks emb (its test failed). A later *"])
    pytester.runpytest_inprocess("--freeze-grid=none,emb").stdout.no_fnmatch_line("*saves lacks*")
    with_times = experiment.run

    def without_times(*arguments: Any, **options: Any) -> RunRecord:
        record = with_times(*arguments, **options)
        unknown = replace(record.readings["train_s"], value=None, status="not_measured", reason="a test")
        return replace(record, readings={**record.readings, "train_s": unknown})

    monkeypatch.setattr(experiment, "run", without_times)
    untimed = pytester.runpytest_inprocess("--freeze-grid=none", "--benchmark-json=b.json", "-Wignore")
    untimed.assert_outcomes(passed=1)
    untimed.stdout.fnmatch_lines(["*what --benchmark-json saves lacks none (no time of its runs was measured on*"])


def test_the_message_names_every_limit_with_its_observation(project: Project, reach: Reach) -> None:
    """Accuracy passes, memory does not: the test fails and lists both."""
    reach()
    result = project("max_drop=30, min_memory_saving=40, min_speedup=1.5").runpytest_inprocess("--freeze-grid=none,emb")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*EXCEEDED: emb is within 30 points of no freezing: drop *, upper bound *, 3 seeds.",
            "*  passed: train time: 2.00× the speed of no freezing, at least 1.5× the speed is required, 5 *",
            "*  EXCEEDED: peak memory: 25.0 % saved against no freezing, at least 40 % is required*",
        ]
    )


def test_time_limits_need_benchmarking(project: Project, reach: Reach) -> None:
    """With --benchmark-disable nothing is interleaved, and memory is still judged."""
    ran = reach()
    marker = "max_drop=30, min_memory_saving=20, min_speedup=9"
    project(marker).runpytest_inprocess("--freeze-grid=none,emb", "--benchmark-disable").assert_outcomes(passed=2)
    assert len(ran) == 6


def test_seeds_are_added_until_a_configuration_is_decided(project: Project, reach: Reach) -> None:
    """Three seeds for what is clear, five for what is not; the interval's level is that of the looks."""
    ran = reach(**{"emb": 0.9, "emb+L0": 0.6})
    result = project("max_drop=30").runpytest_inprocess("--freeze-grid=none,emb,emb+L0", "--freeze-num-seeds=3,5")
    result.assert_outcomes(passed=2, skipped=1)
    assert [sum(run.startswith(f"{spec} ") for run in ran) for spec in ("none", "emb", "emb+L0")] == [5, 3, 5]
    result.stdout.fnmatch_lines(
        ["*3 configurations with 3, then 5 seeds each", "*[[]96 % interval[]]*", "Setting: *; 3 to 5 seeds."]
    )


def test_the_recommendation_is_the_cheapest_that_passes_everything(project: Project, reach: Reach) -> None:
    """A deeper configuration that misses a limit is not recommended, however cheap."""
    reach()
    result = project("max_drop=30, min_memory_saving={'emb+L0': 90}").runpytest_inprocess(
        "--freeze-grid=none,emb,emb+L0"
    )
    result.stdout.fnmatch_lines(
        ["Freeze emb: accuracy stays within 2 points of no freezing (*), training is 2.0× faster and 70 % of the*"]
    )


def test_the_first_failure_can_end_the_session(project: Project, reach: Reach) -> None:
    """-x and --maxfail leave untrained what comes after the last run of the test that failed."""
    for flag in ("-x", "--maxfail=1"):
        ran = reach(emb=0.4)
        ran.clear()
        result = project("max_drop=30").runpytest_inprocess("--freeze-grid=none,emb,emb+L0", flag)
        result.assert_outcomes(passed=1, failed=1)
        assert ran[-1] == "emb 44"
        assert len(ran) == 8


def test_a_selection_brings_its_baseline(project: Project, reach: Reach) -> None:
    """-k selects a candidate by substring; the baseline is trained for it."""
    ran = reach()
    project("max_drop=30").runpytest_inprocess("--freeze-grid=none,emb,emb+L0", "-k", "emb+L0").assert_outcomes(
        passed=1, deselected=2
    )
    assert {run.split()[0] for run in ran} == {"none", "emb+L0"}


def test_the_last_failure_can_be_run_alone(project: Project, reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    """--lf picks the configuration that failed."""
    reach(emb=0.4)
    pytester = project("max_drop=30")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly --freeze-resume=no")
    pytester.runpytest_inprocess("--freeze-grid=none,emb,emb+L0").assert_outcomes(passed=2, failed=1)
    reach()
    pytester.runpytest_inprocess("--freeze-grid=none,emb,emb+L0", "--lf").assert_outcomes(passed=1)


def test_without_the_plugin_its_options_are_unknown(project: Project) -> None:
    """With -p no:freezebench.pytest_plugin.plugin, pytest runs without any part of the plugin."""
    result = project().runpytest_subprocess("-p", "no:freezebench.pytest_plugin.plugin", "--freeze-grid=none")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*unrecognized arguments: --freeze-grid=none"])


def test_without_pytest_benchmark_the_gates_hold(project: Project, reach: Reach) -> None:
    """With -p no:benchmark nothing is recorded, and verdicts are the same."""
    reach(emb=0.4)
    result = project("max_drop=30").runpytest_inprocess("--freeze-grid=none,emb", "-p", "no:benchmark")
    result.assert_outcomes(passed=1, failed=1)


def test_a_shuffled_order_still_starts_with_the_baseline(
    project: Project, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With pytest-randomly installed and active."""
    pytest.importorskip("pytest_randomly")
    pytester = project("max_drop=30")
    monkeypatch.delenv("PYTEST_ADDOPTS")
    for seed in range(3):
        ran = reach()
        ran.clear()
        result = pytester.runpytest_inprocess("--freeze-grid=none,emb,emb+L0", f"--randomly-seed={seed}")
        result.assert_outcomes(passed=3)
        assert ran[0].startswith("none")


@pytest.mark.slow
def test_xdist_may_be_installed_but_not_distribute(project: Project, reach: Reach) -> None:
    """-n0 changes nothing; active workers are a usage error that says what to do."""
    pytest.importorskip("xdist")
    reach()
    project("max_drop=30").runpytest_inprocess("--freeze-grid=none,emb", "-n0").assert_outcomes(passed=2)
    result = project("max_drop=30").runpytest_subprocess("--freeze-grid=none,emb", "-n2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*workers share no baseline*"])


def test_tests_of_one_class_share_one_table(pytester: pytest.Pytester, project: Project, reach: Reach) -> None:
    """Tests of a class whose marker sets the limits share one experiment."""
    reach()
    project()
    source = (pytester.path / "test_project.py").read_text(encoding="utf-8")
    marker = source.partition("@pytest.mark.freeze")[2].partition("\n")[0][1:-1]
    pytester.makepyfile(
        test_project=f"""
        import pytest

        @pytest.mark.freeze({marker}, max_drop=30)
        class TestBoth:
            @pytest.mark.freeze(grid="none,emb")
            def test_one(self, freeze_run):
                freeze_run()

            @pytest.mark.freeze(grid="none,emb+L0")
            def test_two(self, freeze_run):
                freeze_run()
        """
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=4)
    assert sum(line.startswith("Conclusive verdicts: ") for line in result.outlines) == 1


def test_no_time_of_a_busy_machine_is_judged(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A required speed-up is INVALID and decides nothing; both tables mark the times, and no speed-up is shown."""
    pytester = project("max_drop=90, min_speedup=1.5")
    monkeypatch.setenv("CI", "1")
    # Every share is past this limit.
    monkeypatch.setattr(contention, "CONTENTION_LIMIT", -1.0)
    result = pytester.runpytest_inprocess("--freeze-grid=none,emb", "--freeze-num-seeds=2")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*INVALID: train time: 1 of 1 runs trained on a busy machine (seed 42 of none): up to *",
            "INCONCLUSIVE: no candidate has a conclusive verdict (0 of 1): train time: 1 of 1 runs trained on a *",
            "Contended: in up to * (all runs)*",
            "test_it[[]*[]] (contended) *",
        ]
    )
    result.stdout.no_fnmatch_line("*speed-up*[[]90 % interval]*")
