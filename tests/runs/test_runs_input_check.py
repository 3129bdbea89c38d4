"""The check that all runs of a session had the same data and weights."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

import made_up
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.runs.input_check import InputCheck
from freezebench.specs.run import DataSpec, Protocol, RunSpec

PROTOCOL = Protocol(num_epochs=1, batch_size=8, learning_rate=1e-2, precision="float32")


@pytest.fixture
def spec(tiny_model: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunSpec:
    """A run on copies of model and data that a test may change."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, source in (("model", tiny_model), ("data", tiny_data)):
        (tmp_path / name).mkdir()
        for path in source.iterdir():
            (tmp_path / name / path.name).write_bytes(path.read_bytes())
    data = DataSpec(source=str(tmp_path / "data"))
    return RunSpec(model=str(tmp_path / "model"), data=data, freeze="emb", seed=3, device="cpu", protocol=PROTOCOL)


def test_data_that_change_make_later_runs_invalid(spec: RunSpec) -> None:
    """A replaced worker reads its files again: it has to find what this session has read."""
    check = InputCheck(DataCache())
    assert check.checked(run(spec)).is_valid
    train = Path(spec.data.source) / "train.jsonl"
    lines = train.read_text(encoding="utf-8").splitlines()
    train.write_text("\n".join([json.dumps({"text": "another film", "label": 0}), *lines[1:]]), encoding="utf-8")
    record = check.checked(run(replace(spec, seed=4)))
    assert (record.is_valid, record.cause) == (False, "inputs_changed")
    assert f"{spec.data.source} changed while this session ran" in str(record.reason)


def test_a_model_that_changes_makes_later_runs_invalid(spec: RunSpec) -> None:
    """Weights that are replaced between two runs make another experiment."""
    from tiny import write_model

    check = InputCheck(DataCache())
    assert check.checked(run(spec)).is_valid
    write_model(Path(spec.model), seed=5)
    record = check.checked(run(replace(spec, seed=4)))
    assert (record.is_valid, record.cause) == (False, "inputs_changed")
    assert f"{spec.model} changed" in str(record.reason)


def test_invalid_runs_are_left_as_they_are() -> None:
    """Their own reason comes first."""
    broken = made_up.broken("emb")
    assert InputCheck(DataCache()).checked(broken) is broken
