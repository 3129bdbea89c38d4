"""Which files of a project can hide installed modules."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest

from freezebench import import_path
from freezebench.import_path import (
    installed_first,
    installed_modules_first,
    installed_only,
    modules_of_tests,
    path_of_tests,
)

# Not imported by pytest: a module of the standard library and an installed one, and none of either.
_NAMES = ("chunk", "pylab", "module_of_a_project")


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a folder with such files at the beginning of sys.path, as pytest does."""
    for name in _NAMES:
        (tmp_path / f"{name}.py").write_text("of_project = True\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.syspath_prepend(tmp_path)


def _of_project(tmp_path: Path) -> list[str]:
    specs = {name: importlib.machinery.PathFinder.find_spec(name) for name in _NAMES}
    return [name for name, spec in specs.items() if spec and str(spec.origin).startswith(str(tmp_path))]


def test_installed_modules_come_first(tmp_path: Path) -> None:
    """The project's own modules are still found, and everything is as before afterwards."""
    before = list(sys.path)
    assert _of_project(tmp_path) == list(_NAMES)
    with installed_modules_first(with_project=True):
        assert _of_project(tmp_path) == ["module_of_a_project"]
        assert sorted(sys.path) == sorted(before)
        assert path_of_tests() == before
    assert sys.path == before


def test_without_code_of_a_user_no_file_of_the_project_is_found(tmp_path: Path) -> None:
    """As a folder wandb, which a library takes for the optional package of this name."""
    with installed_modules_first():
        assert _of_project(tmp_path) == []
        with installed_modules_first(with_project=True):
            assert _of_project(tmp_path) == ["module_of_a_project"]
        assert _of_project(tmp_path) == []


def test_the_code_of_a_user_sees_what_tests_see(tmp_path: Path) -> None:
    """What it adds to sys.path stays, for itself and for the libraries."""
    before = list(sys.path)
    with installed_modules_first(with_project=True):
        with modules_of_tests():
            assert sys.path == before
            assert _of_project(tmp_path) == list(_NAMES)
            sys.path.insert(0, "/added")
        assert _of_project(tmp_path) == ["module_of_a_project"]
        assert sys.path[-1] == "/added"
        assert path_of_tests() == ["/added", *before]
    assert sys.path == ["/added", *before]
    sys.path.remove("/added")


def test_what_libraries_add_stays() -> None:
    """As it would without another order."""
    before = list(sys.path)
    with installed_modules_first():
        sys.path.append("/added")
    assert sys.path == [*before, "/added"]
    sys.path.remove("/added")


def test_an_error_restores_the_order() -> None:
    """Also where the code of a user fails."""
    before = list(sys.path)
    with pytest.raises(ValueError, match="of a user"), installed_modules_first(), modules_of_tests():
        raise ValueError("of a user")
    assert sys.path == before
    assert path_of_tests() == before


def test_folders_of_pythonpath_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names a folder there wants its modules, as everywhere in Python."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/elsewhere", str(tmp_path), ""]))
    assert str(Path.cwd()) not in installed_only([*sys.path, str(Path.cwd())])
    assert installed_first(["/project", *sys.path, "/elsewhere"])[:2] == [str(tmp_path), "/elsewhere"]
    with installed_modules_first():
        assert _of_project(tmp_path) == list(_NAMES)


def test_the_order_within_a_kind_stays(tmp_path: Path) -> None:
    """The standard library precedes installed packages, and folders of the project keep their order."""
    path = installed_first([str(tmp_path / "b"), str(tmp_path / "a"), *sys.path])
    project = [entry for entry in path if entry.startswith(str(tmp_path))]
    assert project == [str(tmp_path / "b"), str(tmp_path / "a"), str(tmp_path)]
    library, packages = (Path(importlib.import_module(name).__file__ or "") for name in ("json", "pluggy"))
    assert path.index(str(library.parent.parent)) < path.index(str(packages.parent.parent))


def test_required_packages_in_a_folder_of_the_project_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they are installed to a folder that a conftest adds, that folder stays."""
    assert str(tmp_path) not in installed_only(sys.path)
    monkeypatch.setattr("freezebench.import_path._REQUIRED", ("module_of_a_project",))
    import_path._is_complete.cache_clear()
    assert str(tmp_path) in installed_only(sys.path)
    import_path._is_complete.cache_clear()


def test_folders_of_pth_files_are_installed(tmp_path: Path) -> None:
    """As those of packages in development."""
    (tmp_path / "a.pth").write_text("# comment\nimport this_line_is_code\n/in/development\n\nrelative\n")
    (tmp_path / "b.pth").write_bytes(b"\xff\xfe")
    assert list(import_path._linked(tmp_path)) == ["/in/development", str(tmp_path / "relative")]


def test_packages_of_another_environment_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those that the code of a .pth file adds, which is how uv lays one environment over another."""
    other, linked = tmp_path / "other" / "site-packages", tmp_path / "in_development"
    other.mkdir(parents=True)
    (other / "a.pth").write_text(f"{linked}\n")
    project = sys.path[0]
    monkeypatch.setattr(sys, "path", [*sys.path, str(other), str(linked)])
    import_path._entries_of_installation.cache_clear()
    assert {str(other), str(linked)} <= set(installed_only(sys.path))
    assert project not in installed_only(sys.path)
    import_path._entries_of_installation.cache_clear()
