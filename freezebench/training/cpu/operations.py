"""Faster operations on a CPU: dropout, attention and word embeddings.

PyTorch draws dropout's random numbers one by one on a CPU, runs attention with dropout in many passes over the scores,
and fills a gradient of the whole vocabulary with zeros in every step. The operations here compute the same in fewer
passes. Models are not changed: while :class:`CpuOperations` is entered, their calls of ``torch.nn.functional`` are
intercepted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from freezebench.training.cpu.attention import Attention, PaddingBias
from freezebench.training.device import INTEGERS_BY_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.training.cpu.embedding_rows import UsedEmbeddingRows

_LEVELS = 2**16  # dropout rates are exact to 1/65536
_POOL_SIZE = 2**22
_USES_OF_A_POOL = 8
# Up to here the scores of all pairs of tokens fit the processor's caches, and one pass over them is faster than blocks.
_MAX_SHORT = 128 * 128
_NUM_DIMS = 4  # queries, keys and values: (batch, heads, tokens, width of a head)


class MaskPool:
    """Dropout masks cut from a pool of random numbers at random offsets; the pool is drawn anew after a few uses.

    ::

        pool    1 0 1 1 1 0 1 1 1 1 0 1 1 0 1 …     drawn once
        masks       [1 1 1 0 1 1]   [0 1 1 0 …]     views, no copies

    Every element of a mask is kept with the given probability. Two masks of one pool may overlap, at shifted positions.
    """

    def __init__(self, seed: int) -> None:
        """Start the generator; equal seeds give equal masks."""
        self._random = np.random.Generator(np.random.SFC64(seed))
        self._pools: dict[tuple[float, torch.dtype], tuple[torch.Tensor, int]] = {}

    def mask(self, shape: Sequence[int], p: float, dtype: torch.dtype) -> torch.Tensor:
        """Return a mask of 0 and 1 / (1 - p), so that a product with it keeps its mean; ``0 < p < 1``."""
        num = math.prod(shape)
        pool, num_left = self._pools.get((p, dtype), (torch.empty(0), 0))
        # Masks of long sentences have hundreds of millions of elements: a pool that is some millions of elements larger
        # than the mask has enough offsets.
        if num_left <= 0 or len(pool) < num + min(num, _POOL_SIZE // 2):
            pool = self._draw(max(_POOL_SIZE, num + min(3 * num, _POOL_SIZE)), p, dtype)
            num_left = _USES_OF_A_POOL * len(pool)
        self._pools[p, dtype] = pool, num_left - num
        start = int(self._random.integers(0, len(pool) - num))
        return pool[start : start + num].view(tuple(shape))

    def _draw(self, num: int, p: float, dtype: torch.dtype) -> torch.Tensor:
        """Return a pool of ``num`` elements."""
        words = self._random.integers(0, 2**64 - 1, size=-(-num // 4), dtype=np.uint64, endpoint=True)
        # Each 16 bits of a random word decide about one element.
        num_dropped_levels = round(p * _LEVELS)
        # An element is the bits of its factor times 0 or 1: one pass of NumPy, which has no bf16 to multiply in.
        factor = torch.tensor(_LEVELS / (_LEVELS - num_dropped_levels), dtype=dtype)
        bits = factor.view(INTEGERS_BY_SIZE[dtype.itemsize]).numpy()
        drawn = np.multiply(words.view(np.uint16)[:num] >= num_dropped_levels, bits, dtype=bits.dtype)
        return torch.from_numpy(drawn).view(dtype)


class CpuOperations(TorchFunctionMode):
    """Replaces a model's dropout, attention and word embedding while it is entered; other calls are not changed.

    Attributes:
        masks: The source of dropout masks.
        embedding_rows: The used rows of the word embedding; ``None``: the whole table.
    """

    def __init__(self, seed: int) -> None:
        """Seed the dropout masks."""
        super().__init__()
        self.masks = MaskPool(seed)
        self.embedding_rows: UsedEmbeddingRows | None = None
        self._padding = PaddingBias()
        self._replacements: dict[Callable[..., object], Callable[..., object]] = {
            functional.dropout: self._dropout,
            functional.scaled_dot_product_attention: self._attention,
            functional.embedding: self._embedding,
        }

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        """Run one call of a torch function, or its replacement."""
        return self._replacements.get(func, func)(*args, **(kwargs or {}))

    def _dropout(
        self,
        input: torch.Tensor,  # noqa: A002 - torch's own name, by which it may be given
        p: float = 0.5,
        training: bool = True,
        inplace: bool = False,
    ) -> torch.Tensor:
        if not training or inplace or not _is_proper(p):
            return functional.dropout(input, p, training, inplace)
        return input * self.masks.mask(input.shape, p, input.dtype)

    def _attention(  # noqa: PLR0917 - torch's own signature
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        *,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> torch.Tensor:
        """Return softmax(query key^T scale + mask) value, each of shape (batch, heads, tokens, width of a head)."""
        is_short = query.shape[-2] * key.shape[-2] <= _MAX_SHORT
        is_special = is_causal or enable_gqa or query.ndim != _NUM_DIMS or query.shape[:2] != key.shape[:2]
        mask_learns = attn_mask is not None and attn_mask.requires_grad
        is_faster = _is_proper(dropout_p) or (dropout_p == 0.0 and is_short)
        if is_special or mask_learns or not is_faster:
            return functional.scaled_dot_product_attention(
                query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
            )
        # This mode is called before autocast, which would convert them.
        if torch.is_autocast_enabled("cpu"):
            query, key, value = (tensor.to(torch.get_autocast_dtype("cpu")) for tensor in (query, key, value))
        shape = torch.Size((*query.shape[:-1], key.shape[-2]))
        bias = None
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            bias = self._padding.rows(attn_mask, shape, query.dtype)
        dropout_mask = None
        if dropout_p:
            dropout_mask = self.masks.mask((shape[0] * shape[1], *shape[2:]), dropout_p, query.dtype)
        scale = query.shape[-1] ** -0.5 if scale is None else scale
        attended: torch.Tensor = Attention.apply(query, key, value, attn_mask, bias, dropout_mask, scale)  # type: ignore[no-untyped-call]
        return attended

    def _embedding(
        self,
        input: torch.Tensor,  # noqa: A002 - torch's own name
        weight: torch.Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> torch.Tensor:
        if self.embedding_rows is not None and weight is self.embedding_rows.weight:
            return self.embedding_rows.embedding(input)
        return functional.embedding(input, weight, *args, **kwargs)


def _is_proper(p: float) -> bool:
    """Return whether a dropout rate drops some elements and keeps some."""
    return 0.0 < p < 1.0
