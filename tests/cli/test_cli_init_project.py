"""What a project has already: folder of tests, freeze tests, workflows, and its git repository."""

from __future__ import annotations

import json
import subprocess
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from freezebench.cli.init.configuration import PytestConfiguration
from freezebench.cli.init.project import (
    arguments_of_pytest,
    find_repository,
    folder_of_tests,
    freeze_tests,
    installed_source,
    is_tracked,
    names_of_test,
    needs_itself,
    workflows_with,
)
from freezebench.errors import SettingsError


def git(folder: Path, *arguments: str) -> None:
    """Run a git command of a person with a name."""
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *settings, *arguments], check=True, capture_output=True)  # noqa: S607


def test_the_default_branch_is_that_of_the_remote(tmp_path: Path) -> None:
    """Else one that is usually called so, else the current one."""
    assert find_repository(tmp_path) is None
    git(tmp_path, "init", "-q", "-b", "trunk")
    repository = find_repository(tmp_path)
    assert repository is not None
    assert (repository.branch, repository.branch_source, repository.has_github) == (
        "trunk",
        "the current branch",
        False,
    )
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    git(tmp_path, "branch", "master")
    repository = find_repository(tmp_path)
    assert repository is not None
    assert repository.branch == "master"
    git(tmp_path, "remote", "add", "origin", "https://github.com/owner/project.git")
    git(tmp_path, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/release/1")
    repository = find_repository(tmp_path)
    assert repository is not None
    assert (repository.branch, repository.has_github) == ("release/1", True)


def test_a_folder_of_github_is_enough(tmp_path: Path) -> None:
    """As before the remote is added, or on a server of another name; the repository's top is found from below."""
    git(tmp_path, "init", "-q")
    (tmp_path / ".github").mkdir()
    (tmp_path / "below").mkdir()
    repository = find_repository(tmp_path / "below")
    assert repository is not None
    assert repository.has_github
    assert repository.top == tmp_path.resolve()


def test_files_that_git_has_are_known(tmp_path: Path) -> None:
    """A folder counts if some file in it is tracked."""
    git(tmp_path, "init", "-q")
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    git(tmp_path, "add", "mine")
    assert is_tracked(tmp_path / "mine")
    assert not is_tracked(tmp_path / "other")


def test_without_git_there_is_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its program may be missing."""
    git(tmp_path, "init", "-q")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_repository(tmp_path) is None


def test_the_folder_of_tests_is_found(tmp_path: Path) -> None:
    """The first one of testpaths that is there, else a usual one, else a new one."""
    configuration = PytestConfiguration(path=tmp_path / "tox.ini", keys={"testpaths": "missing checks"})
    assert folder_of_tests(tmp_path, configuration) == (tmp_path / "tests", "a new folder")
    (tmp_path / "test").mkdir()
    assert folder_of_tests(tmp_path, None) == (tmp_path / "test", "the usual name")
    (tmp_path / "checks").mkdir()
    assert folder_of_tests(tmp_path, configuration) == (tmp_path / "checks", "testpaths of tox.ini")


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    """Nothing is written then, not even pytest's configuration."""
    for target in ("nowhere", "a-file"):
        (tmp_path / "a-file").touch()
        (tmp_path / "tests").symlink_to(target)
        with pytest.raises(SettingsError, match=r"tests is no folder, .* Rename it\."):
            folder_of_tests(tmp_path, None)
        (tmp_path / "tests").unlink()


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({}, ("test_freezing.py", "test_freezing")),
        ({"python_files": "*_test.py", "python_functions": "test"}, ("freezing_test.py", "test_freezing")),
        ({"python_files": ["check_*.py"], "python_functions": ["check_*"]}, ("check_freezing.py", "check_freezing")),
        (
            {"python_files": "test_*.py *_test.py", "python_functions": "should_"},
            ("test_freezing.py", "should_freezing"),
        ),
        ({"python_files": "tests/[ab].py", "python_functions": "[ab]*"}, ("test_freezing.py", "test_freezing")),
    ],
)
def test_a_new_test_has_names_that_pytest_collects(keys: dict[str, object], names: tuple[str, str]) -> None:
    """The usual ones, unless the project has rules of its own."""
    assert names_of_test(PytestConfiguration(path=Path("pytest.ini"), keys=keys)) == names


@pytest.mark.parametrize(
    ("addopts", "arguments"),
    [
        ("-ra", "'my tests/test_it.py'"),
        ("-ra -n auto", "'my tests/test_it.py' -n0"),
        (["-n4"], "'my tests/test_it.py' -n0"),
    ],
)
def test_commands_switch_workers_off(addopts: object, arguments: str, tmp_path: Path) -> None:
    """Where pytest-xdist is configured, since freeze tests are refused under it."""
    configuration = PytestConfiguration(path=tmp_path / "pytest.ini", keys={"addopts": addopts})
    assert arguments_of_pytest(tmp_path, tmp_path / "my tests" / "test_it.py", configuration) == arguments


def test_freeze_tests_and_workflows_are_found_by_words(tmp_path: Path) -> None:
    """Those in an environment that is a folder of the project are not its own."""
    for name in ("tests/test_a.py", "tests/test_b.py", ".venv/test_c.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("def test_it(freeze_run): ...\n" if "b" not in name else "", encoding="utf-8")
    assert freeze_tests(tmp_path) == [tmp_path / "tests" / "test_a.py"]
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (workflows / "ci.yaml").write_text("run: pytest\n", encoding="utf-8")
    (workflows / "lint.yml").write_text("run: ruff\n", encoding="utf-8")
    assert workflows_with(tmp_path, "pytest") == [workflows / "ci.yaml"]


def test_a_project_is_installed_if_its_tests_import_it(tmp_path: Path) -> None:
    """A conftest.py is loaded before the freeze test, and a folder that is no package cannot be installed."""
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "conftest.py").touch()
    assert not needs_itself(tmp_path, tests)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n', encoding="utf-8")
    assert needs_itself(tmp_path, tests)
    (tests / "conftest.py").unlink()
    assert not needs_itself(tmp_path, tests)


@pytest.mark.parametrize(
    ("direct", "source"),
    [
        (None, (None, None)),
        ({"url": "file:///home/me/freezebench", "dir_info": {"editable": True}}, (None, "/home/me/freezebench")),
        (
            {"url": "https://example.org/f.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            ("git+https://example.org/f.git@abc", None),
        ),
        ({"url": "https://example.org/f.git", "vcs_info": "odd"}, (None, None)),
    ],
)
def test_the_source_of_the_installation_is_known(
    monkeypatch: pytest.MonkeyPatch, direct: object, source: tuple[str | None, str | None]
) -> None:
    """Installers leave it in a file (PEP 610)."""
    text = None if direct is None else json.dumps(direct)
    monkeypatch.setattr(metadata, "distribution", lambda _: SimpleNamespace(read_text=lambda _: text))
    assert installed_source() == source
