"""The order of batches in every epoch."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from freezebench.training.batches.order import BucketedBatches, ShuffledBatches, batches_by_tokens

_NUM_EPOCHS = 6


def _bucketed(lengths: torch.Tensor, batch_size: int, seed: int, labels: torch.Tensor | None = None) -> BucketedBatches:
    """Return the order of sentences whose labels are independent of their lengths unless they are given."""
    if labels is None:
        labels = torch.randint(0, 2, (len(lengths),), generator=torch.Generator().manual_seed(1))
    return BucketedBatches(lengths, labels, batch_size, seed)


@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 2**31), st.integers(0, 20), st.integers(1, 5))
def test_every_sentence_comes_once_an_epoch(num: int, batch_size: int, seed: int, epoch: int, num_labels: int) -> None:
    """Batches are a partition, all but the last of full size, and depend on seed and epoch alone."""
    generator = torch.Generator().manual_seed(num)
    lengths = torch.randint(3, 60, (num,), generator=generator)
    labels = torch.randint(0, num_labels, (num,), generator=generator)
    for order in (ShuffledBatches(num, batch_size, seed), BucketedBatches(lengths, labels, batch_size, seed)):
        batches = order.epoch(epoch)
        assert sorted(torch.cat(list(batches)).tolist()) == list(range(num))
        assert len(batches) == len(order)
        assert all(len(batch) == batch_size for batch in batches[:-1])
        assert [batch.tolist() for batch in order.epoch(epoch)] == [batch.tolist() for batch in batches]


def test_epochs_and_seeds_differ_in_order() -> None:
    """No order of one seed is that of another seed at another epoch."""
    lengths = torch.randint(3, 60, (50,), generator=torch.Generator().manual_seed(0))
    for make in (lambda seed: ShuffledBatches(50, 10, seed), lambda seed: _bucketed(lengths, 10, seed)):
        orders = {
            tuple(torch.cat(list(order.epoch(epoch))).tolist()) for order in map(make, range(4)) for epoch in range(4)
        }
        assert len(orders) == 16


def _padded(lengths: torch.Tensor, batches: Sequence[torch.Tensor]) -> float:
    """Return the positions of some batches, padding included, relative to their tokens."""
    return sum(int(lengths[batch].max()) * len(batch) for batch in batches) / int(lengths.sum())


def test_batches_differ_by_epoch_with_little_padding() -> None:
    """With many sentences per length there is almost none; sentences of rare lengths meet others in each epoch."""
    generator = torch.Generator().manual_seed(0)
    many, few = (torch.randint(3, 60, (number,), generator=generator) for number in (8000, 500))
    assert _padded(many, _bucketed(many, 32, 7).epoch(0)) < 1.05
    for lengths in (many, few):
        order = _bucketed(lengths, 32, 7)
        mates = [{frozenset(batch.tolist()) for batch in order.epoch(epoch)} for epoch in range(2)]
        assert not mates[0] & mates[1]
    as_they_come = torch.split(torch.arange(500), 32)
    assert _padded(few, as_they_come) > 1.5
    assert _padded(few, _bucketed(few, 32, 7).epoch(0)) < 1.25


def _label_entropy(labels: torch.Tensor, batches: Sequence[torch.Tensor]) -> float:
    """Return the mean entropy of the labels of some batches, in nats."""
    shares = [torch.bincount(labels[batch]) / len(batch) for batch in batches]
    return sum(float(torch.special.entr(share).sum()) for share in shares) / len(shares)


@pytest.mark.parametrize(("spread", "saved"), [(0, 0.0), (8, 0.25), (20, 0.5)])
def test_batches_of_like_length_are_not_of_like_label(spread: int, saved: float) -> None:
    """However much length says of the label. What it says beyond that decides how much padding is saved."""
    labels = torch.arange(600) % 6
    noise = torch.randint(0, spread + 1, (600,), generator=torch.Generator().manual_seed(0))
    lengths = 5 + 2 * labels + noise
    shuffled = ShuffledBatches(600, 16, 3)
    bucketed = _bucketed(lengths, 16, 3, labels)
    for epoch in range(_NUM_EPOCHS):
        batches, random = bucketed.epoch(epoch), shuffled.epoch(epoch)
        assert _label_entropy(labels, batches[:-1]) >= _label_entropy(labels, random[:-1])
        assert _padded(lengths, batches) - 1 < (1.1 - saved) * (_padded(lengths, random) - 1)


def test_each_label_keeps_its_share_in_every_batch() -> None:
    """Of two labels, one of which is rare, no batch has more than two sentences beyond or below the share."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(960, generator=generator) < 0.25).long()
    lengths = torch.randint(3, 30, (960,), generator=generator) + 20 * labels
    share = float(labels.float().mean())
    for epoch in range(_NUM_EPOCHS):
        for batch in _bucketed(lengths, 32, 0, labels).epoch(epoch):
            assert abs(int(labels[batch].sum()) - 32 * share) <= 3


def test_the_incomplete_batch_comes_last_and_has_any_length() -> None:
    """Its sentences weigh more in the mean loss: they are not the longest ones in every epoch."""
    lengths = torch.arange(3, 163).repeat(21)[: 32 * 100 + 5]
    order = _bucketed(lengths, 32, 0)
    epochs = [order.epoch(epoch) for epoch in range(8)]
    assert {len(batches[-1]) for batches in epochs} == {5}
    assert len({int(lengths[batches[-1]].max()) for batches in epochs}) > 4
    assert {len(batch) for batch in _bucketed(lengths[:3200], 32, 0).epoch(0)} == {32}


def test_full_batches_come_in_random_order() -> None:
    """Short sentences do not come before long ones."""
    lengths = torch.arange(3, 163).repeat(20)
    longest = [int(lengths[batch].max()) for batch in _bucketed(lengths, 32, 0).epoch(0)]
    first, last = longest[: len(longest) // 2], longest[len(longest) // 2 :]
    assert min(first) < max(last)
    assert abs(sum(first) / len(first) - sum(last) / len(last)) < 30


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80), st.integers(1, 300))
def test_evaluation_batches_depend_on_lengths_alone(lengths: list[int], num_tokens: int) -> None:
    """They are a partition by ascending length, and none but a single sentence exceeds the limit."""
    batches = batches_by_tokens(torch.tensor(lengths), num_tokens)
    order = torch.cat(batches).tolist()
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[number] for number in order] == sorted(lengths)
    assert all(len(batch) == 1 or len(batch) * lengths[int(batch[-1])] <= num_tokens for batch in batches)
