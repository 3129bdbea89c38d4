"""Loaders of training batches."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoTokenizer

from cached_runs import feed_of, frozen_model
from freezebench.training.batches.encoding import Encoded
from freezebench.training.batches.loader import EpochLoader, FeedLoader, nearest_to_mean
from freezebench.training.batches.order import ShuffledBatches
from tiny import packed_splits


def test_the_average_batch_is_nearest_to_the_mean_size(tiny_model: Path) -> None:
    """The first batch may have the shortest sentences or the longest."""
    assert nearest_to_mean([1, 9, 6, 4, 5]) == 4
    model, tokenizer = frozen_model(tiny_model, "none")
    splits = packed_splits(model, tokenizer)
    feed = feed_of(model, "none", splits)
    batches = FeedLoader(feed, ShuffledBatches(len(splits["train"]), 4, 0))
    sizes = [batch["input_ids"].numel() for batch in batches]
    assert batches.average_batch()["input_ids"].numel() == sizes[nearest_to_mean(sizes)] != sizes[0]


def test_the_loader_yields_the_batches_of_its_order(tiny_model: Path) -> None:
    """Each epoch has its own, and the average batch is one of them."""
    lengths = [4, 9, 6, 5, 12, 7, 4, 8, 3]
    examples = tuple({"input_ids": [5] * length, "labels": number} for number, length in enumerate(lengths))
    data = Encoded(examples=examples, labels=tuple(range(len(lengths))))
    order = ShuffledBatches(len(data), 2, 0)
    loader = EpochLoader(data, order, AutoTokenizer.from_pretrained(tiny_model))
    for epoch in (0, 1):
        loader.set_epoch(epoch)
        assert [batch["labels"].tolist() for batch in loader] == [batch.tolist() for batch in order.epoch(epoch)]
        sizes = [batch["input_ids"].numel() for batch in loader]
        assert loader.average_batch()["input_ids"].numel() == sizes[nearest_to_mean(sizes)]
    assert torch.equal(data.lengths, torch.tensor(lengths))
