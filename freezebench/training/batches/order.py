"""Which sentences form a batch, and in which order batches come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

# Batches of inference: matrix products are as fast with a quarter of the tokens that a batch may have, so that a batch
# ends there already if the next sentence would make more than 3 % of it padding.
_MIN_FILLED_SHARE = 0.25
_MAX_PADDED_SHARE = 0.03
# Bucketed batches: sorted within two random parts of an epoch, so that a sentence meets others in each epoch.
_NUM_PARTS = 2


class BatchOrder(Protocol):
    """Chooses the batches of every epoch."""

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        ...

    def epoch(self, epoch: int) -> Sequence[torch.Tensor]:
        """Return the batches of an epoch, counted from 0, each a tensor of sentence numbers."""
        ...


class ShuffledBatches:
    """Index batches of every epoch: each sentence once, in an order that depends on seed and epoch alone."""

    def __init__(self, num_sentences: int, batch_size: int, seed: int) -> None:
        self._num_sentences, self._batch_size, self._seed = num_sentences, batch_size, seed

    def __len__(self) -> int:
        return len(range(0, self._num_sentences, self._batch_size))

    def epoch(self, epoch: int) -> Sequence[torch.Tensor]:
        """Return the batches of an epoch, counted from 0, as tensors of sentence numbers; the last may be smaller."""
        return torch.split(torch.randperm(self._num_sentences, generator=self._generator(epoch)), self._batch_size)

    def _generator(self, epoch: int) -> torch.Generator:
        # A large factor, so that one seed at a later epoch is not another seed at an earlier one.
        return torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)


class BucketedBatches(ShuffledBatches):
    """Index batches of every epoch, sentences of similar length together, each label in its usual share.

    Sentences of each label are sorted by length and spread evenly from 0 to 1. Batches are cut from the order of these
    positions. So most of the padding is saved, and a batch has about the labels of the whole data set::

        lengths of label a    3    5    7    9        positions  0.1  0.4  0.6  0.9
        lengths of label b        6        12         positions     0.3     0.8
        batches              [3a   6b   5a] [7a  12b   9a]

    Sorted by length alone, batches would have few labels where length and label are correlated (here, the shortest
    batch would have no b). Their gradients differ more from batch to batch, and short trainings lose accuracy.

    An epoch is sorted in two random parts; otherwise the longest sentences would be together in every epoch. Batches
    come in random order, the incomplete one last as in the shuffled order: a small batch has a noisy gradient. It can
    have any length. Everything depends on training data, seed and epoch alone.
    """

    def __init__(self, lengths: torch.Tensor, labels: torch.Tensor, batch_size: int, seed: int) -> None:
        super().__init__(len(lengths), batch_size, seed)
        self._lengths, self._labels = lengths, labels

    def epoch(self, epoch: int) -> Sequence[torch.Tensor]:
        """Return the batches of an epoch, counted from 0, as tensors of sentence numbers; the last may be smaller."""
        generator = self._generator(epoch)
        order = torch.randperm(self._num_sentences, generator=generator)
        parts = torch.split(order, self._batch_size * math.ceil(len(self) / _NUM_PARTS))
        order = torch.cat([self._sorted(part, generator) for part in parts])
        num_full, rest = divmod(self._num_sentences, self._batch_size)
        sizes, last = [self._batch_size] * num_full, int(torch.randint(num_full + 1, (), generator=generator))
        if rest:
            sizes.insert(last, rest)
        batches = list(torch.split(order, sizes))
        incomplete = [batches.pop(last)] if rest else []
        return [*(batches[number] for number in torch.randperm(num_full, generator=generator).tolist()), *incomplete]

    def _sorted(self, sentences: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return sentences in the order of their ranks by length among those of their label, relative to their number.

        Args:
            sentences: Sentence numbers in random order: those of equal length stay so.
            generator: Decides where a sentence is between two ranks.
        """
        by_length = sentences[self._lengths[sentences].argsort(stable=True)]
        by_label = by_length[self._labels[by_length].argsort(stable=True)]
        _, counts = torch.unique_consecutive(self._labels[by_label], return_counts=True)
        ranks = torch.cat([torch.arange(count) for count in counts.tolist()])
        noise = torch.rand(len(sentences), generator=generator)
        return by_label[((ranks + noise) / counts.repeat_interleave(counts)).argsort()]


def batches_by_tokens(lengths: torch.Tensor, num_tokens: int) -> list[torch.Tensor]:
    """Return batches of sentence numbers by ascending length, each of about ``num_tokens`` tokens with padding.

    A batch ends early where lengths grow so fast that the next sentence would make much of it padding.

    Args:
        lengths: Tokens of each sentence, shape (sentences,).
        num_tokens: Limit of a batch; a longer sentence is a batch by itself.
    """
    order = lengths.argsort(stable=True)
    batches, start, num_real = [], 0, 0
    for end, longest in enumerate(lengths[order].tolist()):
        num_padded = (end + 1 - start) * longest
        num_padding = num_padded - num_real - longest
        is_wasteful = num_real >= num_tokens * _MIN_FILLED_SHARE and num_padding > num_padded * _MAX_PADDED_SHARE
        if end > start and (num_padded > num_tokens or is_wasteful):
            batches.append(order[start:end])
            start, num_real = end, 0
        num_real += longest
    return [*batches, order[start:]]
