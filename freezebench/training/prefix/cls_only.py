"""The last layer for first tokens only: what a classification head does not read is not computed.

Attention of the last layer needs every token's key and value, but where the head reads the first token alone, so do
projection, normalisation and feed-forward network behind that attention. Scores and gradients are the same.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from freezebench.training.patch import standing_in

if TYPE_CHECKING:
    from collections.abc import Callable

_SOFTMAX = frozenset({functional.softmax, torch.softmax, torch.Tensor.softmax})
_BY_TOKEN = frozenset({functional.linear, functional.layer_norm})
_NUM_DIMS = 3  # hidden states: (batch, tokens, width)


class FirstTokens:
    """While open, a layer goes on with the first token of every sentence as soon as its attention is computed."""

    def __init__(self, layer: torch.nn.Module) -> None:
        """Take the last layer of a model whose head reads first tokens only."""
        self._layer = layer
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(standing_in(self._layer, _shortened(self._layer.forward)))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


def _shortened(own: Callable[..., Any]) -> Callable[..., Any]:
    """Return a layer's forward pass that goes on with first tokens behind attention."""

    def forward(*args: Any, **kwargs: Any) -> Any:
        with _FirstAfterAttention():
            return own(*args, **kwargs)

    return forward


class _FirstAfterAttention(TorchFunctionMode):
    """One forward pass: after attention, linear layers and normalisations are given first tokens only.

    A residual that still has all tokens is added to the first one's row by broadcasting: its own first row is right,
    and nobody reads the others.
    """

    def __init__(self) -> None:
        super().__init__()
        self._has_attended = False

    def __torch_function__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is functional.scaled_dot_product_attention:
            self._has_attended = True
            return _attention(*args, **kwargs)
        if func in _SOFTMAX:
            self._has_attended = True
        elif self._has_attended and func in _BY_TOKEN and args and args[0].ndim == _NUM_DIMS:
            return func(args[0][:, :1], *args[1:], **kwargs)
        return func(*args, **kwargs)


def _attention(  # noqa: PLR0917 - torch's own signature
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **options: Any,
) -> torch.Tensor:
    """Return the attention of first tokens in every token's place, where the layer's own code expects them."""
    if is_causal:
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal=True, **options
        )
    if attn_mask is not None and attn_mask.ndim > 1:
        attn_mask = attn_mask[..., :1, :]
    first = functional.scaled_dot_product_attention(query[..., :1, :], key, value, attn_mask, dropout_p, **options)
    return first.expand(*first.shape[:-2], query.shape[-2], first.shape[-1])
