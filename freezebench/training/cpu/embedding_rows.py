"""The used rows of a word embedding: the others have no gradient, and AdamW without weight decay does not change them.

A vocabulary has tens of thousands of words, a small data set a few thousand of them. While training runs, the table is
replaced by one that holds the used rows only, so that gradients, optimizer state and updates are as small::

    whole table   row 0 … 30521        ids      [101, 2023, 102]
    used rows     0, 101, 102, 2023    indices  [  1,    3,   2]

Backward adds to a gradient that is kept from step to step, and clearing it resets only the rows that were touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from torch import nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from freezebench.models.layers import word_embedding

if TYPE_CHECKING:
    from collections.abc import Iterable

_MIN_ROWS = 2048  # smaller tables cost less than the bookkeeping


class UsedEmbeddingRows:
    """While open, a trainable word embedding holds the used rows only.

    The parameter stays the same object under the same name, so that optimizers and copies of weights see these rows.
    Without weight decay no figure changes: AdamW's update of a row that never had a gradient is exactly 0.

    Attributes:
        weight: The embedding's parameter.
    """

    def __init__(self, module: nn.Embedding, used: torch.Tensor) -> None:
        """Prepare to reduce the table of ``module`` to the rows ``used``, sorted, shape (used rows,)."""
        self.weight = module.weight
        self._padding = module.padding_idx
        self._used = used
        self._index_of_id = torch.full((len(module.weight),), -1)
        self._index_of_id[used] = torch.arange(len(used))
        self._whole: torch.Tensor | None = None
        self._touched: list[torch.Tensor] = []

    def __enter__(self) -> Self:
        self._whole = self.weight.data
        # The data are exchanged, not the parameter, to which the optimizer refers.
        self.weight.data = self._whole[self._used]
        self.weight.grad = torch.zeros_like(self.weight)
        return self

    def __exit__(self, *_: object) -> None:
        if self._whole is not None:
            self._whole[self._used] = self.weight.data
            self.weight.data, self.weight.grad, self._whole = self._whole, None, None

    def embedding(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors of token ids of any shape; backward adds their gradients to those of their rows."""
        vectors: torch.Tensor = _Lookup.apply(self._index_of_id[ids], self.weight, self)  # type: ignore[no-untyped-call]
        return vectors

    def add_gradient(self, indices: torch.Tensor, gradient: torch.Tensor) -> None:
        """Add the gradients of some vectors to those of their rows; the padding row gets none."""
        indices, gradient = indices.flatten(), gradient.reshape(-1, gradient.shape[-1]).to(self.weight.dtype)
        if self._padding is not None:
            gradient = gradient * (self._used[indices] != self._padding)[:, None]
        assert self.weight.grad is not None  # noqa: S101 - open, or there would be no vectors
        self.weight.grad.index_add_(0, indices, gradient)
        self._touched.append(indices)

    def clear_gradient(self) -> None:
        """Reset the gradients that were added to zero."""
        for indices in self._touched:
            if self.weight.grad is not None:
                self.weight.grad.index_fill_(0, indices, 0.0)
        self._touched.clear()


class _Context(FunctionCtx):
    """What forward keeps for backward."""

    rows: UsedEmbeddingRows
    saved_tensors: tuple[torch.Tensor]


class _Lookup(torch.autograd.Function):
    """Looks rows up; backward adds to a gradient that is kept, where PyTorch would make one of the whole table."""

    @staticmethod
    def forward(ctx: _Context, indices: torch.Tensor, weight: torch.Tensor, rows: UsedEmbeddingRows) -> torch.Tensor:
        ctx.save_for_backward(indices)
        ctx.rows = rows
        return functional.embedding(indices, weight)

    @staticmethod
    def backward(ctx: _Context, gradient: torch.Tensor) -> tuple[None, None, None]:
        (indices,) = ctx.saved_tensors
        # None for the weight: its gradient is added to in place, where autograd would make a new one in every step.
        ctx.rows.add_gradient(indices, gradient)
        return None, None, None


def find_used_rows(model: nn.Module, ids: Iterable[torch.Tensor]) -> UsedEmbeddingRows | None:
    """Return the rows of the model's word embedding that the data use.

    ``None`` if the table is small or frozen, if other code uses it, too, or if its lookup does more than look up.

    Args:
        model: A model with ``get_input_embeddings``, on a CPU.
        ids: Token ids of all splits, packed.
    """
    module = word_embedding(model)
    if type(module) is not nn.Embedding or not module.weight.requires_grad or len(module.weight) < _MIN_ROWS:
        return None
    if module.max_norm is not None or module.scale_grad_by_freq or module.sparse:
        return None
    # A tied table is also an output layer, which needs all rows.
    owners = [part for part in model.modules() for p in part.parameters(recurse=False) if p is module.weight]
    if len(owners) != 1:
        return None
    return UsedEmbeddingRows(module, torch.unique(torch.cat([*ids])))
