"""Linear layers with what stands behind them: bias, activation or a sum in the pass that writes the product.

PyTorch's own products of matrices first write the bias into the result and then read it again. oneDNN adds it, and
applies GELU or adds a residual, while it writes; PyTorch has those operations for its compiler's use.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import gelu

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

_NEAR = 0.02  # bf16's rounding, of a few products


def linear(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ``inputs weight^T + bias``, shape (rows, outputs).

    Args:
        inputs: Shape (rows, inputs).
        weight: Shape (outputs, inputs).
        bias: Shape (outputs,).
    """
    if _is_fused(inputs):
        fused: Tensor = _pointwise()(inputs, weight, bias, "none", [], "")
        return fused
    return torch.addmm(bias, inputs, weight.t())


def linear_gelu(inputs: Tensor, weight: Tensor, bias: Tensor, approximate: str) -> Tensor:
    """Return GELU of :func:`linear`, computed as ``approximate`` says: ``none`` or ``tanh``."""
    if _is_fused(inputs):
        fused: Tensor = _pointwise()(inputs, weight, bias, "gelu", [], approximate)
        return fused
    return gelu(linear(inputs, weight, bias), approximate=approximate)


def linear_plus(inputs: Tensor, weight: Tensor, bias: Tensor, other: Tensor) -> Tensor:
    """Return ``other`` plus :func:`linear`, shape (rows, outputs)."""
    if _is_fused(inputs):
        fused: Tensor = _pointwise().binary(inputs, other.contiguous(), weight, bias, "add")
        return fused
    return linear(inputs, weight, bias).add_(other)


def packed(weight: Tensor) -> Tensor:
    """Return a weight laid out for many products with it as it is, to be given to what stands above and nothing else.

    A weight in its usual layout is laid out anew within every product.
    """
    if not _is_fused(weight):
        return weight
    laid_out: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight)  # noqa: SLF001 - has no public name
    return laid_out


def counted_operations() -> dict[Any, Callable[..., int]]:
    """Return how the floating-point operations of what PyTorch's own counter does not know are counted, by operation.

    The functions take the shapes of an operation's arguments and, as ``out_shape``, that of its result.
    """
    return {_pointwise(): _operations} if _has_fused() else {}


def _operations(inputs: Sequence[int], *_: Any, out_shape: Sequence[int], **__: Any) -> int:
    return 2 * math.prod(out_shape) * inputs[-1]


def _pointwise() -> Any:
    return torch.ops.mkldnn._linear_pointwise  # noqa: SLF001 - has no public name


def _is_fused(tensor: Tensor) -> bool:
    # float32 keeps to the products that the rest of PyTorch uses: the same sums in the same order.
    return tensor.dtype is torch.bfloat16 and _has_fused()


@cache
def _has_fused() -> bool:
    """Return whether this PyTorch on this processor has oneDNN's operations in bf16, and they do what is meant here."""
    generator = torch.Generator().manual_seed(0)
    inputs, weight, other = (torch.randn(8, 8, generator=generator).bfloat16() for _ in range(3))
    bias = other[0].contiguous()
    product = inputs.float() @ weight.float().t() + bias.float()
    expected = (product, product, gelu(product), gelu(product, approximate="tanh"), product + other.float())
    try:
        run = _pointwise()
        laid_out = torch.ops.mkldnn._reorder_linear_weight(weight)  # noqa: SLF001 - has no public name
        got = (
            run(inputs, weight, bias, "none", [], ""),
            run(inputs, laid_out, bias, "none", [], ""),
            run(inputs, weight, bias, "gelu", [], "none"),
            run(inputs, weight, bias, "gelu", [], "tanh"),
            run.binary(inputs, other, weight, bias, "add"),
        )
    except (AttributeError, RuntimeError, TypeError):
        return False  # private names come and go
    return all(
        one.shape == right.shape and bool((one.float() - right).abs().max() <= _NEAR * right.abs().max())
        for one, right in zip(got, expected, strict=True)
    )
