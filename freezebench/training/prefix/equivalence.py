"""Quick ways of computing are compared with the model's own code before they are taken."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezebench.training.batches.batching import Batch
    from freezebench.training.batches.packed import FlatSplit
    from freezebench.training.cpu.embedding_rows import UsedRows
    from freezebench.training.prefix.cls_only import FirstTokens
    from freezebench.training.prefix.feed import Feed

# For what depends on the form of a batch alone: the shortest sentence, the longest, and one between.
_NUM_SHAPED = 3
# The same sums in the same order but for how matrices are cut: a few units in the last place.
_SAME_SUMS = 1e-5


def rows_agree(whole: Feed, rows: UsedRows) -> bool:
    """Return whether a model whose word embedding holds the rows in use alone computes what the whole one does."""
    model = whole.model
    inputs = shaped(whole)
    with at_rest(model), torch.no_grad():
        expected = whole.logits(dict(inputs))
        try:
            with whole.with_rows(rows) as shrunk:
                got = shrunk.logits(dict(inputs))
        except (IndexError, RuntimeError, ValueError):
            return False  # the table is used in another way than by token ids
    return torch.equal(expected, got)


def first_agrees(whole: Feed, first: FirstTokens, head: tuple[str, ...]) -> bool:
    """Return whether a model whose last layer goes on with first tokens only computes the whole one's scores."""
    model = whole.model
    inputs = shaped(whole)
    with at_rest(model), noisy(model, head), torch.no_grad():
        expected = whole.logits(dict(inputs))
        try:
            with whole.with_first(first) as shortened:
                got = shortened.logits(dict(inputs))
        except (IndexError, RuntimeError, ValueError):
            return False  # the layer is of another build
    return got.shape == expected.shape and relative_error(got, expected) <= _SAME_SUMS


def relative_error(got: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest difference, relative to the largest score."""
    return float((expected - got).abs().max() / expected.abs().max().clamp(min=1e-6))


def spread(split: FlatSplit, num: int) -> torch.Tensor:
    """Return some sentences of all lengths: the shortest, the longest, and between."""
    order = split.lengths.argsort(stable=True)
    return order[torch.linspace(0, len(order) - 1, min(num, len(order))).long()]


def shaped(whole: Feed) -> Batch:
    """Return a small batch without labels that shows what depends on a batch's form alone."""
    return as_inputs(whole.batch("train", spread(whole.splits["train"], _NUM_SHAPED)), whole.model)


def as_inputs(batch: Batch, model: torch.nn.Module) -> Batch:
    """Return a batch without its labels on the model's device."""
    device = next(model.parameters()).device
    return {name: tensor.to(device) for name, tensor in batch.items() if name != "labels"}


@contextmanager
def at_rest(model: torch.nn.Module) -> Iterator[None]:
    """Turn dropout off for a while."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@contextmanager
def noisy(model: torch.nn.Module, names: tuple[str, ...]) -> Iterator[None]:
    """Give the head random weights for a while: one that starts at zero would make every check pass."""
    generator = torch.Generator().manual_seed(0)
    parameters: dict[str, Any] = {name: model.get_parameter(name) for name in names}
    kept = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    try:
        with torch.no_grad():
            for parameter in parameters.values():
                noise = torch.randn(parameter.shape, generator=generator) / max(parameter.shape[-1], 1) ** 0.5
                parameter.copy_(noise.to(parameter.device))
        yield
    finally:
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(kept[name])
