"""Attention with dropout on a CPU, in as few passes over the scores as it needs, forward and backward.

PyTorch composes it of a dozen operations, each with an intermediate tensor that is kept for backward. Here only the
attention weights are kept, in the number format of the values (as fused attention on GPUs does), and the rest is
computed again in backward. For long sentences the weights are computed again, too, since writing and reading them would
take longer.

All heads of all sentences form one batch of matrices. It is processed in pieces whose scores stay in the processor's
caches::

    query (batch x heads, queries, width)  ┐ piece 0: scores ─► weights ─► times mask ─► times value
                                           │ piece 1: scores ─► …
    scores (batch x heads, queries, keys)  ┘ never exist as a whole

Padding masks hide the same keys from all queries of a sentence: they become a bias with one row per sentence and head,
which the matrix product adds to the scores.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.autograd.function import FunctionCtx, once_differentiable

from freezebench.training.tensor_changes import change_count

if TYPE_CHECKING:
    from collections.abc import Sequence

# Scores that a thread processes together: with the tensors derived from them they fit its caches.
_SCORES_PER_THREAD = 2**18
# More weights than these take longer to write and read than to compute again (and memory in every layer).
_MAX_KEPT_WEIGHTS = 2**23
# PyTorch's softmax gradient in bf16 is fast for rows that fill a vector register.
_VECTOR = 32


class PaddingBias:
    """Turns boolean padding masks into rows to be added to scores, each mask once for all layers."""

    def __init__(self) -> None:
        self._mask: torch.Tensor | None = None
        self._change_count = 0
        self._rows: dict[tuple[torch.Size, torch.dtype], torch.Tensor | None] = {}

    def rows(self, mask: torch.Tensor, shape: torch.Size, dtype: torch.dtype) -> torch.Tensor | None:
        """Return the rows for scores of ``shape`` (batch, heads, queries, keys), shape (batch x heads, 1, keys).

        ``None`` if the mask differs from query to query.
        """
        count = change_count(mask)
        if count is None:  # changes of the mask would not be noticed
            return _padding_rows(mask, shape, dtype)
        if self._mask is not mask or self._change_count != count:
            self._mask, self._change_count, self._rows = mask, count, {}
        key = (shape, dtype)
        if key not in self._rows:
            self._rows[key] = _padding_rows(mask, shape, dtype)
        return self._rows[key]


def _padding_rows(mask: torch.Tensor, shape: torch.Size, dtype: torch.dtype) -> torch.Tensor | None:
    mask = mask.expand(shape[0], -1, -1, -1) if mask.ndim == len(shape) else mask.expand(shape)
    first_query = mask[:, :, :1]
    if not bool((mask == first_query).all()):
        return None
    # The lowest finite number instead of -inf: a row without any visible key gives equal weights, not NaN.
    bias = torch.zeros(first_query.shape, dtype=dtype).masked_fill_(~first_query, torch.finfo(dtype).min)
    return bias.expand(-1, shape[1], -1, shape[-1]).reshape(-1, 1, shape[-1])


class _Context(FunctionCtx):
    """What forward keeps for backward."""

    shape: tuple[int, ...]
    scale: float
    saved_tensors: tuple[torch.Tensor, ...]


class Attention(torch.autograd.Function):
    """softmax(query key^T scale, masked) with dropout, times value."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes arguments by position
        ctx: _Context,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: torch.Tensor | None,
        bias: torch.Tensor | None,
        dropout_mask: torch.Tensor | None,
        scale: float,
    ) -> torch.Tensor:
        """Return the attended values, shape (batch, heads, queries, width of a head).

        Args:
            ctx: Autograd's context.
            query: Shape (batch, heads, queries, width of a head).
            key: Shape (batch, heads, keys, width of a head).
            value: Like ``key``.
            mask: Added to the scores, or true for visible keys if boolean; broadcast to (batch, heads, queries, keys).
            bias: The same as rows, see :class:`PaddingBias`; replaces ``mask``.
            dropout_mask: Dropout's factors, shape (batch x heads, queries, keys).
            scale: Factor of the scores.
        """
        shape = (*query.shape[:-1], key.shape[-2])
        query, key, value = (_merge_heads(tensor) for tensor in (query, key, value))
        mask = None if mask is None or bias is not None else mask.expand(shape)
        attended, weights = attend(query, key, value, bias, dropout_mask, scale, mask)
        if weights is not None:
            bias = mask = None
        ctx.save_for_backward(query, key, value, weights, dropout_mask, bias, mask)  # type: ignore[arg-type]
        ctx.shape, ctx.scale = shape, scale
        return attended.view(*shape[:-1], value.shape[-1])

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients of query, key and value."""
        query, key, value, weights, dropout_mask, bias, mask = ctx.saved_tensors
        gradients = [torch.empty_like(tensor) for tensor in (query, key, value)]
        attend_backward(
            _merge_heads(gradient), query, key, value, weights, dropout_mask, bias, ctx.scale, mask, out=gradients
        )
        return (*(_split_heads(tensor, ctx.shape) for tensor in gradients), None, None, None, None)


def attend(  # noqa: PLR0917 - as autograd passes them
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    dropout_mask: torch.Tensor | None,
    scale: float,
    mask: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the attended values, shape (batch x heads, queries, width of a head), and the attention weights.

    The weights are ``None`` if there are so many that backward computes them again.

    Args:
        query: Shape (batch x heads, queries, width of a head).
        key: Shape (batch x heads, keys, width of a head).
        value: Like ``key``.
        bias: Added to the scores, shape (batch x heads, 1, keys).
        dropout_mask: Dropout's factors, shape (batch x heads, queries, keys).
        scale: Factor of the scores.
        mask: Added to the scores, or true for visible keys if boolean, shape (batch, heads, queries, keys).
    """
    shape = (*query.shape[:-1], key.shape[-2])
    attended = value.new_empty(*query.shape[:-1], value.shape[-1])
    pieces = _pieces(shape)
    kept = value.new_empty(shape) if len(pieces) > 1 and math.prod(shape) <= _MAX_KEPT_WEIGHTS else None
    for rows in pieces:
        weights = _weights(_cut(query, rows), _cut(key, rows), _cut_optional(bias, rows), scale, mask, rows)
        torch.bmm(
            apply_dropout(weights, _cut_optional(dropout_mask, rows)), _cut(value, rows), out=_cut(attended, rows)
        )
        if kept is not None:
            kept[rows] = weights
    return attended, weights if len(pieces) == 1 else kept


