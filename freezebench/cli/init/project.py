"""What a project has already: its folder of tests, freeze tests, workflows, and its place in a git repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.cli.init.search import project_folders
from freezebench.errors import SettingsError
from freezebench.escaping import shell_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.cli.init.configuration import PytestConfiguration

WORKFLOWS = ".github/workflows"
DEFAULT_BRANCH = "main"
_GIT_TIMEOUT_S = 20.0
_TEST_FOLDERS = ("tests", "test")
_FIXTURE = "freeze_run"
_FILE, _FUNCTION = "test_freezing.py", "test_freezing"
_GLOB = re.compile(r"[*?\[]")
_WORKERS = ("-n", "--numprocesses")


@dataclass(frozen=True, kw_only=True)
class Repository:
    """The git repository that a folder is in.

    Attributes:
        top: Its uppermost folder.
        has_github: Whether a remote is on GitHub, or there is a folder ``.github``.
        branch: The default branch.
        branch_source: How that is known.
    """

    top: Path
    has_github: bool
    branch: str = DEFAULT_BRANCH
    branch_source: str = ""


def find_repository(folder: Path) -> Repository | None:
    """Return the git repository that a folder is in; ``None`` if there is none, or no program ``git``."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if not top:
        return None
    remotes = _git(folder, "config", "--get-regexp", r"^remote\..*\.url$") or ""
    branch, source = _default_branch(folder)
    return Repository(
        top=Path(top),
        # GitHub Enterprise has hosts such as github.example.com.
        has_github="github." in remotes.lower() or (Path(top) / ".github").is_dir(),
        branch=branch,
        branch_source=source,
    )


def _default_branch(folder: Path) -> tuple[str, str]:
    """Return the name of the default branch, and how it is known."""
    remote = _git(folder, "symbolic-ref", "--short", "refs/remotes/origin/HEAD")
    if remote and "/" in remote:
        return remote.partition("/")[2], "of the remote origin"
    for name in (DEFAULT_BRANCH, "master"):
        if _git(folder, "rev-parse", "--verify", "--quiet", f"refs/heads/{name}"):
            return name, "there is such a branch"
    current = _git(folder, "symbolic-ref", "--short", "HEAD")
    return (current, "the current branch") if current else (DEFAULT_BRANCH, "the usual name")


def is_tracked(path: Path) -> bool:
    """Return whether git has the files of a path."""
    return bool(_git(path.parent, "ls-files", "--", path.name))


def is_ignored(folder: Path) -> bool:
    """Return whether git leaves a folder out by its name, whether it is there or not."""
    return _git(folder.parent, "check-ignore", "--", f"{folder.name}/") is not None


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what a git command prints; ``None`` if it fails or there is no git."""
    program = shutil.which("git")
    if program is None:
        return None
    command = [program, "-C", str(folder), *arguments]
    try:
        result = subprocess.run(  # noqa: S603 - no shell, and no argument of a stranger
            command, capture_output=True, text=True, check=False, timeout=_GIT_TIMEOUT_S, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def folder_of_tests(folder: Path, configuration: PytestConfiguration | None) -> tuple[Path, str]:
    """Return the folder for a new test, and how it is known.

    Raises:
        SettingsError: If something else has the name of a new folder.
    """
    named = [folder / name for name in (configuration.values("testpaths") if configuration else [])]
    found = next((path for path in named if path.is_dir()), None)
    usual = next((folder / name for name in _TEST_FOLDERS if (folder / name).is_dir()), None)
    if found is not None and configuration is not None:
        return found, f"testpaths of {configuration.path.name}"
    if usual is not None:
        return usual, "the usual name"
    new = folder / _TEST_FOLDERS[0]
    if os.path.lexists(new):
        raise SettingsError(f"{new} is no folder, so that no test can be written into it. Rename it.")
    return new, "a new folder"


def names_of_test(configuration: PytestConfiguration | None) -> tuple[str, str]:
    """Return the names of the file and of the function of a new test, as this project's pytest collects them."""
    files = configuration.values("python_files") if configuration else []
    functions = configuration.values("python_functions") if configuration else []
    function = _collected(_FUNCTION, [name if _GLOB.search(name) else f"{name}*" for name in functions])
    return _collected(_FILE, files), function if function.isidentifier() else _FUNCTION


def _collected(usual: str, patterns: Sequence[str]) -> str:
    """Return the usual name, or one that the first of some patterns collects if none collects the usual one."""
    if not patterns or any(fnmatch(usual, pattern) for pattern in patterns):
        return usual
    own = patterns[0].replace("*", "freezing")
    return usual if _GLOB.search(own) or "/" in own else own


def freeze_tests(folder: Path) -> list[Path]:
    """Return the files below a folder that hold freeze tests."""
    paths = [place / name for place, _, names in project_folders(folder) for name in names if name.endswith(".py")]
    return [path for path in paths if _FIXTURE in _text(path)]


def arguments_of_pytest(folder: Path, tests: Path, configuration: PytestConfiguration | None) -> str:
    """Return the arguments that select freeze tests from the folder of a project, quoted for a shell."""
    path = shell_word(tests.relative_to(folder).as_posix() if tests.is_relative_to(folder) else str(tests))
    # Freeze tests run in one process, whatever pytest-xdist is configured to do.
    has_workers = any(word.startswith(_WORKERS) for word in (configuration.values("addopts") if configuration else []))
    return f"{path} -n0" if has_workers else path


def workflows_with(top: Path, word: str) -> list[Path]:
    """Return the workflows of a repository that hold a word."""
    return [path for path in sorted((top / WORKFLOWS).glob("*.y*ml")) if word in _text(path)]


def needs_itself(folder: Path, tests: Path) -> bool:
    """Return whether tests are likely to import the project, which can be installed: a ``conftest.py`` is loaded."""
    has_conftest = any((path / "conftest.py").is_file() for path in (folder, tests))
    text = _text(folder / "pyproject.toml")
    return has_conftest and ("[project]" in text or "[build-system]" in text or (folder / "setup.py").is_file())


def installed_source() -> tuple[str | None, str | None]:
    """Return the git address, with its commit, or the folder that freezebench was installed from.

    Both are ``None`` if it comes from a package index, or if its installer did not say.
    """
    try:
        direct = json.loads(metadata.distribution("freezebench").read_text("direct_url.json") or "{}")
        url, vcs = str(direct.get("url", "")), direct.get("vcs_info", {})
        if vcs:
            return f"{vcs['vcs']}+{url}@{vcs['commit_id']}", None
    except (metadata.PackageNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None, None
    return None, url.removeprefix("file://") if url.startswith("file://") else None


def _text(path: Path) -> str:
    """Return the text of a file; empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""
