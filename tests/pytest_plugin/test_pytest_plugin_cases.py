"""Cases of ``parametrize``: the markers of each case decide its configurations and settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tiny import write_model

Project = Callable[[str], pytest.Pytester]


def _ids(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    """Return what is in the brackets of the tests that pytest collects."""
    result = pytester.runpytest_inprocess("--collect-only", "-q", *arguments)
    assert result.ret == pytest.ExitCode.OK
    return [line.partition("[")[2].removesuffix("]") for line in result.outlines if "::" in line]


SIZES = """
@pytest.mark.parametrize("size", [param(1, marks=freeze(grid="none,emb"), id="small"), 2])
@freeze(grid="none,L0,L1")
def test_it(freeze_run, size):
    freeze_run()
"""


def test_a_case_decides_its_grid(cases: Project) -> None:
    """The tests of a case are those of its marker; a case without one has those of the function."""
    pytester = cases(SIZES)
    assert _ids(pytester) == ["none-small", "none-2", "emb-small", "L0-2", "L1-2"]
    result = pytester.runpytest_inprocess("--collect-only", "-v")
    result.stdout.fnmatch_lines(["freezebench: model * grid none,emb, *", "freezebench: model * grid none,L0,L1, *"])


def test_a_case_decides_its_model_and_depth(cases: Project, tmp_path: Path) -> None:
    """``all`` is the ladder of the model of the case."""
    write_model(tmp_path / "deep", n_layers=3)
    marks = f"freeze(model={str(tmp_path / 'deep')!r})"
    pytester = cases(
        f"def make(num_labels): ...\n"
        f"@pytest.mark.parametrize('size', [param(1, id='a'), param(2, marks={marks}, id='b'), "
        "param(3, marks=freeze(model='test_project:make', num_layers=1), id='c')])\n"
        "def test_it(freeze_run, size): freeze_run()\n"
    )
    ladder = ["none", "emb", "emb+L0", "emb+L0-1", "emb+L0-2"]
    depths = {"a": 2, "b": 3, "c": 1}
    assert sorted(_ids(pytester)) == sorted(f"{spec}-{case}" for case in depths for spec in ladder[: depths[case] + 2])


def test_the_closest_marker_wins_for_each_argument(cases: Project) -> None:
    """Case before function before class before module, and of two markers of a function the lower one."""
    pytester = cases(
        """
@freeze(epochs=2, batch_size=2, max_length=20, seed=2)
class TestIt:
    @pytest.mark.parametrize("size", [param(1, marks=freeze(epochs=4, seed=None))])
    @freeze(epochs=5, max_length=50)
    @freeze(epochs=3, batch_size=3, grid="none")
    def test_it(self, freeze_run, size):
        settings = freeze_run.settings
        assert (settings.protocol.num_epochs, settings.protocol.batch_size) == (4, 3)
        assert settings.protocol.max_length == 50
        assert settings.grid == "none"
        assert settings.seed == 42  # None leaves an argument out
