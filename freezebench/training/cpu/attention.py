"""Attention with dropout on a CPU, in as few passes over the scores as it needs, forward and backward.

PyTorch composes it of a dozen operations, each with an intermediate tensor that backward keeps. Here backward keeps the
weights alone, in the number format of the values (as fused attention on GPUs does), and computes the rest again; those
of long sentences are computed again, too. Scores are worked on in pieces that stay in the processor's caches.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from collections.abc import Sequence

# Scores that a thread works on at once: with what is made of them, they fit its caches.
_AT_ONCE = 2**18
# More weights than these take longer to write and to read again than to compute again (and memory in every layer).
_KEPT = 2**23
# PyTorch's softmax gradient in bf16 is quick for rows that fill a vector.
_VECTOR = 32


class PaddingBias:
    """Turns boolean masks that hide the same keys from every query into rows to add, each mask once for all layers."""

    def __init__(self) -> None:
        self._mask: torch.Tensor | None = None
        self._version = 0
        self._rows: dict[tuple[torch.Size, torch.dtype], torch.Tensor | None] = {}

    def rows(self, mask: torch.Tensor, shape: torch.Size, dtype: torch.dtype) -> torch.Tensor | None:
        """Return what to add to scores of ``shape`` (batch, heads, queries, keys), shape (batch x heads, 1, keys).

        ``None``: the mask differs from query to query.
        """
        if mask.is_inference():  # whether it was changed since cannot be told
            return _padding_rows(mask, shape, dtype)
        if self._mask is not mask or self._version != mask._version:  # noqa: SLF001 - has no public name
            self._mask, self._version, self._rows = mask, mask._version, {}  # noqa: SLF001
        key = (shape, dtype)
        if key not in self._rows:
            self._rows[key] = _padding_rows(mask, shape, dtype)
        return self._rows[key]


def _padding_rows(mask: torch.Tensor, shape: torch.Size, dtype: torch.dtype) -> torch.Tensor | None:
    mask = mask.expand(shape[0], -1, -1, -1) if mask.ndim == len(shape) else mask.expand(shape)
    first = mask[:, :, :1]
    if not bool((mask == first).all()):
        return None
    bias = torch.zeros(first.shape, dtype=dtype).masked_fill_(~first, torch.finfo(dtype).min)
    return bias.expand(-1, shape[1], -1, shape[-1]).reshape(-1, 1, shape[-1])


class Attention(torch.autograd.Function):
    """softmax(query key^T scale, masked) with dropout, times value."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd takes no names
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: torch.Tensor | None,
        bias: torch.Tensor | None,
        keep: torch.Tensor | None,
        scale: float,
    ) -> torch.Tensor:
        """Return the attended values, shape (batch, heads, queries, width of a head).

        Args:
            ctx: Autograd's.
            query: Shape (batch, heads, queries, width of a head).
            key: Shape (batch, heads, keys, width of a head).
            value: Like ``key``.
            mask: What to add to the scores, or where to look if boolean; broadcast to (batch, heads, queries, keys).
            bias: The same as rows, see :class:`PaddingBias`; takes the place of ``mask``.
            keep: Dropout's factors, shape (batch x heads, queries, keys).
            scale: Factor of the scores.
        """
        shape = (*query.shape[:-1], key.shape[-2])
        query, key, value = (_flat(tensor) for tensor in (query, key, value))
        mask = None if mask is None or bias is not None else mask.expand(shape)
        attended, weights = attend(query, key, value, bias, keep, scale, mask)
        if weights is not None:
            bias = mask = None
        ctx.save_for_backward(query, key, value, weights, keep, bias, mask)
        ctx.shape, ctx.scale = shape, scale
        return attended.view(*shape[:-1], value.shape[-1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients of query, key and value."""
        query, key, value, weights, keep, bias, mask = ctx.saved_tensors
        parts = [torch.empty_like(one) for one in (query, key, value)]
        attend_backward(_flat(gradient), query, key, value, weights, keep, bias, ctx.scale, mask, out=parts)
        return (*(_unflat(part, ctx.shape) for part in parts), None, None, None, None)


def attend(  # noqa: PLR0917 - as the operations take them
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    keep: torch.Tensor | None,
    scale: float,
    mask: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the attended values, shape (batch x heads, queries, width of a head), and the attention's weights.

    The weights are ``None`` where there are so many that backward does better to compute them again.

    Args:
        query: Shape (batch x heads, queries, width of a head).
        key: Shape (batch x heads, keys, width of a head).
        value: Like ``key``.
        bias: What to add to the scores, shape (batch x heads, 1, keys).
        keep: Dropout's factors, shape (batch x heads, queries, keys).
        scale: Factor of the scores.
        mask: What to add to the scores, or where to look if boolean, shape (batch, heads, queries, keys).
    """
    shape = (*query.shape[:-1], key.shape[-2])
    attended = value.new_empty(*query.shape[:-1], value.shape[-1])
    pieces = _pieces(shape)
    weights = value.new_empty(shape) if len(pieces) > 1 and math.prod(shape) <= _KEPT else None
    for rows in pieces:
        into, asks, answers, values, kept, hides = _cut(rows, attended, query, key, value, keep, bias)
        made = _weights(asks, answers, hides, scale, mask, rows)
        torch.bmm(dropped(made, kept), values, out=into)
        if weights is not None:
            weights[rows] = made
    return attended, made if len(pieces) == 1 else weights


def attend_backward(  # noqa: PLR0917 - what forward kept, in its order
    gradient: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    weights: torch.Tensor | None,
    keep: torch.Tensor | None,
    bias: torch.Tensor | None,
    scale: float,
    mask: torch.Tensor | None = None,
    *,
    out: Sequence[torch.Tensor],
) -> None:
    """Write the gradients of query, key and value, each in the shape that :func:`attend` takes, into ``out``."""
    for rows in _pieces((*query.shape[:-1], key.shape[-2])):
        back, asks, answers, values, made, kept, hides = _cut(rows, gradient, query, key, value, weights, keep, bias)
        if made is None:
            made = _weights(asks, answers, hides, scale, mask, rows)
        of_query, of_key, of_value = _cut(rows, *out)
        torch.bmm(dropped(made, kept).mT, back, out=of_value)
        of_scores = softmax_gradient(torch.bmm(back, values.mT), made, kept)
        _product(of_scores, answers, scale, out=of_query)
        _product(of_scores.mT, asks, scale, out=of_key)


def weights_of(scores: torch.Tensor) -> torch.Tensor:
    """Return the softmax of scores, shape (..., queries, keys), summed in float32."""
    return torch.softmax(scores, dim=-1, dtype=torch.float32).to(scores.dtype)


def dropped(tensor: torch.Tensor, keep: torch.Tensor | None) -> torch.Tensor:
    """Return a tensor times dropout's factors, if there are any; forward and backward are the same."""
    return tensor if keep is None else tensor * keep


def softmax_gradient(gradient: torch.Tensor, weights: torch.Tensor, keep: torch.Tensor | None) -> torch.Tensor:
    """Return the gradient of a softmax's inputs, shape (..., queries, keys).

    Args:
        gradient: That of its outputs behind dropout, changed in place.
        weights: Its outputs.
        keep: Dropout's factors.
    """
    dtype = gradient.dtype
    if keep is not None:
        gradient.mul_(keep)
    if dtype is torch.float32 or gradient.shape[-1] >= _VECTOR:
        return torch._softmax_backward_data(gradient, weights, -1, dtype)  # noqa: SLF001 - has no public name
    of_scores = torch._softmax_backward_data(gradient.float(), weights.float(), -1, torch.float32)  # noqa: SLF001
    return of_scores.to(dtype)


def _pieces(shape: Sequence[int]) -> list[slice]:
    """Return which of the rows (batch x heads) of scores to work on together."""
    num_rows = shape[0]
    num_pieces = max(1, math.prod(shape) // (_AT_ONCE * torch.get_num_threads()))
    size = max(1, -(-num_rows // num_pieces))
    return [slice(start, min(start + size, num_rows)) for start in range(0, num_rows, size)]


def _cut(rows: slice, *tensors: Any) -> tuple[Any, ...]:
    """Return some rows of tensors, ``None`` for ``None``; all rows are the tensors themselves, which takes no time."""
    return tuple(one if one is None or rows == slice(0, len(one)) else one[rows] for one in tensors)


def _weights(  # noqa: PLR0917 - as of attend
    query: torch.Tensor,
    key: torch.Tensor,
    bias: torch.Tensor | None,
    scale: float,
    mask: torch.Tensor | None,
    rows: slice,
) -> torch.Tensor:
    """Return the attention's weights of some rows; arguments as of :func:`attend`, the mask of all rows."""
    scores = _product(query, key.mT, scale) if bias is None else torch.baddbmm(bias, query, key.mT, alpha=scale)
    if mask is not None:
        numbers = torch.arange(rows.start, rows.stop)
        part = mask[numbers // mask.shape[1], numbers % mask.shape[1]]
        lowest = torch.finfo(scores.dtype).min
        if part.dtype == torch.bool:
            scores.masked_fill_(~part, lowest)
        else:
            # The lowest number of a wider format is -inf in this one, and rows of nothing else would become NaN.
            scores.add_(part.to(scores.dtype).clamp(min=lowest))
    return weights_of(scores)


def _product(left: torch.Tensor, right: torch.Tensor, scale: float, *, out: torch.Tensor | None = None) -> torch.Tensor:
    """Return the scaled products of a batch of matrices."""
    return torch.baddbmm(left.new_empty(1, 1, 1), left, right, beta=0, alpha=scale, out=out)


def _flat(tensor: torch.Tensor) -> torch.Tensor:
    """Return (batch, heads, tokens, width) as (batch x heads, tokens, width)."""
    return tensor.reshape(-1, *tensor.shape[-2:])


def _unflat(tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Return (batch x heads, tokens, width) as (batch, heads, tokens, width)."""
    return tensor.view(*shape[:2], *tensor.shape[-2:])
