"""Tests in folders and with cases whose names have the characters of node ids."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

Project = Callable[..., pytest.Pytester]

FOLDERS = ["proj[1]", "a b", "é%s", 'it\'s "quoted"', "two\nlines", "[", "::x"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_bad_grid_is_named_in_any_folder(project: Project, folder: str) -> None:
    """The message is about the grid; brackets in the folder's name do not begin a case."""
    session = project()
    (session.path / folder).mkdir()
    (session.path / "test_project.py").rename(session.path / folder / "test_project.py")
    result = session.runpytest_inprocess("--freeze-grid=emb++L0")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[0].startswith("ERROR: --freeze-grid=emb++L0: cannot read '' in freeze spec 'emb++L0'.")
    result = session.runpytest_inprocess("--freeze-grid=none", "-k", "nothing")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.usefixtures("reached", "without_matplotlib")
@pytest.mark.parametrize("folder", FOLDERS)
def test_tests_run_in_any_folder(project: Project, folder: str) -> None:
    """Their report names the function, as its whole grid ran; their own parameters may have brackets, too."""
    session = project()
    source = (session.path / "test_project.py").read_text(encoding="utf-8")
    own = "@pytest.mark.parametrize('own', ['a::b[c] é%'])\n@pytest.mark.freeze"
    source = source.replace("@pytest.mark.freeze", own).replace("(freeze_run)", "(freeze_run, own)")
    (session.path / folder).mkdir()
    (session.path / folder / "test_project.py").write_text(source, encoding="utf-8")
    (session.path / "test_project.py").unlink()
    options = ["--freeze-grid=none,emb", "--freeze-num-seeds=1", "--freeze-report=out"]
    result = session.runpytest_inprocess("-Wdefault::pytest.PytestWarning", *options)
    result.assert_outcomes(passed=2)
    content = json.loads((session.path / "out" / "report.json").read_text(encoding="utf-8"))
    assert content["experiments"][0]["tests"] == [f"{folder}/test_project.py::test_it"]
