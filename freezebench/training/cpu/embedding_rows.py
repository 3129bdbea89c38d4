"""The rows of a word embedding that the data use: the others have no gradient, and AdamW does not move them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterable

# Fewer rows than this are cheaper than the bookkeeping.
_MIN_ROWS = 2048


class UsedRows:
    """While open, a trainable word embedding holds the rows in use only, and gradients are kept for those.

    The parameter stays the same object under the same name, so that optimizers and copies of weights see just these
    rows. Without weight decay this changes no figure: AdamW's update of a row that never had a gradient is exactly 0.
    """

    def __init__(self, module: nn.Embedding, used: torch.Tensor) -> None:
        """Prepare to shrink the table of ``module`` to the rows ``used``, sorted, shape (rows in use,)."""
        self.weight = module.weight
        self._padding = module.padding_idx
        self._used = used
        self._places = torch.full((len(module.weight),), -1)
        self._places[used] = torch.arange(len(used))
        self._whole: torch.Tensor | None = None
        self._touched: list[torch.Tensor] = []

    def __enter__(self) -> Self:
        self._whole = self.weight.data
        self.weight.data = self._whole[self._used]
        self.weight.grad = torch.zeros_like(self.weight)
        return self

    def __exit__(self, *_: object) -> None:
        if self._whole is not None:
            self._whole[self._used] = self.weight.data
            self.weight.data, self.weight.grad, self._whole = self._whole, None, None

    def embedding(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors of token ids of any shape; their gradients are added where they belong."""
        vectors: torch.Tensor = _Rows.apply(self._places[ids], self.weight, self)  # type: ignore[no-untyped-call]
        return vectors

    def add_gradient(self, places: torch.Tensor, gradient: torch.Tensor) -> None:
        """Add the gradients of some vectors to their rows; the padding row gets none."""
        places, gradient = places.flatten(), gradient.reshape(-1, gradient.shape[-1]).to(self.weight.dtype)
        if self._padding is not None:
            gradient = gradient * (self._used[places] != self._padding)[:, None]
        assert self.weight.grad is not None  # noqa: S101 - open, or there would be no vectors
        self.weight.grad.index_add_(0, places, gradient)
        self._touched.append(places)

    def clear(self) -> None:
        """Set the gradients that were added back to zero."""
        for places in self._touched:
            if self.weight.grad is not None:
                self.weight.grad.index_fill_(0, places, 0.0)
        self._touched.clear()


class _Rows(torch.autograd.Function):
    """Looks rows up; backward adds into a gradient that is kept instead of making a new one of the whole table."""

    @staticmethod
    def forward(ctx: Any, places: torch.Tensor, weight: torch.Tensor, rows: UsedRows) -> torch.Tensor:
        ctx.save_for_backward(places)
        ctx.rows = rows
        return functional.embedding(places, weight)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[None, None, None]:
        (places,) = ctx.saved_tensors
        ctx.rows.add_gradient(places, gradient)
        return None, None, None


def used_rows(model: nn.Module, ids: Iterable[torch.Tensor]) -> UsedRows | None:
    """Return the rows of the model's trainable word embedding that the data use; ``None`` where that cannot be told.

    Args:
        model: A model with ``get_input_embeddings``, on a CPU.
        ids: Token ids of all splits, flat.
    """
    find = getattr(model, "get_input_embeddings", None)
    module = find() if callable(find) else None
    if type(module) is not nn.Embedding or not module.weight.requires_grad or len(module.weight) < _MIN_ROWS:
        return None
    if module.max_norm is not None or module.scale_grad_by_freq or module.sparse:
        return None
    owners = [part for part in model.modules() for p in part.parameters(recurse=False) if p is module.weight]
    if len(owners) != 1:
        return None
    return UsedRows(module, torch.unique(torch.cat([*ids])))
