"""Processes of this package: what hides no module of them, wherever they are started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import freezebench
from freezebench.child_process import command, environment

# A module of the package that anything may be asked of.
_PRINT = "freezebench_printer"


def _started(folder: Path, python_path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Return the process that prints where it found modules, started in a folder."""
    module = folder / "modules" / f"{_PRINT}.py"
    module.parent.mkdir()
    module.write_text(
        "import sys, freezebench.units, json, random, types\n"
        "def main(*arguments):\n"
        "    print(*arguments, *(sys.modules[name].__file__ for name in ('freezebench', 'json', 'random', 'types')))\n"
    )
    path = filter(None, (str(module.parent), python_path))
    return subprocess.run(
        command(_PRINT, "a", "b c"),
        cwd=folder,
        env={"PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("content", ["", "raise RuntimeError('executed')"])
def test_files_of_the_current_folder_are_not_imported(tmp_path: Path, content: str) -> None:
    """Neither those that Python itself imports at its start, nor those that modules import."""
    for name in ("json", "random", "types", "importlib", "site", "encodings", "freezebench", "pathlib"):
        (tmp_path / f"{name}.py").write_text(content)
    done = _started(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    *arguments, package, json_file, random_file, types_file = done.stdout.split(" ")
    assert arguments == ["a", "b", "c"]
    assert Path(package) == Path(freezebench.__file__)
    assert not any(file.startswith(str(tmp_path)) for file in (json_file, random_file, types_file))


def test_another_copy_of_the_package_is_not_used(tmp_path: Path) -> None:
    """Not even one that was imported before: parent and child speak the same protocol."""
    other = tmp_path / "other"
    (other / "freezebench").mkdir(parents=True)
    (other / "freezebench" / "__init__.py").write_text("")
    (other / "freezebench" / "units.py").write_text("raise RuntimeError('executed')")
    (other / "sitecustomize.py").write_text("import freezebench\nprint('one line')\n")
    done = _started(tmp_path, str(other))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"one line\na b c {freezebench.__file__} ")


def test_an_empty_entry_of_pythonpath_is_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be the current folder; without the variable there is none."""
    for given, expected in (("/a::/b:", "/a:/b"), (":", ""), ("/a", "/a")):
        monkeypatch.setenv("PYTHONPATH", given)
        assert environment()["PYTHONPATH"] == expected
    monkeypatch.delenv("PYTHONPATH")
    assert "PYTHONPATH" not in environment()


def test_an_interpreter_without_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a program that embeds Python."""
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(FileNotFoundError, match=r"sys\.executable is empty"):
        command(_PRINT)
