"""Batches: tokenized sentences, their order in every epoch, and padding to the longest of each batch."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader, Sampler

from freezebench.training.device import staged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedTokenizerBase

    from freezebench.data.splits import Split

Batch = dict[str, torch.Tensor]
Example = dict[str, Any]

# Tokenizers of models without a length limit report a huge number instead.
_NO_LIMIT = 1_000_000
_DEFAULT_LENGTH = 512
# Products of matrices are as fast with a quarter of the rows that evaluation asks for, and padding is work for nothing.
_LEAST_FULL = 0.25
_MUCH_PADDING = 0.03


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """One tokenized split.

    Attributes:
        examples: Per example the tokenizer's fields (``input_ids``, …) without padding, and its ``labels``.
        labels: Class numbers, in the order of ``examples``.
    """

    examples: tuple[Example, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.examples)


def encode(split: Split, tokenizer: PreTrainedTokenizerBase, model: torch.nn.Module, max_length: int) -> Encoded:
    """Return the split as token ids, cut to ``max_length`` tokens, with the fields that the model's forward names."""
    columns = [list(column) for column in zip(*split.texts, strict=True)]
    fields = tokenizer(*columns, truncation=True, max_length=max_length)
    named = inspect.signature(model.forward).parameters
    # Tokenizers offer more than some models take: token types, say, which DistilBERT does not have.
    names = [name for name in fields if name in named] or list(fields)
    examples = tuple(
        dict(zip(names, values, strict=True), labels=label)
        for *values, label in zip(*(fields[name] for name in names), split.labels, strict=True)
    )
    return Encoded(examples=examples, labels=tuple(split.labels))


def longest_input(model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, max_length: int | None) -> int:
    """Return the longest input in tokens that is asked for and that model and tokenizer can take."""
    config = getattr(model, "config", None)
    positions = getattr(config, "max_position_embeddings", None)
    if positions and _positions_follow_padding(model):
        # RoBERTa's family numbers positions from behind the padding id: that many of the last rows are out of reach.
        positions -= (getattr(config, "pad_token_id", None) or 0) + 1
    # XLNet has positions without end, which its configuration calls -1.
    limits = [one for one in (max_length, positions, tokenizer.model_max_length) if one and 0 < one < _NO_LIMIT]
    return min(limits, default=_DEFAULT_LENGTH)


def _positions_follow_padding(model: torch.nn.Module) -> bool:
    """Return whether a position embedding has a padding row, which is how RoBERTa's family numbers positions."""
    return any(
        name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None
        for name, module in model.named_modules()
    )


class ShuffledBatches(Sampler[list[int]]):
    """Index batches of every epoch: each example once, in an order that depends on seed and epoch alone."""

    def __init__(self, num_examples: int, batch_size: int, seed: int) -> None:
        self._num_examples = num_examples
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, whose order comes next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(range(0, self._num_examples, self._batch_size))

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        order = torch.randperm(self._num_examples, generator=generator).tolist()
        for start in range(0, self._num_examples, self._batch_size):
            yield order[start : start + self._batch_size]


class EpochLoader(DataLoader[Example]):
    """A data loader that knows epochs; both engines draw their batches from it."""

    def __init__(self, data: Encoded, batches: ShuffledBatches, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__(data.examples, batch_sampler=batches, collate_fn=collator(tokenizer))  # type: ignore[arg-type]
        self._batches = batches

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, that the next iteration yields."""
        self._batches.set_epoch(epoch)

    def typical(self) -> Batch:
        """Return the first batch of the epoch: of sentences of all lengths, one is like another."""
        batch: Batch = next(iter(self))
        return batch


def collator(tokenizer: PreTrainedTokenizerBase) -> Any:
    """Return the function that pads examples to the longest of their batch."""
    from transformers import DataCollatorWithPadding

    return DataCollatorWithPadding(tokenizer)


def batches_by_length(data: Encoded, batch_size: int) -> list[list[int]]:
    """Return index batches for evaluation, sentences of like length together, so that little is padding."""
    order = sorted(range(len(data)), key=lambda index: len(data.examples[index]["input_ids"]))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def batches_by_tokens(lengths: torch.Tensor, num_tokens: int) -> list[torch.Tensor]:
    """Return batches of sentence numbers, sentences of like length together, of about so many tokens with padding.

    A batch ends early where lengths grow so fast that the next sentence would make much of it padding.

    Args:
        lengths: Tokens of each sentence, shape (sentences,).
        num_tokens: Limit of a batch; a longer sentence is a batch by itself.
    """
    order = lengths.argsort(stable=True)
    batches, first, real = [], 0, 0
    for end, longest in enumerate(lengths[order].tolist()):
        padded = (end + 1 - first) * longest
        is_padding = real >= num_tokens * _LEAST_FULL and padded - real - longest > padded * _MUCH_PADDING
        if end > first and (padded > num_tokens or is_padding):
            batches.append(order[first:end])
            first, real = end, 0
        real += longest
    return [*batches, order[first:]]


def to_device(batch: Any, device: torch.device) -> Batch:
    """Return the batch's tensors on the device."""
    return {name: staged(tensor, device).to(device, non_blocking=True) for name, tensor in batch.items()}