def attend_backward(  # noqa: PLR0917 - what forward kept, in its order
    gradient: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    weights: torch.Tensor | None,
    dropout_mask: torch.Tensor | None,
    bias: torch.Tensor | None,
    scale: float,
    mask: torch.Tensor | None = None,
    *,
    out: Sequence[torch.Tensor],
) -> None:
    """Write the gradients of query, key and value to ``out``, in the shapes that :func:`attend` takes them in."""
    query_gradient, key_gradient, value_gradient = out
    for rows in _pieces((*query.shape[:-1], key.shape[-2])):
        queries, keys, values = _cut(query, rows), _cut(key, rows), _cut(value, rows)
        attended_gradient, factors = _cut(gradient, rows), _cut_optional(dropout_mask, rows)
        if weights is None:
            piece = _weights(queries, keys, _cut_optional(bias, rows), scale, mask, rows)
        else:
            piece = _cut(weights, rows)
        torch.bmm(apply_dropout(piece, factors).mT, attended_gradient, out=_cut(value_gradient, rows))
        score_gradient = softmax_gradient(torch.bmm(attended_gradient, values.mT), piece, factors)
        _scaled_product(score_gradient, keys, scale, out=_cut(query_gradient, rows))
        _scaled_product(score_gradient.mT, queries, scale, out=_cut(key_gradient, rows))


