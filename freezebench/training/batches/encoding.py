"""Tokenized data: a split as token ids, and the batches that models take."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import torch

from freezebench.errors import DataError
from freezebench.tasks.base import IGNORED
from freezebench.tasks.registry import TASKS
from freezebench.training.batches.words import label_tokens, outside_class, tokenize_words
from freezebench.training.device import pinned
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from transformers import PreTrainedTokenizerBase

    from freezebench.data.splits import Split
    from freezebench.tasks.base import Task

Batch = dict[str, torch.Tensor]
Example = dict[str, Any]

# Tokenizers of models without a length limit report a huge number instead.
_NO_LIMIT = 1_000_000
_DEFAULT_LENGTH = 512


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """One tokenized split.

    Attributes:
        examples: Per example the tokenizer's fields (``input_ids``, …) without padding, and its ``labels`` as the model
            takes them: in token classification one for each token.
        labels: The labels of the split, in the order of ``examples``.
        task: What is learned.
        scored_words: In token classification the words of each sentence that have a token, counted from 0; ``None`` for
            other tasks. Words beyond the longest input have none.
    """

    examples: tuple[Example, ...]
    labels: tuple[Any, ...]
    task: Task = field(default=TASKS["sequence-classification"], repr=False)
    scored_words: tuple[tuple[int, ...], ...] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.examples)

    @cached_property
    def lengths(self) -> torch.Tensor:
        """Tokens of every example, shape (examples,)."""
        return torch.tensor([len(example["input_ids"]) for example in self.examples])

    @property
    def num_rows(self) -> int:
        """Number of rows of scores: one for each example, or for each word."""
        return len(self) if self.scored_words is None else sum(map(len, self.labels))

    def rows(self, sentences: Sequence[int]) -> list[int]:
        """Return the rows that the scores of some sentences are written to, in the order of the scores."""
        if self.scored_words is None:
            return list(sentences)
        return [self._first_rows[number] + word for number in sentences for word in self.scored_words[number]]

    @cached_property
    def unscored_rows(self) -> list[int]:
        """The rows of words without a token, which no scores are written to."""
        if self.scored_words is None:
            return []
        return sorted(set(range(self.num_rows)).difference(self.rows(range(len(self)))))

    @cached_property
    def _first_rows(self) -> list[int]:
        """The row of each sentence's first word."""
        return list(accumulate(map(len, self.labels), initial=0))


def encode(split: Split, tokenizer: PreTrainedTokenizerBase, model: torch.nn.Module, max_length: int) -> Encoded:
    """Return the split as token ids, cut to ``max_length`` tokens, with the fields that the model's forward names.

    Raises:
        DataError: If a text has no token, so that there is nothing to classify.
        ModelError: If words are labelled, and the tokenizer does not tell which word a token is of.
    """
    task, scored_words = TASKS[split.task], None
    if task.by_word:
        fields, word_numbers = tokenize_words(split, tokenizer, max_length)
        labels, scored_words = label_tokens(split, word_numbers)
    else:
        # One text per example, or two, which the tokenizer joins.
        columns = [list(column) for column in zip(*split.texts, strict=True)]
        fields = tokenizer(*columns, truncation=True, max_length=max_length)
        _check_tokens(split, fields)
        labels = [task.batch_label(label) for label in split.labels]
    parameters = inspect.signature(model.forward).parameters
    # Tokenizers offer more than some models take: token types, say, which DistilBERT does not have.
    names = [name for name in fields if name in parameters] or list(fields)
    examples = tuple(
        dict(zip(names, values, strict=True), labels=label)
        for *values, label in zip(*(fields[name] for name in names), labels, strict=True)
    )
    return Encoded(examples=examples, labels=tuple(split.labels), task=task, scored_words=scored_words)


def unscored_note(splits: Mapping[str, Encoded], max_length: int, label_names: Sequence[str]) -> tuple[str, ...]:
    """Return a warning of words without a token; none if all have one.

    Args:
        splits: The tokenized splits.
        max_length: Number of tokens that inputs are cut to.
        label_names: Name of every class.
    """
    counts = {name: (len(split.unscored_rows), split.num_rows) for name, split in splits.items()}
    some = [f"{missing:,} of {total:,} words of {name}" for name, (missing, total) in counts.items() if missing]
    if not some:
        return ()
    outside = label_names[outside_class(label_names)]
    note = (
        f"{listed(some, len(some))} have no token, since inputs are cut to {max_length} tokens or the tokenizer drops "
        f"them: training leaves them out, and evaluation counts them as predicted {outside!r}. Use a larger "
        "--freeze-max-length, or divide long sentences"
    )
    return (note,)


def _check_tokens(split: Split, fields: Mapping[str, Sequence[object]]) -> None:
    """Check that every text has a token: without special tokens, one of unknown or invisible characters has none.

    Raises:
        DataError: If one has none.
    """
    empty = [example for example, ids in enumerate(fields["input_ids"]) if not ids]
    if empty:
        more = f", and so have {len(empty) - 1} more texts of this split" if len(empty) > 1 else ""
        raise DataError(
            f"{split.location(empty[0])}: the text has no token in the model's tokenizer{more}. Correct or remove it, "
            "or use a tokenizer that adds special tokens."
        )


def longest_input(model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, max_length: int | None) -> int:
    """Return the number of tokens that inputs are cut to: the smallest limit of model, tokenizer and ``max_length``."""
    config = getattr(model, "config", None)
    positions = getattr(config, "max_position_embeddings", None)
    if positions and _positions_follow_padding(model):
        # RoBERTa's family counts positions from the padding id + 1: as many rows of the table cannot be reached.
        positions -= (getattr(config, "pad_token_id", None) or 0) + 1
    # XLNet has no limit, which its configuration writes as -1.
    limits = [limit for limit in (max_length, positions, tokenizer.model_max_length) if limit and 0 < limit < _NO_LIMIT]
    return min(limits, default=_DEFAULT_LENGTH)


def _positions_follow_padding(model: torch.nn.Module) -> bool:
    """Return whether a position embedding has a padding row, which is how RoBERTa's family numbers positions."""
    return any(
        name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None
        for name, module in model.named_modules()
    )


def collator(tokenizer: PreTrainedTokenizerBase, task: Task) -> Callable[[list[Example]], Batch]:
    """Return the function that pads examples, and labels of tokens, to the longest of their batch."""
    from transformers import DataCollatorForTokenClassification, DataCollatorWithPadding

    if task.by_word:
        return DataCollatorForTokenClassification(tokenizer, label_pad_token_id=IGNORED)
    return DataCollatorWithPadding(tokenizer)


def to_device(batch: Mapping[str, torch.Tensor], device: torch.device) -> Batch:
    """Return the batch's tensors on the device."""
    return {name: pinned(tensor, device).to(device, non_blocking=True) for name, tensor in batch.items()}
