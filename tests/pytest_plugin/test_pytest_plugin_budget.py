"""Sessions that end with their budget: what is known is shown, what was not reached is named, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from freezebench.planning import budget

Project = Callable[..., pytest.Pytester]
Reach = Callable[..., list[str]]

FAST = (
    "--freeze-grid=all",
    "--freeze-num-seeds=2",
    "--freeze-margin=20",
    "-rs",
    "-Wdefault::pytest.PytestWarning",
)


def _run(project: Project, *arguments: str) -> pytest.RunResult:
    return project().runpytest_inprocess(*FAST, *arguments)


@pytest.mark.slow
def test_same_command_goes_on_from_the_end_of_a_budget(project: Project, tmp_path: Path) -> None:
    """Runs that are kept, here of real training, cost nothing of the next budget."""
    arguments = (f"--freeze-store={tmp_path / 'store'}", "--freeze-budget=6runs")
    _run(project, *arguments)
    assert len(list((tmp_path / "store").rglob("*.json"))) == 6
    result = _run(project, *arguments)
    assert len(list((tmp_path / "store").rglob("*.json"))) == 8
    assert "is used up" not in result.stdout.str()


def test_budget_of_runs_ends_the_session_with_what_is_known(project: Project, reach: Reach) -> None:
    """No further run starts, and what has no result is named."""
    ran = reach()
    result = _run(project, "--freeze-budget=6runs")
    assert ran == ["none 42", "emb 42", "emb+L0 42", "emb+L0-1 42", "none 43", "emb 43"]
    result.assert_outcomes(passed=2, skipped=2)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["SKIPPED*INCONCLUSIVE: emb+L0: not reached, since the budget of 6 runs is used up*"])
    result.stdout.fnmatch_lines(["*Freeze emb:*"])
    result.stdout.fnmatch_lines(["*Not reached: emb+L0, emb+L0-1, since the budget of 6 runs is used up.*"])
    result.stdout.fnmatch_lines(["*Conclusive verdicts: 1 of 3 at the margin*"])
    result.stdout.fnmatch_lines(["*(6 runs trained); the next run would have been emb+L0 seed 43. The same command*"])


def test_limits_that_were_not_reached_are_undecided(
    project: Project, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never passed: with the policy fail they fail, and in CI a session without any decision does."""
    reach()
    limited = ("--freeze-max-drop=30", "--freeze-budget=6runs")
    _run(project, *limited, "--freeze-inconclusive=pass").assert_outcomes(passed=2, skipped=2)
    result = _run(project, *limited, "--freeze-inconclusive=fail")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*Conclusive verdicts: 1 of 3 at their limits*"])
    monkeypatch.setenv("CI", "true")
    assert _run(project, *limited).ret == 0
    result = _run(project, *limited, "--freeze-budget=3runs")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*INCONCLUSIVE: no candidate has a conclusive verdict (0 of 3): the budget of 3 runs is used up.*"]
    )
    result.stdout.fnmatch_lines(["*Nothing to compare yet: the budget of 3 runs is used up.*"])
    result.stdout.fnmatch_lines(["Setting: *no configuration has all its runs."])
    result.stdout.no_fnmatch_line("*nothing was run*")


def test_look_that_is_not_complete_gives_no_verdict(project: Project, reach: Reach) -> None:
    """Undecided after its first look, a configuration keeps that verdict where the next look lacks runs."""
    ran = reach(emb=0.7)
    result = _run(project, "--freeze-grid=none,emb", "--freeze-num-seeds=2,4", "--freeze-budget=6runs")
    assert len(ran) == 6
    result.stdout.fnmatch_lines(["*the next run would have been none seed 45*"])
    result.stdout.fnmatch_lines(["*2 seeds*"])
    result.assert_outcomes(passed=2)


def test_interleaved_series_starts_only_if_all_of_it_fits(project: Project, reach: Reach) -> None:
    """Half of it decides nothing."""
    ran = reach()
    result = _run(project, "--freeze-grid=none,emb", "--freeze-min-speedup=1.5", "--freeze-budget=9runs")
    assert ran == ["none 42", "none 43"]
    result.stdout.fnmatch_lines(["*the first of 10 that train without a break*"])


def test_search_ends_with_its_budget(project: Project, reach: Reach) -> None:
    """What it has not tried is not reached; what it has found so far is no answer yet."""
    ran = reach()
    result = _run(project, "--freeze-grid=search", "--freeze-budget=4runs")
    assert len(ran) == 4
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED*INCONCLUSIVE: emb*: not reached*"])
    assert "found by search" not in result.stdout.str()


def test_budget_of_time_starts_no_run_after_its_end(
    project: Project, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that began before is finished."""
    ran = reach()

    class Clock:
        """A clock by which a run takes ten minutes."""

        @staticmethod
        def monotonic() -> float:
            return 600.0 * len(ran)

    monkeypatch.setattr(budget, "time", Clock)
    result = _run(project, "--freeze-budget=35min")
    assert len(ran) == 4
    result.stdout.fnmatch_lines(["*the budget of 35 min is used up (4 runs trained)*"])


@pytest.mark.slow
def test_plan_shows_the_budget_and_what_would_decide(project: Project, tmp_path: Path) -> None:
    """The seeds or sentences follow from the runs of an earlier session, here of real training."""
    store = f"--freeze-store={tmp_path / 'store'}"
    arguments = (store, "--freeze-margin=1")
    _run(project, *arguments)
    result = _run(project, *arguments, "--freeze-plan", "--freeze-budget=30min")
    result.stdout.fnmatch_lines(
        [
            "freezebench: 8 runs, all of which earlier sessions finished*",
            "freezebench: Inconclusive: emb at 1 point: about * would show that it is non-inferior, if*",
            "freezebench: budget 30 min: no further run starts after that (--freeze-budget)",
        ]
    )


@pytest.mark.slow
def test_budget_of_a_search_on_two_devices(project: Project, tmp_path: Path) -> None:
    """Never exceeded; the same command goes on, and in the end there are the runs of one device under the same keys."""
    session = project("grid='search', num_seeds=2, margin=45")
    common = ("--freeze-device=auto", "--freeze-isolate=worker", "-Wdefault::pytest.PytestWarning")

    def run(store: str, *arguments: str) -> tuple[pytest.RunResult, set[str]]:
        folder = tmp_path / store
        result = session.runpytest_inprocess(*common, f"--freeze-store={folder}", *arguments)
        assert result.ret == 0
        return result, {path.name for path in folder.glob("*.json")}

    two = "--freeze-devices=cpu,cpu"
    result, begun = run("two", two, "--freeze-budget=3runs")
    assert len(begun) == 3
    result.stdout.fnmatch_lines(["*the budget of 3 runs is used up (3 runs trained); the next run would have been *"])
    _, ended = run("two", two)
    serial, of_one = run("one")
    assert begun < ended == of_one
    assert len(ended) == 6
    serial.assert_outcomes(passed=3, skipped=1)


@pytest.mark.parametrize("text", ["40", "0runs", "1.5runs", "-3runs", "30m", "soon"])
def test_bad_budgets_are_refused(project: Project, text: str) -> None:
    """A usage error."""
    result = _run(project, f"--freeze-budget={text}")
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*--freeze-budget={text}: give *"])
