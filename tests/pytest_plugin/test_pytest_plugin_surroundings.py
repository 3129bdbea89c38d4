"""Sessions in hostile surroundings: read-only checkouts, caches that are none, paths that nobody could mean."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Project = Callable[..., pytest.Pytester]

MARKER = "grid='none', num_seeds=1"
_NOT_KEPT = "freezebench: finished runs are not kept: *. To keep them, name a folder with --freeze-store"


@pytest.fixture
def cached(project: Project, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose sessions use pytest's cache."""
    session = project(MARKER)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -Wdefault::pytest.PytestWarning")
    return session


def _as_file(folder: Path) -> None:
    (folder / ".pytest_cache").write_text("", encoding="utf-8")


def _as_broken_link(folder: Path) -> None:
    (folder / ".pytest_cache").symlink_to("/proc/nowhere/cache")


def _as_loop(folder: Path) -> None:
    (folder / ".pytest_cache").symlink_to(".pytest_cache")


def _as_pipe(folder: Path) -> None:
    os.mkfifo(folder / ".pytest_cache")


def _as_ini_elsewhere(folder: Path) -> None:
    (folder / "pytest.ini").write_text("[pytest]\ncache_dir = /proc/nowhere/cache\n", encoding="utf-8")


def _store_as_file(folder: Path) -> None:
    (folder / ".pytest_cache").mkdir()
    (folder / ".pytest_cache" / "freezebench").write_text("", encoding="utf-8")


OBSTACLES = [_as_file, _as_broken_link, _as_loop, _as_pipe, _as_ini_elsewhere, _store_as_file]


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_cache_that_cannot_be_written_is_said(cached: pytest.Pytester, obstacle: Callable[[Path], None]) -> None:
    """The session plans its runs; nothing is kept, in one sentence, whoever runs it."""
    obstacle(cached.path)
    result = cached.runpytest_inprocess("--freeze-plan")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines([_NOT_KEPT])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.parametrize("obstacle", [_as_file, _as_ini_elsewhere])
def test_with_a_store_elsewhere_nothing_is_said(
    cached: pytest.Pytester, tmp_path: Path, obstacle: Callable[[Path], None]
) -> None:
    """The cache is not needed then."""
    obstacle(cached.path)
    result = cached.runpytest_inprocess("--freeze-plan", f"--freeze-store={tmp_path / 'store'}")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*not kept*")


def test_a_run_in_a_session_without_a_store(cached: pytest.Pytester) -> None:
    """It trains, and keeps nothing."""
    _as_file(cached.path)
    result = cached.runpytest_inprocess()
    result.stdout.fnmatch_lines([_NOT_KEPT, "*trained in*"])
    result.stdout.no_fnmatch_line("*saved 1 run*")
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.parametrize("options", [["-p", "no:cacheprovider"], []], ids=["off", "on"])
def test_without_a_cache_that_is_said(cached: pytest.Pytester, options: list[str]) -> None:
    """With the cache, runs are kept, and nothing is said."""
    result = cached.runpytest_inprocess("--freeze-plan", *options)
    assert result.ret == pytest.ExitCode.OK
    assert ("finished runs are not kept: pytest's cache is off" in result.stdout.str()) == bool(options)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
def test_whatever_the_system_says_is_shown(
    cached: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A folder of another user, or on a read-only or full disk: permissions do not bind root, so it is made up."""
    make = Path.mkdir

    def fail(path: Path, *arguments: object, **options: object) -> None:
        if ".pytest_cache" in path.parts or path.name == "freezebench":
            raise OSError(number, os.strerror(number), str(path))
        make(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", fail)
    result = cached.runpytest_inprocess("--freeze-plan")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines([f"freezebench: finished runs are not kept: *({os.strerror(number)}). To keep them*"])


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root; a read-only mount is tested below")
def test_a_checkout_without_permission(cached: pytest.Pytester) -> None:
    """A user who may only read it."""
    cached.path.chmod(0o555)
    try:
        result = cached.runpytest_inprocess("--freeze-plan")
    finally:
        cached.path.chmod(0o755)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines([_NOT_KEPT])


@pytest.mark.slow
def test_a_read_only_checkout(cached: pytest.Pytester) -> None:
    """A read-only mount, and no home folder: the session plans, and says that nothing is kept."""
    mount = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 77'
    script = f'{mount}; cd "$1"; exec env -u HOME "$2" -m pytest --freeze-plan'
    command = ["unshare", "-m", "sh", "-c", script, "sh", str(cached.path), sys.executable]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if done.returncode in (1, 77) and "freezebench" not in done.stdout:
        pytest.skip("only root can mount a folder read-only, and not in every container")
    assert done.returncode == 0, done.stdout
    assert "finished runs are not kept: " in done.stdout
    assert "(Read-only file system). To keep them, name a folder with --freeze-store" in done.stdout


FOLDERS = ["store", "report", "save", "prefix-cache"]
PATHS = {
    "long name": "a" * 300,
    "long path": "a/" * 2300,
    "no user": "~nouser/x",
    "line break": "a\nb",
    "NUL": "a\0b",
    "escape": "\x1b[31m",
    "bytes": "\udcff\udcfe",
    "file": "file",
    "inside a file": "file/x",
    "pipe": "pipe",
    "socket": "socket",
    "device": "/dev/null",
    "loop": "loop",
    "inside a loop": "loop/x",
    "no place": "/proc/x",
}


def _obstruct(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").write_text("x", encoding="utf-8")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")


# One option with every path, and the others with some of them: a session takes a second.
CASES = [
    pytest.param(option, kind, marks=[] if option == "store" or kind in ("file", "long name") else pytest.mark.slow)
    for option in (*FOLDERS, "anchor")
    for kind in PATHS
]


@pytest.mark.parametrize(("option", "kind"), CASES)
def test_a_path_that_cannot_be_is_a_usage_error(
    project: Project, monkeypatch: pytest.MonkeyPatch, option: str, kind: str
) -> None:
    """Exit code 4 and one sentence, before anything is trained."""
    session = project(MARKER)
    _obstruct(session.path, monkeypatch)
    result = session.runpytest_inprocess(f"--freeze-{option}={PATHS[kind]}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in result.stderr.lines if line.strip()]
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"ERROR: --freeze-{option}=")
    assert len(lines[0]) < 6000
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.parametrize("kind", ["no user", "line break", "inside a file", "loop"])
@pytest.mark.parametrize("option", FOLDERS)
def test_ini_keys_are_checked_likewise(
    project: Project, monkeypatch: pytest.MonkeyPatch, option: str, kind: str
) -> None:
    """The message names the ini key, or the option that it is the default of."""
    session = project(MARKER)
    _obstruct(session.path, monkeypatch)
    key = f"freeze_{option.replace('-', '_')}"
    value = PATHS[kind].replace("\n", "\n    ")
    (session.path / "pytest.ini").write_text(f"[pytest]\n{key} = {value}\n", encoding="utf-8")
    result = session.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert any(
        line.startswith((f"ERROR: ini key {key}=", f"ERROR: --freeze-{option}=")) for line in result.stderr.lines
    )
