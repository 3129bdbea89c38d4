"""Saved runs that cannot be compared: refused before training, or red in continuous integration; the anchor."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiny import write_data, write_model

Project = Callable[..., pytest.Pytester]

GRID = "--freeze-grid=none,emb"
# pytest-benchmark warns about a missing file as well.
COMPARE = (GRID, "--benchmark-compare", "-W", "ignore")


@pytest.fixture
def project_with_reference(project: Project, reached: dict[str, Any]) -> pytest.Pytester:
    """A project that has saved a run; nothing has been trained since."""
    pytester = project()
    assert pytester.runpytest_inprocess(GRID, "--benchmark-save=ref").ret == 0
    reached["ran"] = 0
    return pytester


@pytest.fixture
def in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a service of continuous integration."""
    monkeypatch.setenv("JENKINS_URL", "https://ci.example.org/")


def saved_file(pytester: pytest.Pytester) -> Path:
    """Return the file of the saved run."""
    return next((pytester.path / ".benchmarks").rglob("*_ref.json"))


def refused(pytester: pytest.Pytester, reached: dict[str, Any], *arguments: str) -> str:
    """Return the first line of a session that must end with a usage error before training."""
    result = pytester.runpytest_inprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR, result.stdout.str()
    assert reached["ran"] == 0
    return next(line for line in result.stderr.lines if line.startswith("ERROR: "))


@pytest.mark.usefixtures("in_ci")
def test_nothing_saved_is_refused_in_ci(project: Project, reached: dict[str, Any]) -> None:
    """The first line says where a run would have to be, and which job saves one."""
    line = refused(project(), reached, *COMPARE)
    assert line.startswith("ERROR: --benchmark-compare: no run is saved in ")
    assert "Run the job of the default branch first, which saves one with --benchmark-save=NAME" in line


@pytest.mark.usefixtures("in_ci")
def test_a_run_of_another_machine_is_named(project_with_reference: pytest.Pytester, reached: dict[str, Any]) -> None:
    """The first line says where it is; given as it says, the run is compared."""
    file = saved_file(project_with_reference)
    other = file.parent.with_name("Linux-CPython-3.9-64bit")
    file.parent.rename(other)
    line = refused(project_with_reference, reached, *COMPARE)
    assert "Linux-CPython-3.9-64bit/0001_ref" in line
    option = "--benchmark-compare=Linux-CPython-3.9-64bit/0001_ref"
    assert line.endswith(f"Take one with {option}.")
    result = project_with_reference.runpytest_inprocess(GRID, option)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("name", ["0007", "main", "other/0001", "0001_ref.json"])
def test_a_name_that_does_not_exist_is_refused_everywhere(
    project_with_reference: pytest.Pytester, reached: dict[str, Any], name: str
) -> None:
    """Whoever names a run wants it compared, also outside continuous integration."""
    line = refused(project_with_reference, reached, GRID, f"--benchmark-compare={name}", "-W", "ignore")
    assert line.startswith(f"ERROR: --benchmark-compare={name}: no saved run in ")
    assert line.endswith("newest first: 0001_ref. Take one with --benchmark-compare=0001_ref.")


def test_a_path_that_leads_nowhere_is_refused(project: Project, reached: dict[str, Any]) -> None:
    """pytest-benchmark would end with a traceback."""
    line = refused(project(), reached, GRID, "--benchmark-compare=artifacts/main/0001_ref.json")
    assert line.startswith("ERROR: --benchmark-compare=artifacts/main/0001_ref.json: there is no such file (seen from ")


def test_an_empty_name_is_refused_everywhere(project_with_reference: pytest.Pytester, reached: dict[str, Any]) -> None:
    """It comes from a variable that is not set."""
    line = refused(project_with_reference, reached, GRID, "--benchmark-compare=")
    assert line.startswith("ERROR: --benchmark-compare= names no saved run: its value is empty")


@pytest.mark.parametrize("option", ["--freeze-compare-across=lr", "--freeze-allow-unmatched=all"])
def test_flags_of_a_comparison_need_one(project: Project, reached: dict[str, Any], option: str) -> None:
    """A flag that changes nothing would hide that nothing is compared; an ini key is for other sessions as well."""
    line = refused(project(), reached, GRID, option)
    assert line == (
        f"ERROR: {option}: nothing is compared without a saved run. Add --benchmark-compare or --freeze-anchor=RUN, or "
        "leave it out."
    )
    name, _, value = option.removeprefix("--").partition("=")
    setting = f"{name.replace('-', '_')}={value}"
    result = project().runpytest_inprocess(GRID, "-o", setting, "--freeze-plan")
    assert result.ret == 0


