"""Which sentences form a batch, and in which order batches come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.utils.data import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezebench.training.batches.encoding import Encoded

# Batches of inference: matrix products are as fast with a quarter of the tokens that a batch may have, so that a batch
# ends there already if the next sentence would make more than 3 % of it padding.
_MIN_FILLED_SHARE = 0.25
_MAX_PADDED_SHARE = 0.03
# Bucketed batches: how many batches the sentences of about one length are to fill, so that batches differ by epoch.
_MIN_BATCHES_PER_LENGTH = 3
_MAX_CHUNKS = 4  # more would be padding


class ShuffledBatches(Sampler[list[int]]):
    """Index batches of every epoch: each example once, in an order that depends on seed and epoch alone."""

    def __init__(self, num_examples: int, batch_size: int, seed: int) -> None:
        self._num_examples = num_examples
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, whose order the next iteration yields."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(range(0, self._num_examples, self._batch_size))

    def __iter__(self) -> Iterator[list[int]]:
        # A large factor, so that one seed at a later epoch is not another seed at an earlier one.
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        order = torch.randperm(self._num_examples, generator=generator).tolist()
        for start in range(0, self._num_examples, self._batch_size):
            yield order[start : start + self._batch_size]


class BucketedBatches:
    """Index batches of every epoch, sentences of similar length together, each sentence once.

    All sentences are shuffled, then sorted by length (sentences of equal length stay shuffled), then cut into batches,
    and the batches are shuffled. Almost nothing is padding. Where few sentences have the same length, the same ones
    would meet in every epoch; the shuffled sentences are then cut into up to four chunks, each sorted by itself::

        shuffled   5 9 3 7 | 8 3 6 5      two chunks
        sorted     3 5 7 9 | 3 5 6 8      within each
        batches   [3 5][7 9][3 5][6 8]    shuffled at the end

    Everything depends on seed and epoch alone.
    """

    def __init__(self, lengths: torch.Tensor, batch_size: int, seed: int) -> None:
        self._lengths, self._batch_size = lengths, batch_size
        self._seed = seed
        num_per_length = len(lengths) / len(set(lengths.tolist()))
        num_chunks = min(_MAX_CHUNKS, math.ceil(_MIN_BATCHES_PER_LENGTH * batch_size / num_per_length))
        self._chunk_size = batch_size * math.ceil(len(self) / num_chunks)

    def __len__(self) -> int:
        return len(range(0, len(self._lengths), self._batch_size))

    def epoch(self, epoch: int) -> Sequence[torch.Tensor]:
        """Return the batches of an epoch, counted from 0, each a tensor of sentence numbers."""
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
        order = torch.randperm(len(self._lengths), generator=generator)
        chunks = [chunk[self._lengths[chunk].argsort(stable=True)] for chunk in torch.split(order, self._chunk_size)]
        batches = torch.split(torch.cat(chunks), self._sizes(generator))
        return [batches[number] for number in torch.randperm(len(batches), generator=generator).tolist()]

    def _sizes(self, generator: torch.Generator) -> list[int]:
        """Return the sizes of all batches; the incomplete one comes at a random position.

        A sentence of a small batch weighs more in the mean loss. If it always came last, the longest sentences would
        weigh more in every epoch.
        """
        num_full, rest = divmod(len(self._lengths), self._batch_size)
        sizes = [self._batch_size] * num_full
        if rest:
            sizes.insert(int(torch.randint(num_full + 1, (), generator=generator)), rest)
        return sizes


def batches_by_length(data: Encoded, batch_size: int) -> list[list[int]]:
    """Return index batches for evaluation, sentences of similar length together, so that little is padding."""
    order = sorted(range(len(data)), key=lambda index: len(data.examples[index]["input_ids"]))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


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
