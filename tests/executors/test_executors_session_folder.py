"""Folders that processes of one session share."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from freezebench.executors.session_folder import SharedFolder, remove_folders_of_killed_sessions


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_last_one_removes_a_shared_folder(folder: Path) -> None:
    """Whoever made it; other sessions have folders of their own."""
    first, second, other = SharedFolder("a"), SharedFolder("a"), SharedFolder("b")
    assert first.path == second.path != other.path
    first.leave()
    assert second.path.exists()
    second.leave()
    assert list(folder.iterdir()) == [other.path]
    other.leave()


def test_a_folder_in_use_is_not_taken_for_that_of_a_killed_session() -> None:
    """As long as one process uses it."""
    first, second = SharedFolder("a"), SharedFolder("a")
    first.leave()
    remove_folders_of_killed_sessions()
    assert second.path.exists()
    second.leave()


def test_a_folder_of_killed_processes_is_removed(folder: Path) -> None:
    """By the next session on the machine."""
    (folder / "freezebench-session-a" / "prefixes").mkdir(parents=True)
    SharedFolder("b").leave()
    assert list(folder.iterdir()) == []
