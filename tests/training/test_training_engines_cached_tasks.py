"""The cached engine on every task: the same training as the standard one, prefixes computed once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cached_runs import PROTOCOL, feed_of, write_encoder
from freezebench.models.load import load_model
from freezebench.records.run_record import RunRecord
from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.names import TASKS as NAMES_OF_TASKS
from freezebench.specs.names import TaskName
from freezebench.specs.run import Engine, RunSpec
from freezebench.strategies.freeze import freeze
from freezebench.tasks.registry import TASKS
from freezebench.training.batches.encoding import encode
from freezebench.training.batches.packed import PackedSplit
from task_data import NAMES, split, write_task_data

_NEW = ("regression", "multi-label", "token-classification")


def _runs(model: Path, data: Path, freeze_text: str, *engines: Engine) -> list[RunRecord]:
    """Return runs of one configuration that differ in their engine alone."""
    protocol = replace(PROTOCOL, num_epochs=1, batch_order="bucketed", prefix_mode="eval")
    spec = RunSpec(model=str(model), data=DataSpec(source=str(data)), freeze=freeze_text, device="cpu")
    records = [run(replace(spec, protocol=replace(protocol, engine=engine))) for engine in engines]
    assert [record.reason for record in records] == [None] * len(records)
    return records


def _are_equal(first: RunRecord, second: RunRecord) -> None:
    assert first.test
    assert second.test
    assert first.step_losses == pytest.approx(second.step_losses, abs=1e-4)
    assert first.test.loss == pytest.approx(second.test.loss, abs=1e-4)
    assert first.test.predictions == second.test.predictions


@pytest.mark.parametrize("freeze_text", ["none", "emb", "emb+L0", "emb+L0-1"])
@pytest.mark.parametrize("task", _NEW)
def test_losses_equal_those_of_the_standard_engine(task: TaskName, freeze_text: str, tmp_path: Path) -> None:
    """Behind the embeddings, behind a layer and behind all layers, and where nothing is frozen."""
    data, model = write_task_data(tmp_path / task, task), write_encoder("distilbert", tmp_path / "model", "AutoModel")
    standard, cached = _runs(model, data, freeze_text, "standard", "cached")
    assert cached.warnings == ()
    assert ("prefix_s" in cached.readings) is (freeze_text != "none")
    _are_equal(standard, cached)


@pytest.mark.parametrize("freeze_text", ["emb+L0", "emb+L0-1"])
@pytest.mark.parametrize("architecture", ["bert", "roberta", "modernbert"])
def test_words_of_other_architectures(architecture: str, freeze_text: str, tmp_path: Path) -> None:
    """Their layers are left out in the same way, with the states of all tokens behind them."""
    data = write_task_data(tmp_path / "token", "token-classification")
    model = write_encoder(architecture, tmp_path / "model", "AutoModel")
    standard, cached = _runs(model, data, freeze_text, "standard", "cached")
    assert cached.warnings == ()
    assert "prefix_s" in cached.readings
    _are_equal(standard, cached)


@pytest.mark.parametrize("task", NAMES_OF_TASKS)
def test_the_trainer_engine_gives_the_same_run(task: TaskName, tmp_path: Path) -> None:
    """Up to rounding, on the same batches."""
    data, model = write_task_data(tmp_path / task, task), write_encoder("distilbert", tmp_path / "model", "AutoModel")
    _are_equal(*_runs(model, data, "emb", "standard", "trainer"))


@pytest.mark.parametrize("task", NAMES_OF_TASKS)
def test_only_texts_are_cached_as_first_tokens(task: TaskName, tmp_path: Path) -> None:
    """Behind all layers a head of texts reads one token, and a head of words every one."""
    folder = write_encoder("distilbert", tmp_path / "model", "AutoModel")
    torch.manual_seed(0)
    model, tokenizer = load_model(str(folder), len(NAMES[task]), task=task)
    packed = {"train": PackedSplit(encode(split(task, 24), tokenizer, model, 32), tokenizer)}
    freeze(model, "emb+L0-1")
    feed = feed_of(model, "emb+L0-1", packed)
    assert feed.prefix is not None
    assert feed.cls_only is not TASKS[task].by_word
    batch = feed.batch("train", torch.arange(4))
    width = 1 if feed.cls_only else int(packed["train"].lengths[:4].max())
    assert batch["hidden"].shape == (4, width, 16)