def test_a_folder_of_tests_is_not_taken_for_a_name(
    project_with_reference: pytest.Pytester, reached: dict[str, Any]
) -> None:
    """The message says what to write."""
    project_with_reference.mkdir("tests")
    line = refused(project_with_reference, reached, GRID, "-W", "ignore", "--benchmark-compare", "tests")
    assert "There is tests: if it holds tests, write it before --benchmark-compare" in line


@pytest.mark.parametrize(
    ("option", "difference", "advice"),
    [
        ("--freeze-lr=2e-2", "lr 0.01 → 0.02", "--freeze-compare-across=lr"),
        ("--freeze-epochs=9", "epochs 8 → 9", "--freeze-compare-across=epochs"),
        ("--freeze-model={model}", "model /", "--freeze-compare-across=model"),
        ("--freeze-data={train}", "train sentences sha256 ", "--freeze-compare-across=data"),
        ("--freeze-data={test}", "test sentences sha256 ", "(the test set has to be the same)"),
    ],
)
@pytest.mark.parametrize("request_", ["plain in CI", "named"])
def test_what_differs_is_refused(  # noqa: PLR0917 - three columns of the table, three fixtures
    project_with_reference: pytest.Pytester,
    reached: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    difference: str,
    advice: str,
    request_: str,
) -> None:
    """Both values, the way to compare nevertheless, and how to save another run are named."""
    folder = project_with_reference.path
    model = write_model(folder / "model", seed=7) if "{model}" in option else folder
    data = {name: write_data(folder / name) if f"{{{name}}}" in option else folder for name in ("train", "test")}
    for name, path in data.items():
        if path != folder:
            _change_one_sentence(path / f"{name}.jsonl")
    compare = "--benchmark-compare=0001"
    if request_ != "named":
        compare = "--benchmark-compare"
        monkeypatch.setenv("TF_BUILD", "True")
    line = refused(project_with_reference, reached, GRID, compare, option.format(model=model, **data))
    assert line.startswith(f"ERROR: {compare}: not comparable with ")
    assert "test_project.py::test_it[none], test_project.py::test_it[emb]: " in line
    assert difference in line
    assert advice in line
    # The only saved run is the one that is refused.
    assert line.endswith("or save a new one: pytest TESTS --benchmark-save=NAME.")


def _change_one_sentence(file: Path) -> None:
    """Append a word to the first sentence of a file."""
    first, *others = file.read_text(encoding="utf-8").splitlines()
    sentence = json.loads(first)
    sentence["text"] += " indeed"
    file.write_text("\n".join([json.dumps(sentence), *others]), encoding="utf-8")


def test_other_weights_of_the_same_name_are_refused(project: Project, reached: dict[str, Any]) -> None:
    """They are read before training."""
    pytester = project()
    flags = (GRID, "--freeze-model=./checkpoint")
    write_model(pytester.path / "checkpoint")
    assert pytester.runpytest_inprocess(*flags, "--benchmark-save=ref").ret == 0
    reached["ran"] = 0
    write_model(pytester.path / "checkpoint", seed=7)
    line = refused(pytester, reached, *flags, "--benchmark-compare=0001")
    assert "model weights sha256 " in line
    assert "--freeze-compare-across=model" in line


def test_what_may_differ_is_compared_across(project_with_reference: pytest.Pytester, reached: dict[str, Any]) -> None:
    """The summary says what changed; what was not named is still refused."""
    flags = (GRID, "--benchmark-compare=0001", "--freeze-lr=2e-2", "--freeze-epochs=9")
    line = refused(project_with_reference, reached, *flags, "--freeze-compare-across=lr")
    assert "epochs 8 → 9" in line
    assert "lr 0.01" not in line
    result = project_with_reference.runpytest_inprocess(*flags, "--freeze-compare-across=lr,epochs")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["Compared across: epochs 8 → 9.", "Compared across: lr 0.01 → 0.02."], consecutive=True
    )


