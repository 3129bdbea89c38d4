"""Locks that die with their owner."""

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
print(lock.try_take(), flush=True)
sys.stdin.read()
"""


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    """A second lock on the same file is refused until the first is dropped; taking twice is no mistake."""
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert first.try_take()
    assert first.try_take()
    assert not second.try_take()
    first.drop()
    first.drop()
    assert second.try_take()
    second.drop(remove=True)
    assert not list(tmp_path.iterdir())


def test_a_lock_dies_with_its_owner(tmp_path: Path) -> None:
    """Kill -9 frees it at once: no lease to wait for."""
    path = tmp_path / "lock"
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout
        assert owner.stdout.readline() == "True\n"
        assert not Lock(path).try_take()
        owner.kill()
        owner.wait()
    lock = Lock(path)
    assert lock.try_take()
    lock.drop()


def test_a_lock_on_a_removed_file_is_none(tmp_path: Path) -> None:
    """Whoever waited for a file that its owner removed locks the next one, as everybody else does."""
    path = tmp_path / "lock"
    first = Lock(path)
    assert first.try_take()
    path.unlink()
    second = Lock(path)
    assert second.try_take()
    assert not Lock(path).try_take()
    second.drop()
    first.drop()


def test_links_are_not_followed(tmp_path: Path) -> None:
    """In a folder that everybody writes to, a link may lead anywhere."""
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Lock(tmp_path / "lock").try_take()
    assert not (tmp_path / "elsewhere").exists()


def test_claims_leave_nothing_behind(tmp_path: Path) -> None:
    """A claim is a file beside the runs that is no run, and goes when it is given up."""
    store = Store(tmp_path / "runs")
    claim = store.claim("abc")
    assert claim.try_take()
    assert not store.claim("abc").try_take()
    assert store.claim("abd").try_take()
    assert not list((tmp_path / "runs").glob("*.json"))
    claim.drop(remove=True)
    assert store.claim("abc").try_take()
