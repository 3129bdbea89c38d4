"""File locks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from freezebench.records.locks import Lock
from freezebench.records.store import Store

HOLD = """
import sys
from pathlib import Path
from freezebench.records.locks import Lock
lock = Lock(Path(sys.argv[1]))
print(lock.try_acquire(), flush=True)
sys.stdin.read()
"""


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    """A second lock on the same file is refused until the first one is released; acquiring it twice is allowed."""
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert first.try_acquire()
    assert first.try_acquire()
    assert not second.try_acquire()
    first.release()
    first.release()
    assert second.try_acquire()
    second.release(remove=True)
    assert not list(tmp_path.iterdir())


def test_a_killed_process_releases_its_lock(tmp_path: Path) -> None:
    """After SIGKILL another process can acquire it at once, without waiting for a timeout."""
    path = tmp_path / "lock"
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout
        assert owner.stdout.readline() == "True\n"
        assert not Lock(path).try_acquire()
        owner.kill()
        owner.wait()
    lock = Lock(path)
    assert lock.try_acquire()
    lock.release()


def test_a_removed_file_is_not_locked(tmp_path: Path) -> None:
    """If the owner removed the file, the next lock creates a new one, which excludes further locks."""
    path = tmp_path / "lock"
    first = Lock(path)
    assert first.try_acquire()
    path.unlink()
    second = Lock(path)
    assert second.try_acquire()
    assert not Lock(path).try_acquire()
    second.release()
    first.release()


def test_links_are_not_followed(tmp_path: Path) -> None:
    """In a folder that every user can write to, a link may point to any file."""
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Lock(tmp_path / "lock").try_acquire()
    assert not (tmp_path / "elsewhere").exists()


def test_claims_leave_nothing_behind(tmp_path: Path) -> None:
    """The file of a claim is not taken for a run, and is removed when the claim is released."""
    store = Store(tmp_path / "runs")
    claim = store.claim("abc")
    assert claim.try_acquire()
    assert not store.claim("abc").try_acquire()
    assert store.claim("abd").try_acquire()
    assert not list((tmp_path / "runs").glob("*.json"))
    claim.release(remove=True)
    assert store.claim("abc").try_acquire()
