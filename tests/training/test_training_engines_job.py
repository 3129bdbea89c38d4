"""The job: its training batches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cached_runs import PROTOCOL, feed_of, frozen_model
from freezebench.data.splits import Split
from freezebench.records.run_record import Evaluation
from freezebench.specs.run import Engine, OrderOfBatches
from freezebench.training.batches.encoding import encode
from freezebench.training.batches.packed import PackedSplit
from freezebench.training.engines.job import Job
from tiny import sentences, trainable_names


def _labels(model: Path, freeze: str, engine: Engine, order: OrderOfBatches | None) -> list[list[int]]:
    """Return the labels of the batches of one epoch."""
    frozen, tokenizer = frozen_model(model, freeze)
    texts, labels = zip(*sentences(90, 2, 0), strict=True)
    train = encode(Split(texts=tuple((text,) for text in texts), labels=labels), tokenizer, frozen, 32)
    feed = None
    if engine == "cached":
        packed = {"train": PackedSplit(train, tokenizer)}
        feed = feed_of(frozen, freeze, packed)
        assert feed.cls_only is (freeze == "emb+L0-1")
    job = Job(
        model=frozen,
        tokenizer=tokenizer,
        train=train,
        protocol=replace(PROTOCOL, engine=engine, batch_order=order),
        precision="float32",
        seed=3,
        names=trainable_names(frozen),
        epochs=range(PROTOCOL.num_epochs),
        evaluate=lambda: Evaluation(loss=0.0, accuracy=0.0, f1=0.0),
        feed=feed,
    )
    return [batch["labels"].tolist() for batch in job.batches()]


@pytest.mark.parametrize("order", ["bucketed", "shuffled"])
def test_all_engines_and_configurations_see_the_same_batches(order: OrderOfBatches, tiny_model: Path) -> None:
    """Also where one vector per sentence is left, so that no configuration gains by the order of batches."""
    torch.set_num_threads(1)
    expected = _labels(tiny_model, "none", "standard", order)
    assert [len(batch) for batch in expected] == [8] * 11 + [2]
    assert _labels(tiny_model, "none", "cached", order) == expected
    assert _labels(tiny_model, "emb+L0-1", "cached", order) == expected


def test_the_order_is_the_engines_unless_it_is_given(tiny_model: Path) -> None:
    """As the mode of the frozen part is."""
    bucketed, shuffled = (_labels(tiny_model, "none", "standard", order) for order in ("bucketed", "shuffled"))
    assert bucketed != shuffled
    assert _labels(tiny_model, "none", "cached", None) == bucketed
    assert _labels(tiny_model, "none", "standard", None) == shuffled
