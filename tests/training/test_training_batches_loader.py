"""Loaders of training batches."""

from __future__ import annotations

from pathlib import Path

from cached_runs import frozen_model
from freezebench.specs.freeze import FreezeSpec
from freezebench.training.batches.loader import nearest_to_mean
from freezebench.training.engines.cached import make_feed
from freezebench.training.prefix.cache import PrefixCache
from tiny import packed_splits


def test_the_average_batch_is_nearest_to_the_mean_size(tiny_model: Path) -> None:
    """The first batch may have the shortest sentences or the longest."""
    assert nearest_to_mean([1, 9, 6, 4, 5]) == 4
    model, tokenizer = frozen_model(tiny_model, "none")
    splits = packed_splits(model, tokenizer)
    batches = make_feed(model, FreezeSpec.parse("none"), splits, PrefixCache(), precision="float32").epochs(4, 0)
    sizes = [batch["input_ids"].numel() for batch in batches]
    assert batches.average_batch()["input_ids"].numel() == sizes[nearest_to_mean(sizes)] != sizes[0]
