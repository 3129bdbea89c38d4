"""The last layer for [CLS] tokens only: what a classification head does not read is not computed.

Attention of the last layer needs the keys and values of all tokens. Everything behind it works token by token, and
where the head reads the first token only, the other tokens' results are discarded::

                 all tokens                          first token only
    last layer   keys, values, attention weights ──► projection, normalization, feed-forward ──► head

No layer is rewritten: while the layer runs, its calls of linear layers and normalizations are intercepted, and after
attention they are given the first token only. Scores and gradients stay the same.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from freezebench.training.patched_forward import patched_forward

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SOFTMAX = frozenset({functional.softmax, torch.softmax, torch.Tensor.softmax})
_BY_TOKEN = frozenset({functional.linear, functional.layer_norm})
_NUM_DIMS = 3  # hidden states: (batch, tokens, width)


class ClsOnlyLayer:
    """While open, a layer continues with the first token of every sentence after its attention."""

    def __init__(self, layer: torch.nn.Module) -> None:
        """Take the last layer of a model whose head reads the first token only."""
        self._layer = layer
        self._contexts = ExitStack()

    def __enter__(self) -> Self:
        self._contexts.enter_context(patched_forward(self._layer, _cls_only(self._layer.forward)))
        return self

    def __exit__(self, *_: object) -> None:
        self._contexts.close()


def _cls_only(forward: Callable[..., object]) -> Callable[..., object]:
    """Return a layer's forward method that continues with first tokens after attention."""

    def cls_only_forward(*args: object, **kwargs: object) -> object:
        # A new mode for each call, since it starts before attention.
        with _ClsOnlyAfterAttention():
            return forward(*args, **kwargs)

    return cls_only_forward


class _ClsOnlyAfterAttention(TorchFunctionMode):
    """One forward pass in which linear layers and normalizations after attention get the first token only.

    A residual that still has all tokens is added to the first token's row by broadcasting: the first row of the sum is
    right, and the next linear layer or normalization takes only that.
    """

    def __init__(self) -> None:
        super().__init__()
        self._has_attended = False

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        if func is functional.scaled_dot_product_attention:
            self._has_attended = True
            return _attention(*args, **kwargs)  # type: ignore[arg-type]
        if func in _SOFTMAX:
            self._has_attended = True
        elif self._has_attended and func in _BY_TOKEN and args:
            hidden = args[0]
            if isinstance(hidden, torch.Tensor) and hidden.ndim == _NUM_DIMS:
                return func(hidden[:, :1], *args[1:], **kwargs)
        return func(*args, **kwargs)


def _attention(  # noqa: PLR0917 - torch's own signature
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Return the attention of first tokens, expanded to all tokens, which is the shape that the layer's code expects.

    Expanding copies nothing, and the next linear layer takes the first token only.
    """
    if is_causal:
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal=True, scale=scale, enable_gqa=enable_gqa
        )
    # The row of the first query.
    if attn_mask is not None and attn_mask.ndim > 1:
        attn_mask = attn_mask[..., :1, :]
    attended = functional.scaled_dot_product_attention(
        query[..., :1, :], key, value, attn_mask, dropout_p, scale=scale, enable_gqa=enable_gqa
    )
    return attended.expand(*attended.shape[:-2], query.shape[-2], attended.shape[-1])
