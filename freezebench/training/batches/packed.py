"""A tokenized split as packed arrays, padded batch by batch with index arithmetic.

The data collator of transformers pads Python lists, sentence by sentence; here one gather per field pads a batch. The
fields of all sentences are concatenated, and a batch is a matrix of indices into them::

    sentence      0        1     2
    input_ids   [ a b c  | d e | f ]        offsets [0, 3, 5, 6]

    batch of 0 and 2    indices [[0, 1, 2],    is_token [[1, 1, 1],
                                 [5, 5, 5]]              [1, 0, 0]]

Padding positions have the index of their sentence's first token, which always exists; the mask replaces what they read.
The hidden states of a cached prefix are packed in the same way, so that the same indices select them.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch

from freezebench.tasks.base import IGNORED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

    from freezebench.training.batches.encoding import Batch, Encoded


_NOT_NUMBERS = "its tokenizer gives a field that does not have one number per token"


class NotPackableError(Exception):
    """A split cannot be packed, since a field does not have one number per token."""


class PackedSplit:
    """A tokenized split without padding: every field is one row of numbers, sentence after sentence.

    Attributes:
        offsets: Index of each sentence's first token, and the number of all tokens, shape (sentences + 1,).
        lengths: Number of tokens of each sentence, shape (sentences,).
        labels: Labels of the sentences, shape (sentences,) or (sentences, labels); in token classification of all
            tokens, shape (tokens,).
        task: What is learned.
        fields: Token fields by name, each of shape (tokens,).
        padding: The value that pads each field.
    """

    def __init__(self, data: Encoded, tokenizer: PreTrainedTokenizerBase) -> None:
        """Pack a split.

        Raises:
            NotPackableError: If a field does not have one number per token: it cannot be padded here.
        """
        lengths: list[int] = data.lengths.tolist()
        names = [name for name in data.examples[0] if name != "labels"]
        if any(
            len(example[name]) != length
            for example, length in zip(data.examples, lengths, strict=True)
            for name in names
        ):
            raise NotPackableError(_NOT_NUMBERS)
        self.lengths = data.lengths
        # Positions beyond it may not exist: a model may have embeddings for so many only.
        self._longest: int = max(lengths)
        self.offsets = torch.cat([torch.zeros(1, dtype=torch.int64), self.lengths.cumsum(0)])
        self.task = data.task
        labels = [example["labels"] for example in data.examples]
        self.labels = _packed(labels, sum(lengths)) if self.task.by_word else torch.tensor(labels)
        self.fields = {name: _packed([example[name] for example in data.examples], sum(lengths)) for name in names}
        # Other fields, such as the attention mask, are padded with 0.
        padding = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
        self.padding = {name: padding.get(name) or 0 for name in names}
        self._pads_left = tokenizer.padding_side == "left"

    def __len__(self) -> int:
        return len(self.lengths)

    def all_ids(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return every token id that batches may hold: those of the sentences, packed, and the padding's."""
        return self.fields["input_ids"], torch.tensor([self.padding["input_ids"]])

    def width(self, sentences: torch.Tensor, multiple: int = 1) -> int:
        """Return the tokens of the longest sentence, rounded up to a multiple but not beyond the split's longest."""
        longest = int(self.lengths[sentences].max())
        return min(-(-longest // multiple) * multiple, self._longest)

    def token_indices(
        self, sentences: torch.Tensor, *, cls_only: bool = False, multiple: int = 1
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the packed index of each position of a padded batch, and which positions are tokens.

        Args:
            sentences: Numbers of the batch's sentences, shape (batch,).
            cls_only: Whether the batch has the first token of each sentence only.
            multiple: What the number of positions is rounded up to a multiple of.

        Returns:
            Indices and mask, both of shape (batch, width); padding has the index of its sentence's first token.
        """
        lengths, starts = self.lengths[sentences][:, None], self.offsets[sentences][:, None]
        if cls_only:
            return starts, lengths > 0
        width = self.width(sentences, multiple)
        position = torch.arange(width).expand(len(sentences), width)
        if self._pads_left:
            position = position - (width - lengths)
        is_token = (position >= 0) & (position < lengths)
        return starts + position.where(is_token, torch.zeros((), dtype=torch.int64)), is_token

    def first_token_mask(self, is_token: torch.Tensor) -> torch.Tensor:
        """Return the mask of each sentence's first token, given the mask of all tokens, shape (batch, width)."""
        return is_token & (is_token.cumsum(dim=1) == 1)

    def batch(self, sentences: torch.Tensor, indices: torch.Tensor, is_token: torch.Tensor) -> Batch:
        """Return the padded fields of a batch, each of shape (batch, width), and its labels, padded if of tokens.

        Args:
            sentences: Numbers of the batch's sentences, shape (batch,).
            indices: As of :meth:`token_indices`.
            is_token: As of :meth:`token_indices`.
        """
        batch = {
            name: torch.where(is_token, values[indices], self.padding[name]) for name, values in self.fields.items()
        }
        if self.task.by_word:
            return {**batch, "labels": torch.where(is_token, self.labels[indices], IGNORED)}
        return {**batch, "labels": self.labels[sentences]}


def _packed(rows: Sequence[Sequence[float]], num_tokens: int) -> torch.Tensor:
    """Return the numbers of all rows concatenated.

    Raises:
        NotPackableError: If the rows do not hold numbers.
    """
    dtype = {bool: np.bool_, int: np.int64, float: np.float32}.get(type(next(chain.from_iterable(rows), 0)))
    if dtype is None:
        raise NotPackableError(_NOT_NUMBERS)
    # fromiter takes a tenth of the time that a list of all numbers takes.
    return torch.from_numpy(np.fromiter(chain.from_iterable(rows), dtype=dtype, count=num_tokens))
