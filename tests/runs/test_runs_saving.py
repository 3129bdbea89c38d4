"""Saving a run's model: what the folder holds, and what cannot be saved."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from freezebench.errors import FreezebenchError, ModelError
from freezebench.models.layers import find_layers
from freezebench.models.load import load_model
from freezebench.models.source import ModelSource
from freezebench.runs.experiment import run
from freezebench.runs.saving import check_savable, save_model
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from tiny import loaded_predictions

PROTOCOL = Protocol(num_epochs=2, batch_size=8, learning_rate=1e-2, precision="float32")


@pytest.fixture
def spec(tiny_model: Path, tiny_data: Path) -> RunSpec:
    """A run of the tiny model on the tiny data."""
    data = DataSpec(source=str(tiny_data))
    return RunSpec(model=str(tiny_model), data=data, freeze="emb+L0", seed=3, device="cpu", protocol=PROTOCOL)


@pytest.mark.parametrize("engine", ["standard", "cached", "trainer"])
def test_a_saved_model_predicts_what_the_run_recorded(spec: RunSpec, tmp_path: Path, engine: Any) -> None:
    """Of every engine: the weights are those of the best epoch, and frozen ones equal the pretrained bit by bit."""
    spec = replace(spec, protocol=replace(PROTOCOL, engine=engine))
    record = run(spec, save_to=tmp_path)
    assert record.test is not None
    assert list(record.test.predictions) == loaded_predictions(tmp_path)
    assert {weight.dtype for weight in load_file(tmp_path / "model.safetensors").values()} == {torch.float32}
    # Loaded, since some releases of transformers write other names than those of the parameters.
    saved = dict(load_model(str(tmp_path))[0].named_parameters())
    pretrained, _ = load_model(spec.model)
    layers = find_layers(pretrained)
    frozen = {*layers.emb, *layers.layers[0]}
    assert frozen
    for name, weight in pretrained.named_parameters():
        assert torch.equal(saved[name], weight) == (name in frozen), name


def test_saving_does_not_change_the_run(spec: RunSpec, tmp_path: Path) -> None:
    """The record is that of the same run without saving."""
    record, plain = run(spec, save_to=tmp_path), run(spec)
    assert record.step_losses == plain.step_losses
    assert record.test == plain.test


def test_the_folder_is_complete_and_respects_the_umask(spec: RunSpec, tmp_path: Path) -> None:
    """Class names, the length of training and the fields that the model takes are saved; only safetensors are."""
    before = os.umask(0o027)
    try:
        run(replace(spec, protocol=replace(PROTOCOL, max_length=12)), save_to=tmp_path)
    finally:
        os.umask(before)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["id2label"] == {"0": "0", "1": "1"}
    assert config["architectures"] == ["DistilBertForSequenceClassification"]
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path)
    fields = tokenizer("the film " * 20, truncation=True)
    assert set(fields) == {"input_ids", "attention_mask"}
    assert len(fields["input_ids"]) == 12
    assert "local_files_only" not in json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors", ".txt", ".jinja"}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}


def test_what_has_no_save_pretrained_is_refused() -> None:
    """The message names the part of the factory's result that cannot be saved."""
    savable: Any = SimpleNamespace(save_pretrained=lambda _: None)
    with pytest.raises(ModelError, match=r"^cannot save own:make: its model, a Linear, has no method save_pretrained"):
        check_savable(torch.nn.Linear(2, 2), savable, "own:make")
    tokenizer: Any = str
    with pytest.raises(ModelError, match=r"its tokenizer, a type, has no method save_pretrained\. Return one of"):
        check_savable(savable, tokenizer, "own:make")


def test_a_full_disk_is_found_before_anything_is_written(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has what is needed and what is free."""
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil's own
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10_000, 0, 10_000))
    model, tokenizer = load_model(str(tiny_model))
    with pytest.raises(FreezebenchError, match=r"cannot save tiny: its weights take 26\.7 KiB, and 9\.77 KiB are free"):
        save_model(model, tokenizer, tmp_path, source=ModelSource(kind="factory", name="tiny"), max_length=8)
    assert not list(tmp_path.iterdir())


def test_a_model_that_saves_no_safetensors_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    """An own save_pretrained that writes a pickle leaves nothing that freezebench or a cautious user would load."""
    model, tokenizer = load_model(str(tiny_model))
    pickling: Any = model
    pickling.save_pretrained = lambda folder: torch.save(model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(FreezebenchError, match=r"cannot save tiny: ModelError: .*no model\.safetensors|only as"):
        save_model(model, tokenizer, tmp_path, source=ModelSource(kind="factory", name="tiny"), max_length=8)


def test_an_error_while_saving_is_no_invalid_run(
    spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is raised, with its class, and not recorded as a fault of training."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transformers.PreTrainedModel.save_pretrained", full)
    with pytest.raises(
        FreezebenchError, match=r"cannot save .*: OSError: \[Errno 28\] No space left on device\. Remove the cause, or"
    ):
        run(spec, save_to=tmp_path)
