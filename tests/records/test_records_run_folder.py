"""Folders of finished runs, read without changing anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from freezebench.errors import RecordError
from freezebench.records.run_folder import stored_runs
from freezebench.records.store import Store
from made_up import seeds


def _store(folder: Path) -> list[Path]:
    """Save two runs and return their files."""
    store = Store(folder)
    assert all(store.save(record) for record in seeds("emb", num=2))
    return sorted(folder.glob("*.json"))


def test_the_runs_of_a_store(tmp_path: Path) -> None:
    """Other files of the folder are not its runs; a folder that does not exist has none."""
    _store(tmp_path)
    (tmp_path / "report.json").write_text("{}", encoding="utf-8")
    assert sorted(run.spec.seed for run in stored_runs(tmp_path)) == [42, 43]
    assert stored_runs(tmp_path / "nowhere") == []


def test_a_damaged_run_is_named_and_stays(tmp_path: Path) -> None:
    """Only a session sets it aside."""
    file = _store(tmp_path)[0]
    file.write_bytes(file.read_bytes().replace(b"a CPU", b"b CPU"))
    with pytest.raises(
        RecordError, match=rf"{file.name}: its checksum does not match its content\. Remove the file, and"
    ):
        stored_runs(tmp_path)
    assert file.exists()


def test_a_run_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Such as a folder of its name."""
    (tmp_path / f"{'a' * 32}-{'b' * 8}.json").mkdir()
    with pytest.raises(RecordError, match=r"cannot be read .*Give a folder that can be"):
        stored_runs(tmp_path)
