"""The executors by name."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from fake_worker import trained
from freezebench.executors.base import ExecutorOptions
from freezebench.executors.registry import EXECUTORS, make_executor
from freezebench.runs.data_cache import DataCache
from freezebench.specs.data import DataSpec
from freezebench.specs.names import ISOLATIONS
from freezebench.specs.run import Protocol, RunSpec

PROTOCOL = Protocol(num_epochs=1, batch_size=8, learning_rate=1e-2, precision="float32")


def test_every_value_of_the_option_names_an_executor() -> None:
    """The registry has exactly the values of ``--freeze-isolate``."""
    assert set(EXECUTORS) == set(ISOLATIONS)


@pytest.mark.parametrize("name", ["none", "worker"])
def test_executors_give_the_same_run(
    name: str, tiny_model: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Preflight, machine, run: the record's losses are those of a run in this process, and the model is saved."""
    from freezebench.runs.experiment import run

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spec = RunSpec(
        model=str(tiny_model),
        data=DataSpec(source=str(tiny_data)),
        freeze="emb",
        seed=3,
        device="cpu",
        protocol=PROTOCOL,
    )
    options = ExecutorOptions(data_cache=DataCache(), data_cache_options={}, timeout_s=300)
    folder = tmp_path / "model"
    folder.mkdir()
    executor = make_executor(name, options)  # type: ignore[arg-type]  # one of the names above
    try:
        executor.expect(["emb"])
        executor.preflight(spec, ["emb"], will_save=True)
        assert executor.machine(spec).device == "cpu"
        record = trained(executor, spec, save_to=folder)
    finally:
        executor.close()
    assert record.is_valid
    assert (folder / "model.safetensors").is_file()
    assert record.step_losses == run(spec).step_losses
