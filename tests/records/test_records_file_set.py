"""Files that are replaced as a whole, whatever interrupts it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from freezebench.records.file_set import finish_replacement, replace_files

MAIN_FILE = "index.html"
OLD = {MAIN_FILE: b"old page", "report.json": b"old", "pictures/drop.svg": b"old drop", "pictures/gone.svg": b"gone"}
NEW = {MAIN_FILE: b"new page", "report.json": b"new", "pictures/drop.svg": b"new drop", "pictures/more.svg": b"more"}
FOREIGN = {"mine.txt": b"mine", "pictures/mine.png": b"mine"}
# The steps of a replacement: every call of these functions is one.
STEPS = [(os, "replace"), (os, "fsync"), (Path, "unlink"), (Path, "hardlink_to"), (shutil, "rmtree")]


def _pictures(folder: Path) -> Iterable[str]:
    """Return the pictures of the set that the folder holds."""
    return [f"pictures/{path.name}" for path in (folder / "pictures").glob("*.svg")]


def _write(folder: Path, contents: dict[str, bytes], **options: Callable[[], None]) -> None:
    replace_files(folder, contents, main_file=MAIN_FILE, outdated=_pictures, **options)


def _content(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder that is not hidden."""
    files = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: content for name, content in names.items() if not name.startswith(".")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a set and with files of other origin."""
    for name, content in FOREIGN.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    _write(tmp_path, OLD)
    return tmp_path


def test_a_set_replaces_another_and_leaves_other_files_alone(folder: Path) -> None:
    """What the new set does not have is removed; no temporary file is left."""
    assert _content(folder) == {**OLD, **FOREIGN}
    _write(folder, NEW)
    assert _content(folder) == {**NEW, **FOREIGN}
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(("owner", "name"), STEPS, ids=[name for _, name in STEPS])
def test_an_error_at_any_step_leaves_the_old_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    """A full disk or a missing permission changes nothing, and the next replacement works."""
    real = getattr(owner, name)
    failures = 0
    for failing in range(30):
        calls = iter(range(100))

        def fail_once(*args: object, calls: Iterable[int] = calls, failing: int = failing, **options: object) -> object:
            nonlocal failures
            if next(iter(calls)) == failing:
                failures += 1
                raise OSError(28, "No space left on device")
            return real(*args, **options)

        monkeypatch.setattr(owner, name, fail_once)
        before = failures
        try:
            _write(folder, NEW)
        except OSError:
            # The failure may have struck when everything was in place and only the cleaning up was left.
            assert _content(folder) in ({**OLD, **FOREIGN}, {**NEW, **FOREIGN})
        monkeypatch.undo()
        _write(folder, OLD)
        assert _content(folder) == {**OLD, **FOREIGN}
        if failures == before:
            break
    assert failures


# Ends the process at the given step, without any cleaning up, as SIGKILL or a power cut does.
KILLED = """
import os, shutil, sys
from pathlib import Path
sys.path.insert(0, "tests/records")
import test_records_file_set as case

calls = 0

def deadly(real):
    def call(*args, **options):
        global calls
        calls += 1
        if calls == int(sys.argv[2]):
            os._exit(9)
        return real(*args, **options)
    return call

for owner, name in case.STEPS:
    setattr(owner, name, deadly(getattr(owner, name)))
case._write(Path(sys.argv[1]), case.NEW)
"""


def test_a_writer_that_is_killed_leaves_no_mixture(folder: Path) -> None:
    """At every step: while there is a page, everything belongs to it; the next writer completes one of the sets."""
    for step in range(1, 60):
        done = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(step)], check=False)
        after = _content(folder)
        if MAIN_FILE in after:
            assert after in ({**OLD, **FOREIGN}, {**NEW, **FOREIGN})
        finish_replacement(folder)
        assert _content(folder) in ({**OLD, **FOREIGN}, {**NEW, **FOREIGN})
        if done.returncode == 0:
            break
        assert done.returncode == 9
        _write(folder, OLD)
    assert step > 15, "a replacement has more steps"
    assert _content(folder) == {**NEW, **FOREIGN}


def test_writers_at_the_same_time_leave_one_whole_set(folder: Path) -> None:
    """The last one wins, with all of its files."""
    sets = [{MAIN_FILE: b"%d" % number, "report.json": b"%d" % number} for number in range(4)]
    threads = [threading.Thread(target=_write, args=(folder, contents)) for contents in sets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = _content(folder)
    assert {name: after[name] for name in sets[0]} in sets
    assert after.keys() == {*sets[0], *FOREIGN}


def test_a_refused_check_changes_nothing(folder: Path) -> None:
    """The check sees the folder while no other writer can change it."""

    def refuse() -> None:
        raise ValueError(str(_content(folder)["report.json"]))

    with pytest.raises(ValueError, match="old"):
        _write(folder, NEW, check=refuse)
    assert _content(folder) == {**OLD, **FOREIGN}


def test_a_linked_folder_stays_a_link(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The folder that it points to gets the files."""
    link = tmp_path_factory.mktemp("other") / "link"
    link.symlink_to(folder)
    _write(link, NEW)
    assert link.is_symlink()
    assert _content(folder) == {**NEW, **FOREIGN}


