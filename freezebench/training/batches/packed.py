"""Inputs without waste: a tokenized split as flat arrays, padded batch by batch with index arithmetic."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

    from freezebench.training.batches.batching import Batch, Encoded


# Batches' worth of sentences of its own length or nearly so that a sentence is to meet by chance, epoch after epoch.
_COMPANY = 3
_MOST_STRETCHES = 4  # more would be padding
_NOT_NUMBERS = "a field does not have one number per token"


class FlatSplit:
    """A tokenized split without padding: every field is one row of numbers, sentence after sentence.

    Attributes:
        offsets: Where each sentence begins, and the end of the last one, shape (sentences + 1,).
        lengths: Number of tokens of each sentence, shape (sentences,).
        labels: Class numbers, shape (sentences,).
        fields: Token fields by name, each of shape (tokens,).
        padding: What each field is padded with.
    """

    def __init__(self, data: Encoded, tokenizer: PreTrainedTokenizerBase) -> None:
        """Lay a split out flat.

        Raises:
            ValueError: If a field does not have one number per token: it cannot be padded here.
        """
        lengths = [len(example["input_ids"]) for example in data.examples]
        names = [name for name in data.examples[0] if name != "labels"]
        if any(
            len(example[name]) != length
            for example, length in zip(data.examples, lengths, strict=True)
            for name in names
        ):
            raise ValueError(_NOT_NUMBERS)
        self.lengths = torch.tensor(lengths)
        self._longest = max(lengths)
        self.offsets = torch.cat([torch.zeros(1, dtype=torch.int64), self.lengths.cumsum(0)])
        self.labels = torch.tensor(data.labels)
        self.fields = {name: _flat([example[name] for example in data.examples], sum(lengths)) for name in names}
        padding = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
        self.padding = {name: padding.get(name) or 0 for name in names}
        self._pads_left = tokenizer.padding_side == "left"

    def __len__(self) -> int:
        return len(self.labels)

    def all_ids(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return every token id that batches may hold: those of the sentences, flat, and the padding's."""
        return self.fields["input_ids"], torch.tensor([self.padding["input_ids"]])

    def width(self, indices: torch.Tensor, multiple: int = 1) -> int:
        """Return the tokens of the longest sentence, made a multiple as far as the split's longest one allows."""
        longest = int(self.lengths[indices].max())
        return min(-(-longest // multiple) * multiple, self._longest)

    def places(
        self, indices: torch.Tensor, *, first_only: bool = False, multiple: int = 1
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return where in the flat arrays each position of a padded batch stands, and which positions are real.

        Args:
            indices: The batch's sentences, shape (batch,).
            first_only: Keep the first token of each sentence only.
            multiple: What the number of positions is to be a multiple of.

        Returns:
            Places and mask, both of shape (batch, width); padding points at the sentence's first token.
        """
        lengths, first = self.lengths[indices][:, None], self.offsets[indices][:, None]
        if first_only:
            return first, lengths > 0
        longest = self.width(indices, multiple)
        position = torch.arange(longest).expand(len(indices), longest)
        if self._pads_left:
            position = position - (longest - lengths)
        real = (position >= 0) & (position < lengths)
        return first + position.where(real, torch.zeros((), dtype=torch.int64)), real

    def first(self, real: torch.Tensor) -> torch.Tensor:
        """Return the mask of each sentence's first token, given the mask of all real ones, shape (batch, tokens)."""
        return real & (real.cumsum(dim=1) == 1)

    def batch(self, indices: torch.Tensor, places: torch.Tensor, real: torch.Tensor) -> Batch:
        """Return a batch's fields, padded, each of shape (batch, longest sentence), and its labels."""
        batch = {name: torch.where(real, values[places], self.padding[name]) for name, values in self.fields.items()}
        return {**batch, "labels": self.labels[indices]}


def _flat(rows: Sequence[Sequence[float]], num_numbers: int) -> torch.Tensor:
    """Return numbers one row after the other: in a tenth of the time that a list of all of them takes.

    Raises:
        ValueError: If they are no numbers.
    """
    dtype = {bool: np.bool_, int: np.int64, float: np.float32}.get(type(next(chain.from_iterable(rows), 0)))
    if dtype is None:
        raise ValueError(_NOT_NUMBERS)
    return torch.from_numpy(np.fromiter(chain.from_iterable(rows), dtype=dtype, count=num_numbers))


class BucketedBatches:
    """Index batches of every epoch, sentences of like length together, each sentence once.

    The sentences are shuffled, sorted by length, those of one length as they come, and the batches are shuffled: hardly
    anything is padding, and where many sentences have the same length, chance puts them together. Where few have, they
    are cut into some stretches before they are sorted, so that a batch takes a part of those of like length. Everything
    depends on seed and epoch alone.
    """

    def __init__(self, lengths: torch.Tensor, batch_size: int, seed: int) -> None:
        self._lengths, self._batch_size = lengths, batch_size
        self._seed = seed
        # Sorted as a whole, sentences of rare lengths would be in the same batches in every epoch.
        of_one_length = len(lengths) / len(set(lengths.tolist()))
        num_stretches = min(_MOST_STRETCHES, math.ceil(_COMPANY * batch_size / of_one_length))
        self._stretch = batch_size * math.ceil(len(self) / num_stretches)

    def __len__(self) -> int:
        return len(range(0, len(self._lengths), self._batch_size))

    def epoch(self, epoch: int) -> Sequence[torch.Tensor]:
        """Return the batches of an epoch, counted from 0, each a tensor of sentence numbers."""
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
        order = torch.randperm(len(self._lengths), generator=generator)
        stretches = [part[self._lengths[part].argsort(stable=True)] for part in torch.split(order, self._stretch)]
        batches = torch.split(torch.cat(stretches), self._sizes(generator))
        return [batches[number] for number in torch.randperm(len(batches), generator=generator).tolist()]

    def _sizes(self, generator: torch.Generator) -> list[int]:
        """Return the sizes of all batches; the one that is not full stands where chance puts it.

        A sentence of a small batch weighs more in the mean loss: the longest ones are not to do so in every epoch.
        """
        num_full, rest = divmod(len(self._lengths), self._batch_size)
        sizes = [self._batch_size] * num_full
        if rest:
            sizes.insert(int(torch.randint(num_full + 1, (), generator=generator)), rest)
        return sizes
