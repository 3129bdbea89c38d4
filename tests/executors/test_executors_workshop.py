"""The workshop: who trains, on whose device, with which inputs."""

from __future__ import annotations

import json
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from freezebench.executors import workshop
from freezebench.executors.workshop import Workshop
from freezebench.records.locks import Lock
from freezebench.runs.data_cache import DataCache
from freezebench.specs.run import DataSpec, Protocol, RunSpec

PROTOCOL = Protocol(num_epochs=1, batch_size=8, learning_rate=1e-2, precision="float32")


class _Told:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda what: self.told.append((name, what))

    def of(self, name: str) -> list[Any]:
        return [what for kind, what in self.told if kind == name]


@pytest.fixture
def spec(tiny_model: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunSpec:
    """A run on data of its own, with locks of its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / "data"
    folder.mkdir()
    for path in tiny_data.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    data = DataSpec(source=str(folder))
    return RunSpec(model=str(tiny_model), data=data, freeze="emb", seed=3, device="cpu", protocol=PROTOCOL)


def test_a_run_waits_for_its_device(spec: RunSpec, tmp_path: Path) -> None:
    """Another session has the device: told once, then trained as soon as it is free."""
    shop = Workshop(isolation="none")
    listener: Any = _Told()
    shop.listener = listener
    other = Lock(tmp_path / "freezebench-device-cpu.lock")
    assert other.try_acquire()
    threading.Timer(1.2, other.release).start()
    record = shop.executor.record(spec)
    assert record.is_valid
    assert listener.of("waiting") == ["another session trains on cpu"]
    assert [kind for kind, _ in listener.told][:2] == ["begin", "waiting"]
    assert listener.of("end") == [record]
    assert other.try_acquire()
    other.release()


@pytest.mark.parametrize("isolation", ["none", "worker"])
def test_data_that_change_on_the_way_make_runs_invalid(spec: RunSpec, isolation: Any) -> None:
    """A replaced worker reads its files again: what it finds has to be what the runs before were trained on."""
    shop = Workshop(isolation=isolation)
    assert shop.executor.record(spec).is_valid
    train = Path(spec.data.source) / "train.jsonl"
    lines = train.read_text(encoding="utf-8").splitlines()
    train.write_text("\n".join([json.dumps({"text": "another film", "label": 0}), *lines[1:]]), encoding="utf-8")
    if isolation == "none":
        shop._trains = workshop._Here(DataCache())  # as a new process would read
    else:
        shop.close()
    record = shop.executor.record(replace(spec, seed=4))
    shop.close()
    assert (record.is_valid, record.cause) == (False, "inputs_changed")
    assert f"{spec.data.source} changed while this session ran" in str(record.reason)


def test_a_model_that_changes_on_the_way_makes_runs_invalid(spec: RunSpec, tmp_path: Path, tiny_model: Path) -> None:
    """Weights that somebody replaces between two runs are another experiment."""
    from tiny import write_model

    model = tmp_path / "model"
    model.mkdir()
    for path in tiny_model.iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    shop = Workshop(isolation="none")
    spec = replace(spec, model=str(model))
    assert shop.executor.record(spec).is_valid
    write_model(model, seed=5)
    record = shop.executor.record(replace(spec, seed=4))
    assert (record.is_valid, record.cause) == (False, "inputs_changed")
    assert f"{model} changed" in str(record.reason)
