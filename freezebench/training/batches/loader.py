"""The cached engine's training batches, epoch by epoch."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

    from freezebench.training.batches.batching import Batch
    from freezebench.training.batches.packed import BucketedBatches
    from freezebench.training.prefix.feed import Feed


class BatchShape(NamedTuple):
    """A shape that batches have.

    Attributes:
        num_batches: How many batches have it.
        num_positions: Positions of such a batch, padding included.
        indices: The sentences of one of them.
    """

    num_batches: int
    num_positions: int
    indices: torch.Tensor


class FeedLoader:
    """The training batches of an epoch, to be iterated once per epoch."""

    def __init__(self, feed: Feed, order: BucketedBatches) -> None:
        self._feed, self._order, self._epoch = feed, order, 0

    @property
    def first_only(self) -> bool:
        """Whether batches are of one vector per sentence, behind all layers."""
        return self._feed.first_only

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, that the next iteration yields."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._order)

    def shapes(self, num_epochs: int) -> list[BatchShape]:
        """Return the shapes of so many epochs' batches, the most frequent first."""
        found: dict[tuple[int, int], list[torch.Tensor]] = {}
        for epoch in range(num_epochs):
            for indices in self._order.epoch(epoch):
                found.setdefault((len(indices), self._feed.width("train", indices)), []).append(indices)
        shapes = [BatchShape(len(those), num * width, those[0]) for (num, width), those in found.items()]
        return sorted(shapes, key=lambda shape: shape.num_batches, reverse=True)

    def typical(self) -> Batch:
        """Return the batch of the first epoch that has about as many positions as they have on average."""
        order = self._order.epoch(0)
        return self.batch(order[nearest_to_mean([len(one) * self._feed.width("train", one) for one in order])])

    def batch(self, indices: torch.Tensor) -> Batch:
        """Return the batch of some training sentences."""
        return self._feed.batch("train", indices)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.batch, self._order.epoch(self._epoch))


def nearest_to_mean(sizes: Sequence[int]) -> int:
    """Return the place of the first of those numbers that are nearest to the mean of all."""
    mean = statistics.fmean(sizes)
    return min(range(len(sizes)), key=lambda place: abs(sizes[place] - mean))
