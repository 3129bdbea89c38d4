"""Quick operations compute what PyTorch's do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from freezebench.training.cpu.operations import CpuOperations, MaskPool


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_masks_keep_the_mean(p: float, dtype: torch.dtype) -> None:
    """The given share is dropped, the rest is scaled up, and masks differ."""
    pool = MaskPool(0)
    first, second = (pool.mask((100, 1000), p, dtype) for _ in range(2))
    assert first.shape == (100, 1000)
    assert first.dtype == dtype
    assert float((first == 0).float().mean()) == pytest.approx(p, abs=0.01)
    assert float(first.float().mean()) == pytest.approx(1, abs=0.05)
    assert not torch.equal(first, second)


def test_masks_depend_on_the_seed() -> None:
    """Equal seeds give equal masks, other seeds others."""
    first, again, other = (MaskPool(seed).mask((1000,), 0.3, torch.float32) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_masks_may_be_larger_than_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool grows with the masks, is drawn anew after some uses, and earlier masks stay as they are."""
    monkeypatch.setattr("freezebench.training.cpu.operations._POOL_SIZE", 64)
    pool = MaskPool(0)
    first = pool.mask((50, 40), 0.5, torch.float32)
    kept = first.clone()
    others = [pool.mask((50, 40), 0.5, torch.float32) for _ in range(100)]
    assert first.untyped_storage().nbytes() <= 4 * (first.numel() + 64)  # long sentences: memory is what counts
    assert torch.equal(first, kept)
    assert not any(torch.equal(first, other) for other in others[50:])


def _qkv(length: int = 9) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(3, 2, length, 8, generator=generator, requires_grad=True) for _ in range(3))
    return query, key, value


def _masks(length: int = 9) -> list[dict[str, Any]]:
    lengths = torch.tensor([length, 4, 1])
    real = (torch.arange(length) < lengths[:, None])[:, None, None, :].expand(3, 1, length, length)
    added = torch.zeros(3, 1, length, length).masked_fill(~real, torch.finfo(torch.float32).min)
    return [{}, {"attn_mask": real}, {"attn_mask": added}, {"is_causal": True}, {"scale": 0.3}]


@pytest.mark.parametrize("number", range(5))
def test_attention_equals_that_of_pytorch(number: int) -> None:
    """Results and gradients are equal with every kind of mask."""
    options = _masks()[number]
    expected_of, got_of = _qkv(), _qkv()
    expected = functional.scaled_dot_product_attention(*expected_of, **options)
    with CpuOperations(0):
        got = functional.scaled_dot_product_attention(*got_of, **options)
    assert torch.allclose(got, expected, atol=1e-5)
    expected.square().sum().backward()  # type: ignore[no-untyped-call]
    got.square().sum().backward()  # type: ignore[no-untyped-call]
    for tensor, other in zip(got_of, expected_of, strict=True):
        assert tensor.grad is not None
        assert other.grad is not None
        assert torch.allclose(tensor.grad, other.grad, atol=1e-4)


def test_dropout_in_attention_keeps_the_mean() -> None:
    """Averaged over many masks, dropout changes nothing; a single one changes much."""
    query, key, value = (tensor.detach() for tensor in _qkv())
    plain = functional.scaled_dot_product_attention(query, key, value)
    with CpuOperations(0):
        drawn = [functional.scaled_dot_product_attention(query, key, value, dropout_p=0.2) for _ in range(3000)]
    assert not torch.allclose(drawn[0], plain, atol=0.05)
    assert torch.allclose(torch.stack(drawn).mean(0), plain, atol=0.05)


def test_dropout_is_replaced_in_train_mode_only() -> None:
    """In eval mode nn.Dropout is the identity; rates 0 and 1 are PyTorch's."""
    ones = torch.ones(10_000)
    module = nn.Dropout(0.25)
    with CpuOperations(0):
        dropped = module(ones)
        assert torch.equal(module.eval()(ones), ones)
        assert not functional.dropout(ones, 1.0).any()
        assert torch.equal(functional.dropout(ones, 0.0), ones)
    assert sorted(set(dropped.tolist())) == pytest.approx([0.0, 4 / 3], rel=1e-3)
