"""Sessions that search for the deepest safe prefix: what trains, what is skipped and why, what the summary says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from report_schema import read_report
from tiny import write_model

Project = Callable[..., pytest.Pytester]
Reach = Callable[..., list[str]]

LADDER = ["emb", "emb+L0", *(f"emb+L0-{last}" for last in range(1, 6))]
FAST = ("--freeze-num-seeds=3", "--freeze-grid=search", "--freeze-margin=20", "-Wdefault::pytest.PytestWarning")


@pytest.fixture(scope="session")
def deep_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder of six layers."""
    return write_model(tmp_path_factory.mktemp("deep"), n_layers=6, is_pretrained=True)


@pytest.fixture
def search(project: Project, reach: Reach, deep_model: Path) -> Callable[..., tuple[pytest.RunResult, list[str]]]:
    """Run a search on the deep model, of which a number of prefixes are safe; return pytest's result and the runs."""

    def run(num_safe: int, *arguments: str, **accuracies: float | None) -> tuple[pytest.RunResult, list[str]]:
        lost = dict.fromkeys(LADDER[num_safe:], 0.4)
        ran = reach(**{**lost, **accuracies})
        ran.clear()
        result = project().runpytest_inprocess(f"--freeze-model={deep_model}", *FAST, "-rs", *arguments)
        return result, list(dict.fromkeys(name.partition(" ")[0] for name in ran))

    return run


Search = Callable[..., tuple[pytest.RunResult, list[str]]]


def test_search_trains_only_what_the_answer_needs(search: Search) -> None:
    """Tests of other prefixes are skipped with the answer; the answer names it, the counts, and the next deeper one."""
    result, trained = search(5)
    assert trained == ["none", "emb+L0-2", "emb+L0-4", "emb+L0-3"]
    result.assert_outcomes(passed=4, skipped=4)
    why = "the search found emb+L0-3 to be the deepest safe prefix; emb+L0-4 is not shown to be non-inferior"
    result.stdout.fnmatch_lines([f"SKIPPED*not needed: emb, since {why}"])
    result.stdout.fnmatch_lines(["*Freeze emb+L0-3: *"])
    found = "Deepest safe prefix emb+L0-3, found by search: 3 of 7 prefixes trained"
    result.stdout.fnmatch_lines([f"*{found}, and emb+L0-4 is not shown to be non-inferior.*"])
    result.stdout.fnmatch_lines(["*The next deeper one, emb+L0-4, is inferior*"])
    result.stdout.fnmatch_lines(
        ["*Search: a depth that it reports loses more than 20 points with a probability of*5 %*"]
    )
    assert result.ret == 0


def test_untrained_prefixes_are_no_undecided_tests_in_ci(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search decided what it needed, with and without limits on prefixes that it did not train."""
    monkeypatch.setenv("CI", "true")
    result, _ = search(5, "--freeze-max-drop=30,emb:25")
    assert result.ret == 1  # emb+L0-4 fails its limit
    result.assert_outcomes(passed=3, skipped=4, failed=1)
    assert "INCONCLUSIVE" not in result.stdout.str()
    result, _ = search(7, "--freeze-max-drop=30,emb:25")
    assert result.ret == 0


@pytest.mark.slow
def test_report_has_the_answer_and_every_prefix(search: Search, tmp_path: Path) -> None:
    """Saved rows say why prefixes were not trained."""
    search(7, f"--freeze-report={tmp_path}")
    experiment = read_report(tmp_path)["experiments"][0]
    rows = {item["freeze"]: item for item in experiment["configurations"]}
    assert list(rows) == ["none", *LADDER]
    assert rows["emb"]["verdict"] == "not_run"
    assert "emb+L0-5 to be the deepest safe prefix, and none is deeper" in rows["emb"]["not_needed"]
    assert rows["emb+L0-5"]["verdict"] == "non_inferior"
    assert "not needed" in (tmp_path / "report.md").read_text()
    assert "found by search" in (tmp_path / "index.html").read_text()


def test_search_within_selected_tests(search: Search) -> None:
    """The ladder is what was selected, so that a deselected configuration does not train."""
    result, trained = search(5, "-k", "none or emb+L0-3] or emb+L0-4] or emb+L0-5]")
    assert trained == ["none", "emb+L0-4", "emb+L0-3"]
    result.assert_outcomes(passed=3, skipped=1, deselected=4)
    result, trained = search(2, "-k", "emb+L0-5]")
    assert trained == ["none", "emb+L0-5"]


def test_search_within_the_tests_that_failed(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    """--lf selects the depth that failed its limit, which is tried again with the baseline."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly")  # --lf needs pytest's cache
    result, _ = search(5, "--freeze-max-drop=30")
    result.assert_outcomes(passed=3, skipped=4, failed=1)
    result, trained = search(5, "--freeze-max-drop=30", "--freeze-resume=no", "--lf")
    assert trained == ["none", "emb+L0-4"]
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*No configuration is non-inferior at a margin of 20 points.*"])


