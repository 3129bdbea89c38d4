"""Linear layers with what stands behind them: the same figures with oneDNN's operations and without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.nn.functional import gelu
from torch.utils.flop_counter import FlopCounterMode

from freezebench.training.cpu import linear as module
from freezebench.training.cpu.linear import counted_operations, linear, linear_gelu, linear_plus, packed

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    module._has_fused.cache_clear()
    yield
    module._has_fused.cache_clear()


def _parts(dtype: torch.dtype) -> list[torch.Tensor]:
    """Return inputs, weight, bias, and another tensor whose rows lie apart, of a linear layer from 12 to 20."""
    generator = torch.Generator().manual_seed(1)
    shapes = ((7, 12), (20, 12), (20,), (7, 3, 20))
    inputs, weight, bias, other = (torch.randn(shape, generator=generator).to(dtype) for shape in shapes)
    return [inputs, weight, bias, other[:, 0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_the_sums_are_right(dtype: torch.dtype, approximate: str) -> None:
    """Bias, GELU and sum are those of the same operations one by one, to the number format's rounding."""
    inputs, weight, bias, other = _parts(dtype)
    product = inputs.float() @ weight.float().t() + bias.float()
    near: dict[str, Any] = {"rtol": 0.02, "atol": 0.02} if dtype is torch.bfloat16 else {"rtol": 1e-5, "atol": 1e-5}
    assert torch.allclose(linear(inputs, weight, bias).float(), product, **near)
    expected = gelu(product, approximate=approximate)
    assert torch.allclose(linear_gelu(inputs, weight, bias, approximate).float(), expected, **near)
    assert torch.allclose(linear_plus(inputs, weight, bias, other).float(), product + other.float(), **near)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_a_packed_weight_changes_no_bit(dtype: torch.dtype, rows: int) -> None:
    """However many rows there are: only the layout in memory is another."""
    inputs, weight, bias, _ = _parts(dtype)
    inputs = inputs[:1].expand(rows, -1).contiguous()
    other = bias.expand(rows, -1)
    laid_out = packed(weight)
    assert torch.equal(linear(inputs, laid_out, bias), linear(inputs, weight, bias))
    assert torch.equal(linear_gelu(inputs, laid_out, bias, "none"), linear_gelu(inputs, weight, bias, "none"))
    assert torch.equal(linear_plus(inputs, laid_out, bias, other), linear_plus(inputs, weight, bias, other))
    if dtype is torch.float32:
        assert laid_out is weight


class _Wrong:
    """Operations of the same names that mean something else."""

    def __call__(self, inputs: torch.Tensor, weight: torch.Tensor, *_: Any) -> torch.Tensor:
        return inputs @ weight.t()

    binary = __call__


class _Missing:
    """A build of PyTorch without them."""

    def __call__(self, *_: Any) -> torch.Tensor:
        raise RuntimeError("mkldnn::_linear_pointwise: no such kernel")


@pytest.mark.parametrize("found", [_Wrong(), _Missing()])
def test_private_operations_that_changed_are_not_used(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not compute what is meant, or does not exist, is left alone; the sums stay right."""
    monkeypatch.setattr(module, "_pointwise", lambda: found)
    assert not module._has_fused()
    inputs, weight, bias, _ = _parts(torch.bfloat16)
    assert packed(weight) is weight
    assert torch.equal(linear(inputs, weight, bias), torch.addmm(bias, inputs, weight.t()))


def test_their_operations_are_counted() -> None:
    """PyTorch's counter of floating-point operations does not know them; two per product of two numbers."""
    inputs, weight, bias, other = _parts(torch.bfloat16)
    laid_out = packed(weight)
    with FlopCounterMode(display=False, custom_mapping=counted_operations()) as counter:
        linear(inputs, weight, bias)
        linear_gelu(inputs, weight, bias, "none")
        linear_plus(inputs, weight, bias, other)
        linear(inputs, laid_out, bias)
    assert counter.get_total_flops() == 4 * 2 * 7 * 12 * 20
