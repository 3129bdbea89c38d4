"""Captured steps train like eager ones; a fake capture on the CPU replaces CUDA steps."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fake_graph import FakeCapture
from freezebench.data.splits import Split
from freezebench.models.load import load_model
from freezebench.specs.names import TASKS, TaskName
from freezebench.specs.run import Protocol
from freezebench.strategies.freeze import set_trainable
from freezebench.training.batches.encoding import encode
from freezebench.training.batches.loader import FeedLoader
from freezebench.training.batches.packed import PackedSplit
from freezebench.training.capture import steps
from freezebench.training.capture.preconditions import NotCapturableError
from freezebench.training.capture.steps import CapturedStep
from freezebench.training.engines.job import Job
from freezebench.training.engines.optimizer import make_optimizer
from freezebench.training.engines.step import Step
from freezebench.training.prefix.feed import Feed
from task_data import NAMES, split
from tiny import sentences, trainable_names

EPOCHS = 4


def _job(folder: Path, num: int = 60, task: TaskName = "sequence-classification", **protocol: Any) -> Job:
    torch.manual_seed(0)
    model: Any
    model, tokenizer = load_model(str(folder), len(NAMES[task]), task=task)
    for parameter in model.distilbert.embeddings.parameters():
        parameter.requires_grad = False
    if task == "sequence-classification":
        texts, labels = zip(*sentences(num, 2, 0), strict=True)
        data = Split(texts=tuple((text,) for text in texts), labels=labels)
    else:
        data = split(task, num)
    train = encode(data, tokenizer, model, 32)
    return Job(
        model=model,
        tokenizer=tokenizer,
        train=train,
        protocol=Protocol(num_epochs=EPOCHS, batch_size=8, learning_rate=1e-2, **{"dropout": False, **protocol}),
        precision="float32",
        seed=3,
        names=trainable_names(model),
        epochs=range(EPOCHS),
        evaluate=lambda: pytest.fail("no evaluation is expected"),
        feed=Feed(model, {"train": PackedSplit(train, tokenizer)}),
    )


def _step(job: Job) -> Step:
    return Step(job, make_optimizer([job]))


def _batches(job: Job) -> FeedLoader:
    batches = job.batches()
    assert isinstance(batches, FeedLoader)
    return batches


def _train(step: Step | CapturedStep, job: Job) -> list[float]:
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


def _captured(job: Job) -> tuple[CapturedStep, FakeCapture, Step]:
    step = _step(job)
    capture = FakeCapture()
    return CapturedStep(step, capture), capture, step


def _in_training(job: Job, act: Callable[[], object]) -> None:
    """Call a function in every forward pass in train mode, without any other random numbers."""
    for module in job.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0

    forward = job.model.forward

    def acting(*args: object, **kwargs: object) -> object:
        if job.model.training:
            act()
        return forward(*args, **kwargs)

    job.model.forward = acting


@pytest.mark.parametrize("task", TASKS)
def test_replayed_steps_train_like_eager_ones(tiny_model: Path, task: TaskName) -> None:
    """Losses and weights are equal bit for bit, and most steps were replayed."""
    eager_job, job = _job(tiny_model, task=task), _job(tiny_model, task=task)
    expected = _train(_step(eager_job), eager_job)
    captured, capture, _ = _captured(job)
    captured.prepare(_batches(job), range(EPOCHS))
    assert _train(captured, job) == expected
    for parameter, other in zip(job.model.parameters(), eager_job.model.parameters(), strict=True):
        assert torch.equal(parameter, other)
    assert capture.num_captured >= 2 + 3 * 2, "the check, and at least two shapes"
    assert capture.num_replayed > 3 * len(expected) // 2


def test_a_later_stage_is_captured_with_the_state_of_the_earlier_one(tiny_model: Path) -> None:
    """Moments and counts of steps of what has trained before stay; what is new begins with its first step."""
    losses = {}
    for is_captured in (False, True):
        whole = _job(tiny_model)
        head = replace(whole, names=frozenset(name for name in whole.names if "distilbert" not in name))
        optimizer = make_optimizer([head, whole])
        set_trainable(head.model, head.names)
        losses[is_captured] = _train(Step(head, optimizer), head)
        set_trainable(whole.model, whole.names)
        eager = Step(whole, optimizer)
        step: Step | CapturedStep = eager
        if is_captured:
            states = optimizer.state.items()
            before = {item: {name: tensor.clone() for name, tensor in state.items()} for item, state in states}
            step = CapturedStep(eager, FakeCapture())
            step.prepare(_batches(whole), range(EPOCHS))
            assert 0 < len(before) < len(optimizer.state)
            for item, state in states:
                for name, tensor in state.items():
                    assert torch.equal(tensor, before[item][name] if item in before else torch.zeros_like(tensor))
        losses[is_captured] += _train(step, whole)
    assert losses[True] == losses[False]


def test_preparation_changes_nothing(tiny_model: Path) -> None:
    """Weights, gradients, optimizer state and random generators are those before the first step."""
    job = _job(tiny_model)
    before = [parameter.detach().clone() for parameter in job.model.parameters()]
    captured, _, step = _captured(job)
    drawn = torch.get_rng_state()
    captured.prepare(_batches(job), range(EPOCHS))
    assert all(torch.equal(left, right) for left, right in zip(before, job.model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in job.model.parameters())
    assert step.optimizer.param_groups[0]["lr"] == job.protocol.learning_rate
    for state in step.optimizer.state.values():
        assert not any(tensor.any() for tensor in state.values()), "no step was made"
    assert torch.equal(drawn, torch.get_rng_state())


def test_frequent_shapes_are_captured_and_the_largest_runs_once_eagerly(tiny_model: Path) -> None:
    """The memory that the largest step allocates shows in training."""
    job = _job(tiny_model)
    shapes = _batches(job).shapes(range(EPOCHS))
    often = [shape for shape in shapes if shape.num_batches >= 3]
    assert len(often) > 0
    assert sum(shape.num_batches for shape in shapes) == EPOCHS * len(_batches(job))
    captured, capture, step = _captured(job)
    captured.prepare(_batches(job), range(EPOCHS))
    assert capture.num_captured == 2 + 3 * len(often)
    largest = max(
        (_batches(job).batch(shape.sentences) for shape in shapes), key=lambda batch: batch["input_ids"].numel()
    )
    replayed = capture.num_replayed
    captured.load(largest)
    captured.forward()
    assert capture.num_replayed == replayed
    step.job.clear_gradients(step.parameters)


def test_a_capture_with_other_results_is_refused(tiny_model: Path) -> None:
    """The replay is compared with what the model computes for other sentences."""
    job = _job(tiny_model)
    step = _step(job)

    class Constant(FakeCapture):
        def capture(self, phase: Callable[[], object]) -> Callable[[], None]:
            super().capture(phase)
            return lambda: None  # the results stay the same, whatever the inputs

    with pytest.raises(NotCapturableError, match="differs by"):
        CapturedStep(step, Constant()).prepare(_batches(job), range(EPOCHS))


def test_errors_of_a_capture_give_the_reason(tiny_model: Path) -> None:
    """The message is the model's own error, not the one that follows from it."""
    job = _job(tiny_model)
    step = _step(job)

    class Broken(FakeCapture):
        def capture(self, _: Callable[[], object]) -> Callable[[], None]:
            try:
                raise RuntimeError("the model synchronizes with the device\nin its mask")
            finally:
                raise RuntimeError("capture was invalidated")  # as CUDA's does

    captured = CapturedStep(step, Broken())
    with pytest.raises(NotCapturableError, match=r"^the model synchronizes with the device$"):
        captured.prepare(_batches(job), range(EPOCHS))
    captured.release()
    eager_job = _job(tiny_model)
    assert _train(captured, job) == _train(_step(eager_job), eager_job), "and it trains eagerly"