def test_required_savings_are_tested_where_the_search_trains(search: Search) -> None:
    """Each depth that is tried has its series with the baseline, and other tests are skipped with the answer."""
    result, trained = search(5, "--freeze-min-speedup=1.1,emb+L0-3:9")
    assert trained == ["none", "emb+L0-2", "emb+L0-4", "emb+L0-3"]
    why = "the search found emb+L0-3 to be the deepest safe prefix; emb+L0-4 is not shown to be non-inferior"
    result.stdout.fnmatch_lines([f"SKIPPED*not needed: emb, since {why}", "*4 skipped*"])
    result.assert_outcomes(passed=3, skipped=4, failed=1)
    result.stdout.fnmatch_lines(["freezebench [[]33/33] emb+L0-3 seed 46: *"])


def test_broken_baseline_ends_the_search(search: Search) -> None:
    """The first depth fails with the baseline, and no other one is tried."""
    result, trained = search(5, none=None)
    assert trained == ["none"]
    result.assert_outcomes(failed=2, skipped=6)
    result.stdout.fnmatch_lines(["SKIPPED*since the unfrozen baseline is invalid, which ended the search*"])


def test_broken_candidate_is_not_safe(search: Search) -> None:
    """Its test fails, and the search goes on with less frozen prefixes."""
    result, trained = search(7, **{"emb+L0-2": None})
    assert trained == ["none", "emb+L0-2", "emb+L0", "emb+L0-1"]
    result.assert_outcomes(passed=3, failed=1, skipped=4)
    result.stdout.fnmatch_lines(["*Freeze emb+L0-1:*"])


def test_nothing_is_safe(search: Search) -> None:
    """The least frozen prefix was tried, and is the one to decide."""
    result, trained = search(0)
    assert trained == ["none", "emb+L0-2", "emb+L0", "emb"]
    result.stdout.fnmatch_lines(["*No configuration is non-inferior at a margin of 20 points.*"])
    result.stdout.fnmatch_lines(["*The search found no non-inferior prefix: 3 of 7 prefixes trained.*"])


def test_configurations_that_are_no_prefixes_train_besides(search: Search) -> None:
    """They are named by the user."""
    result, trained = search(7, "--freeze-grid=search,L3")
    assert trained == ["none", "L3", "emb+L0-2", "emb+L0-4", "emb+L0-5"]
    result.assert_outcomes(passed=5, skipped=4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--freeze-grid=search,emb+L0-2"], "*names emb+L0-2 besides 'search', which chooses itself*"),
        (["--freeze-grid=search,all"], "*names all besides 'search'*"),
        (["--freeze-pool-seeds"], "*pooled verdicts need the runs of all configurations*"),
        (["--freeze-num-seeds=1"], "*chooses prefixes by verdicts, and one seed gives no verdict*"),
    ],
)
def test_what_search_cannot_do_is_refused(search: Search, arguments: list[str], message: str) -> None:
    """A usage error, before anything trains."""
    result, trained = search(7, *arguments)
    assert (result.ret, trained) == (4, [])
    result.stderr.fnmatch_lines([message])


def test_marker_may_search(project: Project, reach: Reach) -> None:
    """It is a grid as any other."""
    ran = reach()
    result = project("grid='search', num_seeds=3, margin=20").runpytest_inprocess("-Wdefault::pytest.PytestWarning")
    result.assert_outcomes(passed=3, skipped=1)
    assert len(ran) == 9


def test_plan_says_how_many_runs_a_search_takes(search: Search) -> None:
    """At least and at most; what its first look needs is listed."""
    result, trained = search(7, "--freeze-plan", "--freeze-num-seeds=3,5")
    assert trained == []
    result.stdout.fnmatch_lines(
        ["*search over 7 prefixes, of which at most 3 train, each with 3, then 5 seeds: 12 to 20*"]
    )
    result.stdout.fnmatch_lines(["*first 6 runs*"])


def test_search_is_compared_where_the_saved_run_has_the_depth(search: Search, tmp_path: Path) -> None:
    """Other depths than those of the saved run are no error, and untrained ones are left out."""
    saved = ("--benchmark-storage", str(tmp_path), "--benchmark-save=before")
    assert search(7, *saved)[0].ret == 0
    compared = ("--benchmark-storage", str(tmp_path), "--benchmark-compare", "--freeze-max-regression=30")
    result, trained = search(5, *compared)
    assert trained == ["none", "emb+L0-2", "emb+L0-4", "emb+L0-3"]
    assert "not compared with" not in result.stdout.str()
