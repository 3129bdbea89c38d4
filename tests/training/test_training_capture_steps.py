"""Captured steps train like eager ones; a fake capture on the CPU replaces CUDA graphs."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from fake_graph import FakeCapture
from freezebench.data.splits import Split
from freezebench.specs.run import Protocol
from freezebench.training.batches.encoding import encode
from freezebench.training.batches.loader import FeedLoader
from freezebench.training.batches.packed import PackedSplit
from freezebench.training.capture import steps as graphs
from freezebench.training.capture.preconditions import NotCapturableError
from freezebench.training.capture.steps import CapturedStep
from freezebench.training.engines.job import Job
from freezebench.training.engines.step import Step
from freezebench.training.prefix.feed import Feed
from tiny import sentences

EPOCHS = 4


def _job(folder: Path, num: int = 60, **protocol: Any) -> Job:
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    for parameter in model.distilbert.embeddings.parameters():
        parameter.requires_grad = False
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts, labels = zip(*sentences(num, 2, 0), strict=True)
    train = encode(Split(texts=tuple((text,) for text in texts), labels=labels), tokenizer, model, 32)
    return Job(
        model=model,
        tokenizer=tokenizer,
        train=train,
        protocol=Protocol(num_epochs=EPOCHS, batch_size=8, learning_rate=1e-2, **{"dropout": False, **protocol}),
        precision="float32",
        seed=3,
        evaluate=lambda: pytest.fail("nothing is evaluated here"),
        feed=Feed(model, {"train": PackedSplit(train, tokenizer)}),
    )


def _batches(job: Job) -> FeedLoader:
    batches = job.batches()
    assert isinstance(batches, FeedLoader)
    return batches


def _train(step: Any, job: Job) -> list[float]:
    losses, batches = [], _batches(job)
    for epoch in range(EPOCHS):
        batches.set_epoch(epoch)
        job.set_train_mode()
        for batch in batches:
            step.load(batch)
            losses.append(step.forward().item())
            step.backward()
            step.update()
    return losses


def _recorded(job: Job) -> tuple[CapturedStep, FakeCapture, Step]:
    step = Step(job)
    tape = FakeCapture()
    return CapturedStep(step, tape), tape, step


def _in_training(job: Job, act: Callable[[], object]) -> None:
    """Have the model do something in every forward pass in train mode, and nothing else that is random."""
    for module in job.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0

    def hook(*_: object) -> None:
        if job.model.training:
            act()

    job.model.register_forward_hook(hook)


def test_a_played_step_trains_like_one_that_runs(tiny_model: Path) -> None:
    """Losses and weights are equal bit for bit, and most steps were played."""
    plain_job, job = _job(tiny_model), _job(tiny_model)
    expected = _train(Step(plain_job), plain_job)
    quick, tape, _ = _recorded(job)
    quick.prepare(_batches(job), EPOCHS)
    assert _train(quick, job) == expected
    for one, other in zip(job.model.parameters(), plain_job.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert tape.num_captured >= 2 + 3 * 2, "the check, and at least two shapes"
    assert tape.num_replayed > 3 * len(expected) // 2


def test_preparing_changes_nothing(tiny_model: Path) -> None:
    """Weights, gradients, the optimizer's state and random generators are those of a run that begins."""
    job = _job(tiny_model)
    before = [parameter.detach().clone() for parameter in job.model.parameters()]
    quick, _, step = _recorded(job)
    drawn = torch.get_rng_state()
    quick.prepare(_batches(job), EPOCHS)
    assert all(torch.equal(one, other) for one, other in zip(before, job.model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in job.model.parameters())
    assert step.optimizer.param_groups[0]["lr"] == job.protocol.learning_rate
    for state in step.optimizer.state.values():
        assert not any(tensor.any() for tensor in state.values()), "no step was made"
    assert torch.equal(drawn, torch.get_rng_state())


def test_shapes_that_come_often_are_recorded_and_the_largest_runs_once_as_it_comes(tiny_model: Path) -> None:
    """What memory the largest step asks for is seen in training."""
    job = _job(tiny_model)
    shapes = _batches(job).shapes(EPOCHS)
    often = [shape for shape in shapes if shape.num_batches >= 3]
    assert len(often) > 0
    assert sum(shape.num_batches for shape in shapes) == EPOCHS * len(_batches(job))
    quick, tape, step = _recorded(job)
    quick.prepare(_batches(job), EPOCHS)
    assert tape.num_captured == 2 + 3 * len(often)
    largest = max(
        (_batches(job).batch(shape.sentences) for shape in shapes), key=lambda batch: batch["input_ids"].numel()
    )
    played = tape.num_replayed
    quick.load(largest)
    quick.forward()
    assert tape.num_replayed == played
    step.job.clear_gradients(step.parameters)


def test_a_recording_that_plays_something_else_is_refused(tiny_model: Path) -> None:
    """A recording is compared with what the model computes for other sentences."""
    job = _job(tiny_model)
    step = Step(job)

    class Deaf(FakeCapture):
        def capture(self, phase: Callable[[], object]) -> Callable[[], None]:
            super().capture(phase)
            return lambda: None  # what was recorded stays as it was, whatever the inputs

    with pytest.raises(NotCapturableError, match="differs by"):
        CapturedStep(step, Deaf()).prepare(_batches(job), EPOCHS)


def test_what_recording_raises_is_told(tiny_model: Path) -> None:
    """The model's own error is told, not the one that follows from it."""
    job = _job(tiny_model)
    step = Step(job)

    class Broken(FakeCapture):
        def capture(self, _: Callable[[], object]) -> Callable[[], None]:
            try:
                raise RuntimeError("the model waits for the device\nin its mask")
            finally:
                raise RuntimeError("capture was invalidated")  # as CUDA's does

    quick = CapturedStep(step, Broken())
    with pytest.raises(NotCapturableError, match=r"^the model waits for the device$"):
        quick.prepare(_batches(job), EPOCHS)
    quick.release()
    plain_job = _job(tiny_model)
    assert _train(quick, job) == _train(Step(plain_job), plain_job), "and it trains as it comes"


@pytest.mark.parametrize("draw", [lambda: torch.rand(1), random.random, np.random.random])
def test_models_that_draw_on_the_processor_are_refused(tiny_model: Path, draw: Callable[[], Any]) -> None:
    """A recording would play the same draw again and again."""
    job = _job(tiny_model, dropout=True)
    _in_training(job, draw)
    quick, tape, _ = _recorded(job)
    with pytest.raises(NotCapturableError, match="random numbers"):
        quick.prepare(_batches(job), EPOCHS)
    assert tape.num_captured == 0


def test_models_whose_buffers_change_are_refused(tiny_model: Path) -> None:
    """Running statistics are refused, and stay as they were."""
    job = _job(tiny_model, dropout=True)
    job.model.register_buffer("steps", torch.zeros(()))
    _in_training(job, lambda: job.model.steps.add_(1))  # type: ignore[operator]
    quick, _, _ = _recorded(job)
    with pytest.raises(NotCapturableError, match="buffers"):
        quick.prepare(_batches(job), EPOCHS)
    assert float(job.model.steps) == 0  # type: ignore[arg-type]


def test_models_that_count_their_passes_are_refused(tiny_model: Path) -> None:
    """A recording would play the first pass again and again."""
    job = _job(tiny_model, dropout=True)
    job.model.passes = 0  # type: ignore[assignment]
    _in_training(job, lambda: setattr(job.model, "passes", job.model.passes + 1))  # type: ignore[operator]
    quick, _, _ = _recorded(job)
    with pytest.raises(NotCapturableError, match="attributes"):
        quick.prepare(_batches(job), EPOCHS)


def test_few_steps_are_not_worth_a_recording(tiny_model: Path) -> None:
    """A shape that comes a few times only runs as it comes, or is played with the same outcome."""
    job = _job(tiny_model, num=6)
    quick, tape, _ = _recorded(job)
    quick.prepare(_batches(job), EPOCHS)
    plain_job = _job(tiny_model, num=6)
    assert _train(quick, job) == _train(Step(plain_job), plain_job)
    assert EPOCHS * len(_batches(job)) == EPOCHS
    assert tape.num_captured in (0, 2 + 3)


def test_steps_on_a_cpu_are_not_captured(tiny_model: Path) -> None:
    """Steps are captured on a GPU only."""
    job = _job(tiny_model)
    step = Step(job)
    with graphs.captured_if_faster(step, job.batches(), EPOCHS, on_capture=pytest.fail) as fastest:
        assert fastest is step
