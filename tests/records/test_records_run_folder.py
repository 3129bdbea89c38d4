"""Folders of finished runs, read without changing anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from freezebench.errors import RecordError
from freezebench.records.run_folder import at_other_rates, stored_runs
from freezebench.records.store import Store
from made_up import record, seeds


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


def test_runs_at_other_rates_are_those_of_the_same_configuration(tmp_path: Path) -> None:
    """Other epochs, data, weights or configurations are another matter; what cannot be read is passed over."""

    def at(rate: float, freeze: str = "emb", *, num_epochs: int = 2, **changes: Any) -> None:
        run = record(freeze, **changes)
        protocol = replace(run.spec.protocol, learning_rate=rate, num_epochs=num_epochs)
        assert store.save(replace(run, spec=replace(run.spec, protocol=protocol)))

    store, own = Store(tmp_path), record("emb")
    at(own.spec.protocol.learning_rate, seed=43)
    at(1e-3)
    at(1e-3, seed=43)
    at(2e-3, num_epochs=3)
    at(3e-3, "emb+L0")
    at(4e-3, num_test=300)
    at(5e-3, model_sha256="cd" * 32)
    (tmp_path / f"{'a' * 32}-{'b' * 8}.json").mkdir()
    found = at_other_rates(own, tmp_path)
    assert sorted((run.spec.protocol.learning_rate, run.spec.seed) for run in found) == [(1e-3, 42), (1e-3, 43)]
    assert at_other_rates(own, tmp_path / "nowhere") == []
