"""Equivalence checks: a faster computation is compared with the model's own code before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from freezebench.training.prefix.modes import eval_mode, random_head

if TYPE_CHECKING:
    from freezebench.training.batches.encoding import Batch
    from freezebench.training.batches.packed import PackedSplit
    from freezebench.training.cpu.embedding_rows import UsedEmbeddingRows
    from freezebench.training.prefix.cls_only import ClsOnlyLayer
    from freezebench.training.prefix.feed import Feed

# The shortest sentence, the longest, and one between: enough for what depends on the shape of a batch alone.
_NUM_SENTENCES = 3
# The same sums in the same order, except for how matrices are split among kernels: a few units in the last place.
_ROUNDING = 1e-5


def check_embedding_rows(whole: Feed, rows: UsedEmbeddingRows) -> bool:
    """Return whether a model whose word embedding holds only the used rows computes the same scores, bit for bit."""
    return _is_equivalent(whole, whole.with_embedding_rows(rows), tolerance=0.0)


def check_cls_only(whole: Feed, layer: ClsOnlyLayer, head: tuple[str, ...]) -> bool:
    """Return whether a model whose last layer continues with first tokens only computes the same scores.

    Args:
        whole: The feed of the whole model.
        layer: The last layer.
        head: Names of the head's parameters.
    """
    with random_head(whole.model, head):
        return _is_equivalent(whole, whole.with_cls_only(layer), tolerance=_ROUNDING)


def _is_equivalent(whole: Feed, changed: Feed, *, tolerance: float) -> bool:
    """Return whether a feed that computes in another way gives the scores of the whole model."""
    batch = sample_batch(whole)
    inputs = model_inputs(batch, whole.model)
    with eval_mode(whole.model), torch.no_grad():
        expected = whole.logits(dict(inputs))
        try:
            with changed:
                actual = changed.logits(dict(inputs))
        except (IndexError, RuntimeError, ValueError):
            return False  # the model's code is not built as the faster computation needs
    if actual.shape != expected.shape:
        return False
    # What a model returns for padding is of no use to anyone.
    actual, expected = (whole.task.rows(scores, batch["labels"]) for scores in (actual, expected))
    return relative_error(actual, expected) <= tolerance


def relative_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest difference, relative to the largest score."""
    return float((expected - actual).abs().max() / expected.abs().max().clamp(min=1e-6))


def sample_of_all_lengths(split: PackedSplit, num: int) -> torch.Tensor:
    """Return the numbers of some sentences: the shortest, the longest, and evenly between by rank of length."""
    order = split.lengths.argsort(stable=True)
    return order[torch.linspace(0, len(order) - 1, min(num, len(order))).long()]


def sample_batch(whole: Feed) -> Batch:
    """Return a small batch of short and long training sentences."""
    return whole.batch("train", sample_of_all_lengths(whole.splits["train"], _NUM_SENTENCES))


def scores_of_rows(feed: Feed, batch: Batch) -> torch.Tensor:
    """Return the rows of a batch's scores that are evaluated: of words, not of other tokens."""
    return feed.task.rows(feed.logits(model_inputs(batch, feed.model)), batch["labels"])


def model_inputs(batch: Batch, model: torch.nn.Module) -> Batch:
    """Return a batch without its labels on the model's device."""
    device = next(model.parameters()).device
    return {name: tensor.to(device) for name, tensor in batch.items() if name != "labels"}
