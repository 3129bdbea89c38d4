"""Quick operations on a CPU: dropout, attention and word embeddings that cost little beside the matrix products.

PyTorch draws dropout's random numbers one by one on a CPU, runs attention with dropout in many passes, and fills a
gradient of the whole vocabulary with zeros in every step. What stands here computes the same in fewer passes. Models
are not touched: their calls of ``torch.nn.functional`` are answered while a :class:`QuickOps` is entered.
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

    from freezebench.training.cpu.embedding_rows import UsedRows

_LEVELS = 2**16  # dropout rates are met to 1/65536
_POOL = 2**22
_USES_OF_A_POOL = 8
# Up to here the scores of all pairs of tokens fit the processor's caches, and one pass over them beats many blocks.
_SHORT = 128 * 128
_NUM_DIMS = 4  # queries, keys and values: (batch, heads, tokens, width of a head)


class MaskPool:
    """Dropout masks cut at random places out of a pool of random numbers, which is drawn anew after a few uses.

    Every element of a mask is kept with the asked probability; two masks of one pool may share a stretch, shifted.
    """

    def __init__(self, seed: int) -> None:
        """Start the generator; equal seeds give equal masks."""
        self._random = np.random.Generator(np.random.SFC64(seed))
        self._pools: dict[tuple[float, torch.dtype], tuple[torch.Tensor, int]] = {}

    def mask(self, shape: Sequence[int], p: float, dtype: torch.dtype) -> torch.Tensor:
        """Return a mask of 0 and 1 / (1 - p), so that a product with it keeps its mean; ``0 < p < 1``."""
        num = math.prod(shape)
        pool, left = self._pools.get((p, dtype), (torch.empty(0), 0))
        # A mask of long sentences has hundreds of millions of elements: some millions of places to start at are enough.
        if left <= 0 or len(pool) < num + min(num, _POOL // 2):
            pool = self._drawn(max(_POOL, num + min(3 * num, _POOL)), p, dtype)
            left = _USES_OF_A_POOL * len(pool)
        self._pools[p, dtype] = pool, left - num
        start = int(self._random.integers(0, len(pool) - num))
        return pool[start : start + num].view(tuple(shape))

    def _drawn(self, num: int, p: float, dtype: torch.dtype) -> torch.Tensor:
        words = self._random.integers(0, 2**64 - 1, size=-(-num // 4), dtype=np.uint64, endpoint=True)
        dropped = round(p * _LEVELS)
        # A kept element is its factor's bits times 1: NumPy does that in one pass, and has no bf16 to do it in.
        factor = torch.tensor(_LEVELS / (_LEVELS - dropped), dtype=dtype)
        bits = factor.view(INTEGERS_BY_SIZE[dtype.itemsize]).numpy()
        drawn = np.multiply(words.view(np.uint16)[:num] >= dropped, bits, dtype=bits.dtype)
        return torch.from_numpy(drawn).view(dtype)


class QuickOps(TorchFunctionMode):
    """Answers a model's calls of dropout, attention and word embedding while it is entered; others pass.

    Attributes:
        pool: Where dropout masks come from.
        rows: Rows of the word embedding that are in use; ``None``: the whole table is.
    """

    def __init__(self, seed: int) -> None:
        """Seed the dropout masks."""
        super().__init__()
        self.pool = MaskPool(seed)
        self._padding = PaddingBias()
        self.rows: UsedRows | None = None
        self._answers: dict[Any, Callable[..., Any]] = {
            functional.dropout: self._dropout,
            functional.scaled_dot_product_attention: self._attention,
            functional.embedding: self._embedding,
        }

    def __torch_function__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Answer one call of a torch function."""
        return self._answers.get(func, func)(*args, **(kwargs or {}))

    def _dropout(
        self,
        input: torch.Tensor,  # noqa: A002 - torch's own name, by which it may be given
        p: float = 0.5,
        training: bool = True,
        inplace: bool = False,
    ) -> torch.Tensor:
        if not training or inplace or not _is_small(p):
            return functional.dropout(input, p, training, inplace)
        return input * self.pool.mask(input.shape, p, input.dtype)

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
        short = query.shape[-2] * key.shape[-2] <= _SHORT
        is_odd = is_causal or enable_gqa or query.ndim != _NUM_DIMS or query.shape[:2] != key.shape[:2]
        learns = attn_mask is not None and attn_mask.requires_grad
        if is_odd or learns or not (_is_small(dropout_p) or (dropout_p == 0.0 and short)):
            return functional.scaled_dot_product_attention(
                query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
            )
        if torch.is_autocast_enabled("cpu"):
            query, key, value = (tensor.to(torch.get_autocast_dtype("cpu")) for tensor in (query, key, value))
        shape = torch.Size((*query.shape[:-1], key.shape[-2]))
        bias = None
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            bias = self._padding.rows(attn_mask, shape, query.dtype)
        keep = self.pool.mask((shape[0] * shape[1], *shape[2:]), dropout_p, query.dtype) if dropout_p else None
        scale = query.shape[-1] ** -0.5 if scale is None else scale
        attended: torch.Tensor = Attention.apply(query, key, value, attn_mask, bias, keep, scale)  # type: ignore[no-untyped-call]
        return attended

    def _embedding(self, ids: torch.Tensor, weight: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self.rows is not None and weight is self.rows.weight:
            return self.rows.embedding(ids)
        return functional.embedding(ids, weight, *args, **kwargs)


def _is_small(p: float) -> bool:
    """Return whether a rate drops something and keeps something."""
    return 0.0 < p < 1.0
