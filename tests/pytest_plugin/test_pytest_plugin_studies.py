"""Several models and data sets: every model with every data set is an experiment of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import freezebench.runs.data_cache as caches
from freezebench.data.load import TextData, load_data
from freezebench.specs.data import DataSpec
from report_schema import read_report
from tiny import write_data, write_model

Project = Callable[..., pytest.Pytester]

TEST = "@freeze(grid='none,emb')\ndef test_it(freeze_run): freeze_run()\n"
LISTS = ("--freeze-model=small,deep", "--freeze-data=films", "--freeze-data=books")
EXPERIMENTS = [f"{model}-{data}" for model in ("small", "deep") for data in ("films", "books")]
IDS = sorted(f"{name}-{spec}" for name in EXPERIMENTS for spec in ("none", "emb"))


@pytest.fixture
def study(cases: Project) -> Project:
    """Make a project beside two models, of two and three layers, and two data sets."""

    def make(source: str = TEST) -> pytest.Pytester:
        pytester = cases(source)
        write_model(pytester.path / "small")
        write_model(pytester.path / "deep", n_layers=3)
        for name in ("films", "books"):
            write_data(pytester.path / name)
        return pytester

    return make


def _ids(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    """Return what is in the brackets of the tests that pytest collects, sorted."""
    result = pytester.runpytest_inprocess("--collect-only", "-q", *arguments)
    assert result.ret == pytest.ExitCode.OK
    return sorted(line.partition("[")[2].removesuffix("]") for line in result.outlines if "::" in line)


def _tables(result: pytest.RunResult) -> list[str]:
    """Return the headings of the tables."""
    lines = (re.fullmatch("=+ freezebench: (.*) on (.*) =+", line) for line in result.outlines)
    return sorted(f"{Path(match[1]).name}-{Path(match[2]).name}" for match in lines if match)


def test_every_model_with_every_data_set(study: Project, reach: Callable[..., list[str]]) -> None:
    """Each has a test per configuration, runs of its own, and a table."""
    ran = reach()
    pytester = study()
    assert _ids(pytester, *LISTS) == IDS
    result = pytester.runpytest_inprocess(*LISTS, "--junitxml=junit.xml")
    result.assert_outcomes(passed=8)
    assert ran == ["none 42"] * 4 + ["emb 42"] * 4
    assert _tables(result) == sorted(EXPERIMENTS)
    names = re.findall(r'name="test_it\[(.*?)\]"', (pytester.path / "junit.xml").read_text(encoding="utf-8"))
    assert sorted(names) == IDS


def test_each_model_has_its_own_ladder(study: Project) -> None:
    """``all`` is made of the layers of each model; only what varies is in the ids."""
    ladder = ["none", "emb", "emb+L0", "emb+L0-1", "emb+L0-2"]
    names = [f"{model}-{spec}" for model, num in (("small", 4), ("deep", 5)) for spec in ladder[:num]]
    assert _ids(study(TEST), LISTS[0], "--freeze-grid=all") == sorted(names)


@pytest.mark.parametrize(
    "arguments", [("--freeze-model=small",), ("--freeze-model=small,./small,small/", "--freeze-data=films,films")]
)
def test_one_model_and_one_data_set_stay_out_of_the_ids(study: Project, arguments: tuple[str, ...]) -> None:
    """So do duplicates of them; ids are those of saved runs."""
    assert _ids(study(), *arguments) == ["emb", "none"]


SOURCES = {
    "marker": ("@freeze(model=['small', 'deep'], grid='emb')\n", "", ()),
    "marker's text": ("@freeze(model='small,deep', grid='emb')\n", "", ()),
    "marker's tuple": ("@freeze(model=(Path('small'), 'deep'), grid='emb')\n", "", ()),
    "repeated flag": ("@freeze(grid='emb')\n", "", ("--freeze-model=small", "--freeze-model", "deep")),
    "flag over marker": ("@freeze(model='x,y,z', grid='emb')\n", "", ("--freeze-model=small,deep",)),
    "grid twice": ("@freeze(model='small,deep')\n", "", ("--freeze-grid=all", "--freeze-grid=emb")),
    "several lines": ("", "freeze_grid = emb\nfreeze_model =\n  small\n  deep\n", ()),
    "commas": ("", "freeze_grid = emb\nfreeze_model = small, deep\n", ()),
}


@pytest.mark.parametrize("name", SOURCES)
def test_lists_come_from_every_source(study: Project, name: str) -> None:
    """A flag replaces the list of a marker, which replaces that of the ini file; other flags count once, the last."""
    marker, ini, arguments = SOURCES[name]
    pytester = study(f"from pathlib import Path\n{marker}def test_it(freeze_run): freeze_run()\n")
    if ini:
        path = pytester.path / "test_project.py"
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"\(model='.*?', ", "(", text), encoding="utf-8")
        pytester.makeini("[pytest]\n" + ini)
    assert _ids(pytester, *arguments) == ["deep-emb", "small-emb"]


def test_a_path_with_a_comma(study: Project, reach: Callable[..., list[str]]) -> None:
    """Alone, repeated, in the list of a marker, and on a line of an ini file."""
    ran = reach()
    pytester = study(TEST + "@freeze(grid='emb', data=['a, b', 'books'])\ndef test_that(freeze_run): freeze_run()\n")
    write_data(pytester.path / "a, b")
    pytester.runpytest_inprocess("--freeze-data=a, b", "-k", "test_it").assert_outcomes(passed=2, deselected=1)
    assert len(ran) == 2
    assert _ids(pytester, "-k", "test_that") == ["a-b-emb", "books-emb"]
    ids = ["a-b-emb", "a-b-none", "films-emb", "films-none"]
    assert _ids(pytester, "-k", "test_it", "--freeze-data=a, b", "--freeze-data=films") == ids
    path = pytester.path / "test_project.py"
    path.write_text(re.sub(r" data='.*?',", "", path.read_text(encoding="utf-8")), encoding="utf-8")
    pytester.makeini("[pytest]\nfreeze_data =\n  a, b\n  films\n")
    assert _ids(pytester, "-k", "test_it") == ids


def test_cases_have_lists_of_their_own(study: Project, reach: Callable[..., list[str]]) -> None:
    """An uneven study: what varies within a case is in its ids; equal experiments of two cases train once."""
    ran = reach()
    pytester = study(
        "@pytest.mark.parametrize('kind', [param('a', marks=freeze(model='small', data=['films', 'books'])), "
        "param('b', marks=freeze(model=['small', 'deep'], data='films'))])\n" + TEST.replace("_run)", "_run, kind)")
    )
    own = {"a": ("films", "books"), "b": ("small", "deep")}
    ids = sorted(f"{name}-{spec}-{kind}" for kind in own for name, spec in product(own[kind], ("none", "emb")))
    assert _ids(pytester) == ids
    pytester.runpytest_inprocess().assert_outcomes(passed=8)
    assert len(ran) == 6


def test_parts_of_a_study_are_selected(
    study: Project, reach: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By ``-k``, by a node id, and by ``--lf``; baselines are trained on demand."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly")
    ran = reach(emb=None)
    pytester = study()
    assert _ids(pytester, *LISTS, "-k", "deep-films") == ["deep-films-emb", "deep-films-none"]
    assert _ids(pytester, *LISTS, "-k", "books and none") == ["deep-books-none", "small-books-none"]
    arguments = (*LISTS, f"--freeze-store={pytester.path / 'store'}", "--freeze-resume=no")
    pytester.runpytest_inprocess("test_project.py::test_it[deep-books-emb]", *arguments).assert_outcomes(failed=1)
    assert ran == ["none 42", "emb 42"]
    ran.clear()
    pytester.runpytest_inprocess("--lf", *arguments).assert_outcomes(failed=1)
    assert ran == ["none 42", "emb 42"]


MISSING = {
    "model": ((LISTS[0] + ",./deeper", LISTS[1]), "cannot load the model './deeper': there is no such folder*"),
    "data": (
        (LISTS[0], "--freeze-data=films,./papers,./letters"),
        "there is no file or folder './papers'*",
    ),
    "entry": (("--freeze-model=small,,deep",), "--freeze-model=small,,deep: the list or an entry of it is empty.*"),
    "grid": (
        (LISTS[0], "--freeze-data=films,books", "--freeze-grid=none,emb+L0-2"),
        "test_project.py::test_it (test_project.py:*): cannot freeze layer 2 of emb+L0-2: small has layers 0 to 1. *",
    ),
    "limit": (
        (LISTS[0], "--freeze-max-drop=emb+L0-2:3"),
        "test_project.py::test_it (test_project.py:*): --freeze-max-drop: cannot freeze layer 2 of emb+L0-2: small *",
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_one_of_several_lacks_ends_the_session(study: Project, reach: Callable[..., list[str]], name: str) -> None:
    """With exit code 4 and one sentence that names it, before anything is trained."""
    ran = reach()
    arguments, message = MISSING[name]
    result = study().runpytest_inprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert len([line for line in result.errlines if line.strip()]) == 1
    assert ran == []


def test_what_is_deselected_may_be_missing(study: Project, reach: Callable[..., list[str]]) -> None:
    """A model that is not there yet hinders no other one; its test has the id of its experiment."""
    reach()
    pytester = study()
    arguments = ("--freeze-model=small,./deeper", *LISTS[1:])
    pytester.runpytest_inprocess(*arguments, "-k", "small").assert_outcomes(passed=4, deselected=2)
    result = pytester.runpytest_inprocess(*arguments, "test_project.py::test_it[deeper-films]")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: cannot load the model './deeper': *"])


LATE = {
    "another model": ("model='other'", "model=other: the id of the test does not follow it, since it was added *"),
    "a list": ("data=['films', 'books']", "data=films,books: the id of the test does not follow it, *"),
}


@pytest.mark.parametrize("name", LATE)
def test_a_marker_that_comes_after_collection_changes_no_experiment(study: Project, name: str) -> None:
    """A hook's marker that contradicts the ids is an error; one that repeats them is none."""
    pytester = study(TEST.replace("grid=", "model=['small', 'deep'], grid="))
    marker, message = LATE[name]
    hook = "import pytest\ndef pytest_collection_modifyitems(items):\n    for item in items: item.add_marker({})\n"
    pytester.makeconftest(hook.format(f"pytest.mark.freeze({marker})"))
    result = pytester.runpytest_inprocess("--collect-only")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: freeze marker of *, {message}"])
    pytester.makeconftest(hook.format("pytest.mark.freeze(model=['deep', 'small'], seed=3)"))
    assert len(_ids(pytester)) == 4


