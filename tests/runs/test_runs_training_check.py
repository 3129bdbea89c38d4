"""Checks of a training from outside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cached_runs import cached_run
from freezebench.models.load import load_model
from freezebench.runs.experiment import run
from freezebench.runs.training_check import check_batches, check_times, seed_note
from freezebench.runs.weights import UnsoundRunError
from freezebench.specs.run import Protocol
from freezebench.strategies.freeze import Applied
from freezebench.training.batches.encoding import encode
from freezebench.training.engines.job import Job


@pytest.fixture
def job(tiny_model: Path) -> Job:
    """A job of 40 sentences in 5 batches."""
    from freezebench.data.splits import Split
    from tiny import sentences, trainable_names

    model, tokenizer = load_model(str(tiny_model))
    texts, labels = zip(*sentences(40, 2, 0), strict=True)
    train = encode(Split(texts=tuple((text,) for text in texts), labels=labels), tokenizer, model, 32)
    protocol = Protocol(batch_size=8)
    unused: Any = None
    return Job(
        model=model,
        tokenizer=tokenizer,
        train=train,
        protocol=protocol,
        precision="float32",
        seed=1,
        names=trainable_names(model),
        epochs=range(protocol.num_epochs),
        evaluate=unused,
    )


def test_batches_of_training_sentences_pass(job: Job) -> None:
    """Each row is a training sentence with its label, and another seed has another order."""
    assert check_batches(job, job.train) == ()


def test_other_sentences_and_labels_are_found(job: Job) -> None:
    """A batch of what is not in the training split, or has another label there."""
    flipped = tuple({**example, "labels": 1 - example["labels"]} for example in job.train.examples)
    for other in (replace(job.train, examples=flipped), replace(job.train, examples=job.train.examples[:1])):
        with pytest.raises(UnsoundRunError, match="a batch does not consist of training sentences"):
            check_batches(job, other)


def test_one_order_for_all_seeds_is_named(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """With so few batches that chance may be the reason, nothing is said."""
    order = Job._order
    monkeypatch.setattr(Job, "_order", lambda self: order(replace(self, seed=1)))
    (warning,) = check_batches(job, job.train)
    assert warning.startswith("every seed trains on the sentences in the same order")
    few = replace(job, protocol=Protocol(batch_size=20))
    assert check_batches(few, few.train) == ()


def _result(train_s: float) -> Any:
    return SimpleNamespace(step_s=(0.4, 0.6), train_s=train_s)


@pytest.mark.parametrize(
    ("train_s", "window_s", "message"),
    [
        (0.5, 1.1, "all steps took 1.0000 s, training 0.5000 s"),
        (0.0, 1.1, "all steps took 1.0000 s, training 0.0000 s"),
        (2.0, 1.1, "training took 2.0000 s, the windows of the meters 1.1000 s"),
    ],
)
def test_times_have_to_fit_into_each_other(train_s: float, window_s: float, message: str) -> None:
    """Steps into training, training into the windows of the meters."""
    with pytest.raises(UnsoundRunError, match=message):
        check_times(_result(train_s), window_s)


def test_a_pause_between_steps_is_no_contradiction() -> None:
    """Other programs may have run meanwhile; clocks differ a little."""
    check_times(_result(3.0), 9.0)
    check_times(_result(0.999), 0.998)


def test_a_seed_that_loading_has_set_is_named() -> None:
    """A factory that seeds torch gives every seed the same head."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        assert seed_note(5) == ()
        (warning,) = seed_note(6)
    assert warning == "loading the model set torch's seed to 5: every seed may start from the same head"


def test_frozen_parts_in_train_mode_are_found_without_the_code_that_chooses_them(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their names follow from the id of the freeze spec, too."""
    monkeypatch.setattr(Applied, "frozen_names", lambda *_: frozenset())
    spec = cached_run(tiny_model, tiny_data, freeze="emb+L0")
    record = run(replace(spec, protocol=replace(spec.protocol, dropout=True)))
    assert record.cause == "not_as_specified"
    assert "trained in train mode, with dropout; the protocol has it in eval mode" in (record.reason or "")