@pytest.mark.parametrize("draw", [lambda: torch.rand(1), random.random, np.random.random])
def test_models_that_draw_random_numbers_on_the_processor_are_refused(
    tiny_model: Path, draw: Callable[[], object]
) -> None:
    """Every replay would have the same numbers."""
    job = _job(tiny_model, dropout=True)
    _in_training(job, draw)
    captured, capture, _ = _captured(job)
    with pytest.raises(NotCapturableError, match="random numbers"):
        captured.prepare(_batches(job), range(EPOCHS))
    assert capture.num_captured == 0


def test_models_whose_buffers_change_are_refused(tiny_model: Path) -> None:
    """Running statistics prevent a capture, and are restored."""
    job = _job(tiny_model, dropout=True)
    job.model.register_buffer("steps", torch.zeros(()))
    _in_training(job, lambda: job.model.steps.add_(1))  # type: ignore[operator]
    captured, _, _ = _captured(job)
    with pytest.raises(NotCapturableError, match="buffers"):
        captured.prepare(_batches(job), range(EPOCHS))
    assert float(job.model.steps) == 0  # type: ignore[arg-type]


def test_models_that_count_their_passes_are_refused(tiny_model: Path) -> None:
    """A replay would not increment the counter."""
    job = _job(tiny_model, dropout=True)
    job.model.passes = 0  # type: ignore[assignment]
    _in_training(job, lambda: setattr(job.model, "passes", job.model.passes + 1))  # type: ignore[operator]
    captured, _, _ = _captured(job)
    with pytest.raises(NotCapturableError, match="attributes"):
        captured.prepare(_batches(job), range(EPOCHS))


def test_rare_shapes_run_eagerly(tiny_model: Path) -> None:
    """The losses are the same."""
    job = _job(tiny_model, num=6)
    captured, capture, _ = _captured(job)
    captured.prepare(_batches(job), range(EPOCHS))
    eager_job = _job(tiny_model, num=6)
    assert _train(captured, job) == _train(_step(eager_job), eager_job)
    assert EPOCHS * len(_batches(job)) == EPOCHS
    assert capture.num_captured in (0, 2 + 3)


def test_steps_on_a_cpu_are_not_captured(tiny_model: Path) -> None:
    """Steps are captured on a GPU only."""
    job = _job(tiny_model)
    step = _step(job)
    with steps.captured_if_faster(step, job.batches(), range(EPOCHS), on_capture=pytest.fail) as fastest:
        assert fastest is step