def test_data_and_baselines_are_shared(
    study: Project, reach: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each data set is read once for models with equal class names, and two functions share their baselines."""
    loaded: list[str] = []

    def load(spec: DataSpec, **options: Any) -> TextData:
        loaded.append(spec.source)
        return load_data(spec, **options)

    monkeypatch.setattr(caches, "load_data", load)
    ran = reach()
    other = "@freeze(grid='L0')\ndef test_that(freeze_run): freeze_run()\n"
    study(TEST + other).runpytest_inprocess(*LISTS).assert_outcomes(passed=12)
    assert loaded == ["films", "books"]
    assert sorted(ran) == ["L0 42"] * 4 + ["emb 42"] * 4 + ["none 42"] * 4


@pytest.mark.usefixtures("without_matplotlib")
def test_the_report_says_how_to_run_one_experiment_again(study: Project, reach: Callable[..., list[str]]) -> None:
    """Its tests have the ids of a session with this model and data set alone."""
    reach()
    pytester = study()
    pytester.runpytest_inprocess(*LISTS, "--freeze-report=out", "--deselect=test_project.py::test_it[deep-books-emb]")
    content = read_report(pytester.path / "out")
    tests = {
        (saved["settings"]["model"], saved["settings"]["data"]["source"]): saved["tests"]
        for saved in content["experiments"]
    }
    assert tests.pop(("deep", "books")) == ["test_project.py::test_it[none]"]
    assert len(tests) == 3
    assert all(names == ["test_project.py::test_it"] for names in tests.values())
