"""Captured steps on a real GPU; skipped if there is none."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from freezebench.data.splits import Split
from freezebench.records.run_record import Evaluation
from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from freezebench.training.batches.encoding import encode
from freezebench.training.batches.packed import PackedSplit
from freezebench.training.capture import steps
from freezebench.training.engines import loop
from freezebench.training.engines.job import Job
from freezebench.training.engines.log import TrainingResult
from freezebench.training.prefix.feed import Feed
from tiny import sentences, trainable_names

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
PROTOCOL = Protocol(engine="cached", num_epochs=4, batch_size=8, learning_rate=1e-2, dropout=False)


def _job(folder: Path, protocol: Protocol = PROTOCOL) -> Job:
    torch.manual_seed(5)
    model = AutoModelForSequenceClassification.from_pretrained(folder).cuda()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts, labels = zip(*sentences(64, 2, 0), strict=True)
    train = encode(Split(texts=tuple((text,) for text in texts), labels=labels), tokenizer, model, 32)
    return Job(
        model=model,
        tokenizer=tokenizer,
        train=train,
        protocol=protocol,
        precision="float32",
        seed=3,
        names=trainable_names(model),
        epochs=range(protocol.num_epochs),
        evaluate=lambda: Evaluation(loss=1.0, accuracy=0.5, f1=0.5, predictions=(0,)),
        feed=Feed(model, {"train": PackedSplit(train, tokenizer)}),
    )


def _trained(job: Job, monkeypatch: pytest.MonkeyPatch, *, captured: bool) -> TrainingResult:
    with monkeypatch.context() as patch:
        if not captured:
            patch.setattr(steps, "_MIN_BATCHES", 10**9)
        return loop.train([job], lambda _: None)


def test_captured_steps_train_like_eager_ones(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The losses are equal except for the order of sums."""
    plain = _trained(_job(tiny_model), monkeypatch, captured=False)
    captured = _trained(_job(tiny_model), monkeypatch, captured=True)
    assert captured.warnings == ()
    assert captured.step_losses == pytest.approx(plain.step_losses, rel=1e-3)
    assert captured.phase_s.keys() == {"data", "forward", "backward", "optimizer"}


def test_runs_free_their_memory(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run begins with as much memory as the one before: the peaks of later runs are their own."""
    left = []
    for _ in range(3):
        _trained(_job(tiny_model), monkeypatch, captured=True)
        gc.collect()
        left.append(torch.cuda.memory_allocated())
    assert left[2] == pytest.approx(left[0], abs=2**20)


def test_dropout_is_drawn_anew_in_every_step(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is learnt, and still the loss of the same batch differs from epoch to epoch."""
    protocol = replace(PROTOCOL, dropout=True, learning_rate=1e-12, batch_size=64)
    result = _trained(_job(tiny_model, protocol), monkeypatch, captured=True)
    assert result.warnings == ()
    assert len(set(result.step_losses)) == len(result.step_losses) == 4


@pytest.mark.parametrize("wait", [lambda output: output.logits.sum().item(), lambda _: torch.cuda.synchronize()])
def test_models_that_wait_for_the_device_run_eagerly(
    wait: Callable[[Any], object], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning gives the reason, found in the dry run or in the capture; training is as before."""

    def job() -> Job:
        return _job(tiny_model, replace(PROTOCOL, dropout=True))

    plain = _trained(job(), monkeypatch, captured=False)
    waiting = job()
    forward = waiting.model.forward

    def waiting_forward(**inputs: Any) -> Any:
        output = forward(**inputs)
        wait(output)
        return output

    waiting.model.forward = waiting_forward
    result = _trained(waiting, monkeypatch, captured=True)
    assert "steps are not captured" in result.warnings[0]
    assert result.step_losses == pytest.approx(plain.step_losses, rel=1e-3)
    captured = _trained(job(), monkeypatch, captured=True)
    assert captured.warnings == (), "the next run is captured again"


@pytest.mark.parametrize("freeze", ["none", "emb+L0", "emb+L0-1", "lpft", "unfreeze"])
def test_a_run_is_measured(freeze: str, tiny_model: Path, tiny_data: Path) -> None:
    """A whole run on the GPU: peaks, their parts, and phases."""
    data = DataSpec(source=str(tiny_data))
    record = run(RunSpec(model=str(tiny_model), data=data, freeze=freeze, device="cuda", protocol=PROTOCOL))
    assert record.status == "completed", record.reason
    assert record.device == "cuda:0"
    assert not [warning for warning in record.warnings if "not captured" in warning]
    parts = [
        record.value(f"allocated_{part}_bytes") or 0.0 for part in ("parameters", "gradients", "optimizer", "rest")
    ]
    peak = record.value("peak_allocated_bytes") or 0.0
    assert 0.99 * peak <= sum(parts) <= peak, "the last update may allocate a little more"
    assert all(part > 0 for part in parts)