def test_files_keep_the_permissions_that_the_user_wants(folder: Path) -> None:
    """A web server of another account can read the page, unless the umask forbids it."""
    mask = os.umask(0o022)
    try:
        _write(folder, NEW)
    finally:
        os.umask(mask)
    assert (folder / MAIN_FILE).stat().st_mode & 0o777 == 0o644


def test_a_file_system_without_locks_has_reports_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Network file systems may refuse them; no lock file is left there."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    _write(folder, NEW)
    assert _content(folder) == {**NEW, **FOREIGN}
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_without_hard_links_old_files_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems have none; an error then still leaves the old set."""

    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    real, calls = os.replace, iter(range(100))
    monkeypatch.setattr(os, "replace", lambda *names: refuse() if next(calls) == 3 else real(*names))
    with pytest.raises(OSError, match="not permitted"):
        _write(folder, NEW)
    assert _content(folder) == {**OLD, **FOREIGN}


@pytest.mark.parametrize("name", ["../victim", "/victim", "a/../../victim", "", ".", "a/b/c", "pictures/..", 3, None])
@pytest.mark.parametrize("folder", [".freezebench-pending", ".freezebench-undo"])
@pytest.mark.parametrize("field", ["main_file", "new", "old"])
def test_a_plan_from_elsewhere_changes_nothing_outside(tmp_path: Path, folder: str, field: str, name: object) -> None:
    """A report that was downloaded may hold a plan that names any file; it is refused in one sentence."""
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="utf-8")
    staged = tmp_path / "report" / folder
    (staged / "new").mkdir(parents=True)
    plan = {"main_file": "index.html", "new": [], "old": [], field: name if field == "main_file" else [name]}
    (staged / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    with pytest.raises(OSError, match="is no plan of freezebench: remove"):
        finish_replacement(tmp_path / "report")
    assert victim.read_text(encoding="utf-8") == "mine"


DAMAGED_PLANS = [
    b"",
    b"[]",
    b"{}",
    b"[" * 100_000,
    b"\xff",
    b'{"main_file": 1, "new": 2, "old": 3}',
    b'{"main_file": "\\ud800", "new": [], "old": []}',
]


@pytest.mark.parametrize("content", DAMAGED_PLANS, ids=lambda content: str(content)[:20])
def test_a_damaged_plan_is_an_error_of_the_system(tmp_path: Path, content: bytes) -> None:
    """The report's writer takes errors of the system for what they are."""
    staged = tmp_path / ".freezebench-pending"
    staged.mkdir()
    (staged / "plan.json").write_bytes(content)
    with pytest.raises(OSError, match="is no plan of freezebench"):
        finish_replacement(tmp_path)


@pytest.mark.parametrize("name", [".freezebench-staged", ".freezebench-pending", ".freezebench-undo"])
def test_links_in_place_of_own_folders_are_removed_and_not_followed(tmp_path: Path, name: str) -> None:
    """What they lead to stays, even if it holds a plan."""
    outside, folder = tmp_path / "outside", tmp_path / "report"
    outside.mkdir()
    folder.mkdir()
    plan = {"main_file": "index.html", "new": [], "old": ["kept"]}
    (outside / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (folder / "kept").write_text("kept", encoding="utf-8")
    (folder / name).symlink_to(outside)
    replace_files(folder, {"index.html": b"new"}, main_file="index.html", outdated=lambda _: [])
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "kept"]
    assert [path.name for path in outside.iterdir()] == ["plan.json"]


def test_a_link_in_place_of_the_pictures_is_not_followed(tmp_path: Path) -> None:
    """Nothing is written or removed where it leads to."""
    outside, folder = tmp_path / "outside", tmp_path / "report"
    outside.mkdir()
    folder.mkdir()
    (outside / "drop.svg").write_text("mine", encoding="utf-8")
    (folder / "pictures").symlink_to(outside)
    with pytest.raises(OSError, match="pictures is a symbolic link, which is not followed: remove it"):
        replace_files(folder, {"pictures/drop.svg": b"new"}, main_file="index.html", outdated=lambda _: [])
    assert (outside / "drop.svg").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("mask", [0o022, 0o077], ids=oct)
def test_the_umask_is_respected(tmp_path: Path, mask: int) -> None:
    """By new files and by those that replace others."""
    before = os.umask(mask)
    try:
        for content in (b"one", b"two"):
            replace_files(
                tmp_path,
                {"index.html": content, "pictures/a.svg": content},
                main_file="index.html",
                outdated=lambda _: [],
            )
            assert (tmp_path / "index.html").stat().st_mode & 0o777 == 0o666 & ~mask
            assert (tmp_path / "pictures" / "a.svg").stat().st_mode & 0o777 == 0o666 & ~mask
            assert (tmp_path / "pictures").stat().st_mode & 0o777 == 0o777 & ~mask
    finally:
        os.umask(before)