def apply_dropout(tensor: torch.Tensor, dropout_mask: torch.Tensor | None) -> torch.Tensor:
    """Return a tensor times dropout's factors, if there are any; forward and backward are the same."""
    return tensor if dropout_mask is None else tensor * dropout_mask


def softmax_gradient(gradient: torch.Tensor, weights: torch.Tensor, dropout_mask: torch.Tensor | None) -> torch.Tensor:
    """Return the gradient of a softmax's inputs, shape (..., queries, keys).

    Args:
        gradient: The gradient of its outputs after dropout, changed in place.
        weights: Its outputs.
        dropout_mask: Dropout's factors.
    """
    dtype = gradient.dtype
    if dropout_mask is not None:
        gradient.mul_(dropout_mask)
    if dtype is torch.float32 or gradient.shape[-1] >= _VECTOR:
        return _softmax_backward(gradient, weights)
    return _softmax_backward(gradient.float(), weights.float()).to(dtype)


def _softmax_backward(gradient: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return weights * (gradient - sum(weights * gradient)), by PyTorch's own kernel if it exists.

    The kernel is private; it needs one pass where public operations need four.
    """
    kernel = getattr(torch, "_softmax_backward_data", None)
    if kernel is None:
        product = weights * gradient
        return product - weights * product.sum(dim=-1, keepdim=True)
    result: torch.Tensor = kernel(gradient, weights, -1, gradient.dtype)
    return result


def _pieces(shape: Sequence[int]) -> list[slice]:
    """Return which of the matrices (batch x heads) of scores are processed together."""
    num_rows = shape[0]
    num_pieces = max(1, math.prod(shape) // (_SCORES_PER_THREAD * torch.get_num_threads()))
    size = max(1, -(-num_rows // num_pieces))
    return [slice(start, min(start + size, num_rows)) for start in range(0, num_rows, size)]


def _cut(tensor: torch.Tensor, rows: slice) -> torch.Tensor:
    """Return some rows of a tensor; for all rows the tensor itself, since even a view takes time."""
    return tensor if rows == slice(0, len(tensor)) else tensor[rows]


def _cut_optional(tensor: torch.Tensor | None, rows: slice) -> torch.Tensor | None:
    return None if tensor is None else _cut(tensor, rows)


def _weights(  # noqa: PLR0917 - as of attend
    query: torch.Tensor,
    key: torch.Tensor,
    bias: torch.Tensor | None,
    scale: float,
    mask: torch.Tensor | None,
    rows: slice,
) -> torch.Tensor:
    """Return the attention weights of some rows; arguments as of :func:`attend`, the mask of all rows."""
    scores = _scaled_product(query, key.mT, scale) if bias is None else torch.baddbmm(bias, query, key.mT, alpha=scale)
    if mask is not None:
        numbers = torch.arange(rows.start, rows.stop)
        piece = mask[numbers // mask.shape[1], numbers % mask.shape[1]]
        lowest = torch.finfo(scores.dtype).min
        if piece.dtype == torch.bool:
            scores.masked_fill_(~piece, lowest)
        else:
            # The lowest number of a wider format is -inf in this one, and a row of nothing else would become NaN.
            scores.add_(piece.to(scores.dtype).clamp(min=lowest))
    # Summed in float32, as PyTorch does in its own attention.
    return torch.softmax(scores, dim=-1, dtype=torch.float32).to(scores.dtype)


def _scaled_product(
    left: torch.Tensor, right: torch.Tensor, scale: float, *, out: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the scaled products of a batch of matrices."""
    # With beta=0 the first argument is ignored; it only lets the product take a factor.
    return torch.baddbmm(left.new_empty(1, 1, 1), left, right, beta=0, alpha=scale, out=out)


def _merge_heads(tensor: torch.Tensor) -> torch.Tensor:
    """Return (batch, heads, tokens, width) as (batch x heads, tokens, width)."""
    return tensor.reshape(-1, *tensor.shape[-2:])


def _split_heads(tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Return (batch x heads, tokens, width) as (batch, heads, tokens, width)."""
    return tensor.view(*shape[:2], *tensor.shape[-2:])