def test_ordinary_benchmarks_are_passed_over(project_with_reference: pytest.Pytester, reached: dict[str, Any]) -> None:
    """The newest run with freeze results counts, and the plan says so; without one, nothing starts."""
    file = saved_file(project_with_reference)
    content = json.loads(file.read_text(encoding="utf-8"))
    content["benchmarks"] = [{**content["benchmarks"][0], "fullname": "test_other.py::test_sort", "extra_info": {}}]
    file.with_name("0002_sorting.json").write_text(json.dumps(content), encoding="utf-8")
    result = project_with_reference.runpytest_inprocess(*COMPARE)
    result.assert_outcomes(passed=2)
    note = "freezebench: --benchmark-compare: passed over 0002_sorting, ordinary benchmarks only. It takes *"
    result.stdout.fnmatch_lines([note, "test_project.py*"])
    reached["ran"] = 0
    line = refused(project_with_reference, reached, GRID, "--benchmark-compare=0002")
    assert "0002_sorting.json: holds no freezebench figures" in line
    assert line.endswith("Take one with --benchmark-compare=0001_ref.")


@pytest.mark.usefixtures("in_ci")
def test_one_seed_is_refused_in_ci(project_with_reference: pytest.Pytester, reached: dict[str, Any]) -> None:
    """It could decide nothing."""
    line = refused(project_with_reference, reached, GRID, "--benchmark-compare", "--freeze-num-seeds=1")
    assert line.startswith("ERROR: --benchmark-compare: one seed cannot tell training noise from a change")


@pytest.mark.usefixtures("in_ci")
def test_nothing_decided_is_red_in_ci(project_with_reference: pytest.Pytester, reached: dict[str, Any]) -> None:
    """A failed report of the session says so, besides that on the margin."""
    reached["accuracy"] = 0.875
    result = project_with_reference.runpytest_inprocess(GRID, "--benchmark-compare")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(skipped=2, failed=2)
    result.stdout.fnmatch_lines(["INCONCLUSIVE: no verdict against the saved run, *, is conclusive (0 of 2)*"])


@pytest.mark.usefixtures("in_ci")
def test_tests_that_are_all_skipped_are_refused_in_ci(
    project_with_reference: pytest.Pytester, reached: dict[str, Any]
) -> None:
    """Nothing could be compared."""
    line = refused(project_with_reference, reached, GRID, "--benchmark-compare", "--benchmark-skip")
    assert line.startswith("ERROR: --benchmark-compare: nothing could be compared: all freeze tests that are selected")


@pytest.mark.usefixtures("in_ci")
def test_tests_that_are_skipped_on_the_way_are_not_compared(project_with_reference: pytest.Pytester) -> None:
    """A plugin or a fixture may skip them, which no gate may take for a comparison."""
    project_with_reference.makepyfile(
        idle="import pytest\ndef pytest_runtest_setup(item):\n    pytest.skip('not today')\n"
    )
    project_with_reference.syspathinsert()
    result = project_with_reference.runpytest_inprocess(GRID, "--benchmark-compare", "-p", "idle")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["INCONCLUSIVE: no verdict against the saved run, *, is conclusive (0 of 2)*"])


@pytest.mark.usefixtures("in_ci")
@pytest.mark.parametrize(
    ("grid", "parts", "spec"),
    [
        ("none,emb,emb+L0", "not in the saved run: test_project.py::test_it[[]emb+L0[]]", "emb+L0"),
        ("none", "only in the saved run: test_project.py::test_it[[]emb[]]", "emb"),
    ],
)
def test_a_configuration_without_partner_is_red_in_ci(
    project_with_reference: pytest.Pytester, grid: str, parts: str, spec: str
) -> None:
    """Unless it is allowed by name; a test that was not selected needs no partner."""
    flags = (f"--freeze-grid={grid}", "--benchmark-compare")
    result = project_with_reference.runpytest_inprocess(*flags)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"INCONCLUSIVE: not compared with *0001_ref.json: {parts}. *unmatched={spec}."])
    for allowed in (spec, "all"):
        result = project_with_reference.runpytest_inprocess(*flags, f"--freeze-allow-unmatched={allowed}")
        assert result.ret == 0


