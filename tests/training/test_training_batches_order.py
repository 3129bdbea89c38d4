"""The order of batches in every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st

from cached_runs import frozen_model
from freezebench.specs.freeze import FreezeSpec
from freezebench.training.batches.order import BucketedBatches, ShuffledBatches
from freezebench.training.engines.cached import make_feed
from freezebench.training.prefix.cache import PrefixCache
from tiny import packed_splits


@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 2**31), st.integers(0, 20))
def test_every_example_comes_once_an_epoch(num: int, batch_size: int, seed: int, epoch: int) -> None:
    """Batches are a partition, all but the last of full size, and depend on seed and epoch alone."""
    batches = ShuffledBatches(num, batch_size, seed)
    batches.set_epoch(epoch)
    drawn = list(batches)
    assert sorted(index for batch in drawn for index in batch) == list(range(num))
    assert len(drawn) == len(batches)
    assert all(len(batch) == batch_size for batch in drawn[:-1])
    assert list(batches) == drawn


def test_epochs_and_seeds_differ_in_order() -> None:
    """No order of one seed is that of another seed at another epoch."""
    orders = set()
    for seed in range(4):
        batches = ShuffledBatches(50, 50, seed)
        for epoch in range(4):
            batches.set_epoch(epoch)
            orders.add(tuple(next(iter(batches))))
    assert len(orders) == 16


def _padded(lengths: torch.Tensor, batches: Sequence[torch.Tensor]) -> float:
    """Return the positions of some batches, padding included, relative to their tokens."""
    return sum(int(lengths[batch].max()) * len(batch) for batch in batches) / int(lengths.sum())


def test_every_sentence_comes_once_an_epoch() -> None:
    """Orders differ by epoch and seed, the same seed and epoch repeat, and little is padding."""
    lengths = torch.randint(3, 60, (1000,), generator=torch.Generator().manual_seed(0))
    order = BucketedBatches(lengths, 32, 7)
    first = order.epoch(0)
    assert sorted(torch.cat(list(first)).tolist()) == list(range(1000))
    assert len(first) == len(order) == 32
    assert [batch.tolist() for batch in order.epoch(0)] == [batch.tolist() for batch in first]
    assert [batch.tolist() for batch in order.epoch(1)] != [batch.tolist() for batch in first]
    assert [batch.tolist() for batch in BucketedBatches(lengths, 32, 8).epoch(0)] != [batch.tolist() for batch in first]
    assert _padded(lengths, first) < 1.2


def test_batches_differ_by_epoch_with_little_padding() -> None:
    """With many sentences per length there is almost none; sentences of rare lengths meet others in each epoch."""
    generator = torch.Generator().manual_seed(0)
    many, few = (torch.randint(3, 60, (number,), generator=generator) for number in (8000, 500))
    assert _padded(many, BucketedBatches(many, 32, 7).epoch(0)) < 1.02
    for lengths in (many, few):
        order = BucketedBatches(lengths, 32, 7)
        mates = [{frozenset(batch.tolist()) for batch in order.epoch(epoch)} for epoch in range(2)]
        assert not mates[0] & mates[1]
    as_they_come = torch.split(torch.arange(500), 32)
    assert _padded(few, BucketedBatches(few, 32, 7).epoch(0)) < 1.5 < _padded(few, as_they_come)


def test_the_incomplete_batch_has_any_length() -> None:
    """Its sentences weigh more in the mean loss: they are not the longest ones in every epoch."""
    lengths = torch.arange(3, 163).repeat(21)[: 32 * 100 + 5]
    order = BucketedBatches(lengths, 32, 0)
    small = [next(batch for batch in order.epoch(epoch) if len(batch) < 32) for epoch in range(8)]
    assert {len(batch) for batch in small} == {5}
    assert len({int(lengths[batch].max()) for batch in small}) > 4
    assert all(sorted(torch.cat([*order.epoch(epoch)]).tolist()) == list(range(len(lengths))) for epoch in range(2))
    assert {len(batch) for batch in BucketedBatches(lengths[:3200], 32, 0).epoch(0)} == {32}


def test_behind_a_prefix_of_all_layers_any_sentences_meet(tiny_model: Path) -> None:
    """All sentences have one position there, so that nothing is sorted."""
    order = BucketedBatches(torch.ones(1000, dtype=torch.int64), 32, 0)
    assert all(0 < int((batch < 500).sum()) < len(batch) for batch in order.epoch(0))
    model, tokenizer = frozen_model(tiny_model, "emb+L0-1")
    splits = packed_splits(model, tokenizer)
    feed = make_feed(model, FreezeSpec.parse("emb+L0-1"), splits, PrefixCache(), precision="float32")
    lengths = torch.ones_like(splits["train"].lengths)
    assert feed.cls_only
    with feed:
        for batch, indices in zip(feed.epochs(8, 0), BucketedBatches(lengths, 8, 0).epoch(0), strict=True):
            assert torch.equal(batch["labels"], splits["train"].labels[indices])
