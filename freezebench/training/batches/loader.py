"""Training batches, epoch by epoch: of padded examples, or of a feed."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple, Protocol

from torch.utils.data import DataLoader, Sampler

from freezebench.training.batches.encoding import Example, collator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import torch
    from transformers import PreTrainedTokenizerBase

    from freezebench.training.batches.encoding import Batch, Encoded
    from freezebench.training.batches.order import BatchOrder


class EpochLoader(DataLoader[Example]):
    """A data loader of padded batches whose order depends on the epoch; ``standard`` and ``trainer`` use it."""

    def __init__(self, data: Encoded, order: BatchOrder, tokenizer: PreTrainedTokenizerBase) -> None:
        self._data, self._epoch_batches = data, _EpochBatches(order)
        super().__init__(data.examples, batch_sampler=self._epoch_batches, collate_fn=collator(tokenizer, data.task))  # type: ignore[arg-type]

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, that the next iteration yields."""
        self._epoch_batches.number = epoch

    def average_batch(self) -> Batch:
        """Return the batch of the epoch whose number of positions is nearest to the mean."""
        batches = list(self._epoch_batches)
        sizes = [len(batch) * int(self._data.lengths[batch].max()) for batch in batches]
        batch: Batch = self.collate_fn([self._data.examples[number] for number in batches[nearest_to_mean(sizes)]])
        return batch


class _EpochBatches(Sampler[list[int]]):
    """The batches of one epoch of an order, as a data loader takes them.

    Attributes:
        number: The epoch, counted from 0.
    """

    def __init__(self, order: BatchOrder) -> None:
        self._order, self.number = order, 0

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[list[int]]:
        return (batch.tolist() for batch in self._order.epoch(self.number))


class BatchSource(Protocol):
    """Makes the batch of given sentences of a split."""

    def batch(self, split: str, sentences: torch.Tensor) -> Batch:
        """Return one padded batch."""
        ...

    def width(self, split: str, sentences: torch.Tensor) -> int:
        """Return the number of positions per sentence of that batch."""
        ...


class BatchShape(NamedTuple):
    """A shape of batches.

    Attributes:
        num_batches: How many batches have it.
        num_positions: Positions of such a batch, padding included.
        sentences: The sentence numbers of one of them.
    """

    num_batches: int
    num_positions: int
    sentences: torch.Tensor


class FeedLoader:
    """The training batches of a feed; one iteration yields one epoch."""

    def __init__(self, feed: BatchSource, order: BatchOrder) -> None:
        self._feed, self._order, self._epoch = feed, order, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, that the next iteration yields."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._order)

    def shapes(self, epochs: Iterable[int]) -> list[BatchShape]:
        """Return the shapes of the batches of some epochs, counted from 0, the most frequent first."""
        # All orders are drawn in advance: they depend on seed and epoch alone.
        by_size: dict[tuple[int, int], list[torch.Tensor]] = {}
        for epoch in epochs:
            for sentences in self._order.epoch(epoch):
                size = (len(sentences), self._feed.width("train", sentences))
                by_size.setdefault(size, []).append(sentences)
        shapes = [BatchShape(len(batches), num * width, batches[0]) for (num, width), batches in by_size.items()]
        return sorted(shapes, key=lambda shape: shape.num_batches, reverse=True)

    def average_batch(self) -> Batch:
        """Return the batch of the first epoch whose number of positions is nearest to the mean."""
        order = self._order.epoch(0)
        sizes = [len(sentences) * self._feed.width("train", sentences) for sentences in order]
        return self.batch(order[nearest_to_mean(sizes)])

    def batch(self, sentences: torch.Tensor) -> Batch:
        """Return the batch of some training sentences."""
        return self._feed.batch("train", sentences)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.batch, self._order.epoch(self._epoch))


def nearest_to_mean(sizes: Sequence[int]) -> int:
    """Return the index of the first number that is nearest to the mean of all."""
    mean = statistics.fmean(sizes)
    return min(range(len(sizes)), key=lambda index: abs(sizes[index] - mean))