@pytest.mark.usefixtures("in_ci")
@pytest.mark.parametrize("selection", [("-k", "none"), ("test_project.py::test_it[none]",)])
def test_what_is_not_selected_needs_no_partner(
    project_with_reference: pytest.Pytester, selection: tuple[str, ...]
) -> None:
    """It was left out on purpose; the summary lists it."""
    result = project_with_reference.runpytest_inprocess(GRID, *selection, "--benchmark-compare")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["Only in the saved run: test_project.py::test_it[[]emb[]]."])


def test_a_run_without_any_partner_is_refused(project_with_reference: pytest.Pytester, reached: dict[str, Any]) -> None:
    """Allowing it by name does not make a comparison of it."""
    flags = ("--freeze-grid=head", "--benchmark-compare=0001", "--freeze-allow-unmatched=all")
    line = refused(project_with_reference, reached, *flags)
    assert "nothing could be compared: " in line
    assert "holds test_project.py::test_it[none], test_project.py::test_it[emb], and this session runs" in line


def test_the_baseline_is_compared_as_well(project_with_reference: pytest.Pytester, reached: dict[str, Any]) -> None:
    """A model that lost everywhere loses nothing by freezing."""
    reached["accuracy"] = 0.6
    result = project_with_reference.runpytest_inprocess("--freeze-grid=none", "--benchmark-compare")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["INFERIOR: none", "*INFERIOR: accuracy: drop *allowed: 2 points below the saved run*"])


def test_the_largest_regression_is_a_limit_of_its_own(
    project_with_reference: pytest.Pytester, reached: dict[str, Any]
) -> None:
    """Per configuration, the baseline included; it needs a saved run."""
    reached["accuracy"] = 0.6
    compare = (GRID, "--benchmark-compare", "--freeze-max-regression=none:50,emb:1")
    result = project_with_reference.runpytest_inprocess(*compare, "-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*allowed: 1 point below the saved run*"])
    reached["ran"] = 0
    line = refused(project_with_reference, reached, GRID, "--freeze-max-regression=none:1")
    assert line.startswith(
        "ERROR: --freeze-max-regression: test_project.py::test_it[none] is limited to 1 point below the saved run, "
        "but there is no saved run to compare with. "
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["name", "file", "report"])
def test_small_losses_add_up_against_the_anchor(
    project_with_reference: pytest.Pytester, reached: dict[str, Any], kind: str
) -> None:
    """Each step passes against the step before, the last one fails against the anchor; both are shown."""
    if kind == "report":
        assert project_with_reference.runpytest_inprocess(GRID, "--freeze-report=first").ret == 0
    anchor = {"name": "0001_ref", "file": str(saved_file(project_with_reference)), "report": "first"}[kind]
    steps = (GRID, "--freeze-margin=10", f"--freeze-anchor={anchor}")
    reached["accuracy"] = 0.84
    result = project_with_reference.runpytest_inprocess(*steps, "--benchmark-compare", "--benchmark-save=second")
    result.assert_outcomes(passed=2)
    reached["accuracy"] = 0.78
    assert project_with_reference.runpytest_inprocess(GRID, "--freeze-margin=10", "--benchmark-compare").ret == 0
    for compare in ((), ("--benchmark-compare",)):
        result = project_with_reference.runpytest_inprocess(*steps, *compare)
        result.assert_outcomes(failed=2)
        result.stdout.fnmatch_lines(["*INFERIOR: accuracy: drop 1*allowed: 10 points below the anchor*"])
        tables = [line for line in result.stdout.lines if line.startswith("freezebench: compared with the")]
        assert len(tables) == 1 + len(compare)


def test_an_anchor_that_cannot_be_compared_is_refused(
    project_with_reference: pytest.Pytester, reached: dict[str, Any]
) -> None:
    """Missing, of another protocol, or about to be overwritten."""
    line = refused(project_with_reference, reached, GRID, "--freeze-anchor=v1")
    assert line.startswith("ERROR: --freeze-anchor=v1: no saved run in ")
    line = refused(project_with_reference, reached, GRID, "--freeze-anchor=0001", "--freeze-epochs=9")
    assert line.startswith("ERROR: --freeze-anchor=0001: not comparable with ")
    line = refused(project_with_reference, reached, GRID, "--freeze-anchor=out", "--freeze-report=out")
    assert "--freeze-report=out would overwrite it" in line
    line = refused(project_with_reference, reached, GRID, "--freeze-anchor=v1", "-p", "no:benchmark")
    assert line.startswith("ERROR: --freeze-anchor=v1: there is no such file or folder")