"""
    )
    # The test trains nothing, of which pytest-benchmark warns.
    pytester.runpytest_inprocess("-Wdefault::pytest.PytestWarning").assert_outcomes(passed=1)


OWN = "def test_it(freeze_run, own): freeze_run()"
VALUES = "['x', param('y', marks=freeze(grid='L0'))]"
# What parametrizes a test, and the ids of its tests.
MADE_BY = {
    "stacked": (
        (
            f"@pytest.mark.parametrize('a', {VALUES})\n"
            "@pytest.mark.parametrize('b', [1, param(2, marks=freeze(grid='none,L1', seed=3))])\n"
            "def test_it(freeze_run, a, b): freeze_run()"
        ),
        # The lower decorator is the closest.
        ["emb-1-x", "L0-1-y", "none-2-x", "none-2-y", "L1-2-x", "L1-2-y"],
    ),
    "indirect": (
        (
            "@pytest.fixture\ndef own(request): return request.param\n"
            f"@pytest.mark.parametrize('own', {VALUES}, indirect=True)\n{OWN}"
        ),
        ["emb-x", "L0-y"],
    ),
    "fixture": (
        f"@pytest.fixture(params={VALUES})\ndef own(request): return request.param\n{OWN}",
        ["x-emb", "y-L0"],
    ),
    "hook": (
        f"def pytest_generate_tests(metafunc):\n    metafunc.parametrize('own', {VALUES}, scope='module')\n{OWN}",
        ["x-emb", "y-L0"],
    ),
    "hidden": (
        "@pytest.mark.parametrize('own', [param('y', marks=freeze(grid='none,L0'), id=pytest.HIDDEN_PARAM)])\n" + OWN,
        ["none", "L0"],
    ),
    "marker": (
        (
            "def pytest_generate_tests(metafunc): metafunc.definition.add_marker(freeze(grid='L0,head'))\n"
            "@freeze(grid='none')\ndef test_it(freeze_run): freeze_run()"
        ),
        ["L0", "head"],
    ),
    "usefixtures": (
        f"@pytest.mark.parametrize('a', {VALUES})\n@pytest.mark.usefixtures('freeze_run')\ndef test_it(a): pass",
        ["emb-x", "L0-y"],
    ),
    "class": (
        (
            f"@pytest.mark.parametrize('a', {VALUES})\n"
            "class TestIt:\n    def test_it(self, freeze_run, a): freeze_run()\n"
            "@freeze(grid='L1')\nclass TestDerived(TestIt): pass"
        ),
        ["emb-x", "L0-y", "L1-x", "L0-y"],
    ),
    "empty": (f"@pytest.mark.parametrize('own', [])\n{OWN}", ["emb-NOTSET"]),
}


@pytest.mark.parametrize("name", MADE_BY)
def test_ids_are_in_the_order_of_the_decorators(cases: Project, name: str) -> None:
    """Whatever parametrizes a test, its cases have their grids, and ids whose parts are in a fixed order."""
    source, ids = MADE_BY[name]
    pytester = cases(source)
    pytester.makeini("[pytest]\nfreeze_grid = emb")
    assert sorted(_ids(pytester)) == sorted(ids)


def test_flags_win_over_a_case_and_a_case_over_ini_keys(cases: Project) -> None:
    """As they do for the markers of a function."""
    pytester = cases(SIZES)
    assert _ids(pytester, "--freeze-grid=L1") == ["L1-small", "L1-2"]
    pytester.makeini("[pytest]\nfreeze_grid = L1")
    assert _ids(pytester) == ["none-small", "none-2", "emb-small", "L0-2", "L1-2"]


def test_baselines_are_trained_on_demand_for_each_experiment(cases: Project, reach: Callable[..., list[str]]) -> None:
    """A node id selects one configuration of one case; every experiment has a baseline of its own."""
    ran = reach()
    pytester = cases(SIZES.replace('grid="none,emb"', 'grid="none,emb", max_train=20'))
    pytester.runpytest_inprocess("test_project.py::test_it[emb-small]").assert_outcomes(passed=1)
    assert ran == ["none 42", "emb 42"]
    ran.clear()
    pytester.runpytest_inprocess("-k", "emb-small or L1-2").assert_outcomes(passed=2, deselected=3)
    assert ran == ["none 42", "emb 42", "none 42", "L1 42"]


def test_last_failed_runs_the_configuration_of_a_case(
    cases: Project, reach: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--lf`` finds the ids of cases again."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly")
    ran = reach(L1=None)
    pytester = cases(SIZES)
    arguments = (f"--freeze-store={pytester.path / 'store'}", "--freeze-resume=no")
    pytester.runpytest_inprocess(*arguments).assert_outcomes(passed=4, failed=1)
    ran.clear()
    pytester.runpytest_inprocess("--lf", *arguments).assert_outcomes(failed=1)
    assert ran == ["none 42", "L1 42"]


def test_cases_of_one_experiment_train_once(cases: Project, reach: Callable[..., list[str]]) -> None:
    """An argument for a purpose of the test's own gives several tests of one run, and one row."""
    ran = reach()
    result = cases(
        "@pytest.mark.parametrize('figure', ['accuracy', 'f1'])\n@freeze(grid='none,emb')\n"
        "def test_it(freeze_run, figure): assert freeze_run().records\n"
    ).runpytest_inprocess()
    result.assert_outcomes(passed=4)
    assert ran == ["none 42", "emb 42"]
    assert sum(line.startswith("emb  ") for line in result.outlines) == 1


def test_the_report_names_the_tests_of_a_case(cases: Project, reach: Callable[..., list[str]]) -> None:
    """The command that runs an experiment again must not run the cases of another one."""
    reach()
    pytester = cases(SIZES)
    pytester.runpytest_inprocess("--freeze-report=report")
    saved = json.loads((pytester.path / "report" / "report.json").read_text(encoding="utf-8"))
    assert "test_project.py::test_it[emb-small]" in str(saved)
    assert "'test_project.py::test_it'" not in str(saved)
