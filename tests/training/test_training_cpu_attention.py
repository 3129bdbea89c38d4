"""Attention on a CPU equals attention composed of PyTorch's operations."""

from __future__ import annotations

import pytest
import torch

from freezebench.training.cpu import attention
from freezebench.training.cpu.attention import Attention, PaddingBias


def _composed(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, keep: torch.Tensor | None
) -> torch.Tensor:
    scores = query @ key.mT * 0.3
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    elif mask is not None:
        scores = scores + mask
    weights = torch.softmax(scores, dim=-1)
    return (weights if keep is None else weights * keep.view(weights.shape)) @ value


def _inputs(queries: int, keys: int, dtype: torch.dtype) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = [(3, 2, queries, 8), (3, 2, keys, 8), (3, 2, keys, 8)]
    return [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("queries", "keys"), [(9, 9), (16, 16), (1, 11)])
@pytest.mark.parametrize("kind", ["none", "padding", "by query", "added"])
@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("length", ["short", "kept in pieces", "computed again"])
def test_results_and_gradients_equal_composed_attention(  # noqa: PLR0917 - as pytest gives them
    kind: str, queries: int, keys: int, drops: bool, dtype: torch.dtype, length: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For every kind of mask, number format and shape, with and without dropout, in pieces and as a whole."""
    if length != "short":
        # Four of six rows at once, so that the last piece is a smaller one.
        monkeypatch.setattr(attention, "_SCORES_PER_THREAD", -(-4 * queries * keys // torch.get_num_threads()))
        monkeypatch.setattr(attention, "_MAX_KEPT_WEIGHTS", 10**6 if length == "kept in pieces" else 0)
    real = (torch.arange(keys) < torch.tensor([keys, 4, 1])[:, None])[:, None, None, :]
    by_query = real.expand(3, 1, queries, keys).clone()
    by_query[0, 0, 0, -1] = False
    added = torch.zeros(real.shape, dtype=dtype).masked_fill(~real, -50.0)
    mask = {"none": None, "padding": real, "by query": by_query, "added": added}[kind]
    keep = (torch.rand(6, queries, keys, generator=torch.Generator().manual_seed(2)) > 0.4).to(dtype) if drops else None
    got_of = _inputs(queries, keys, dtype)
    shape = torch.Size((3, 2, queries, keys))
    bias = None if mask is None or kind == "added" else PaddingBias().rows(mask, shape, dtype)
    assert (bias is not None) == (kind == "padding" or (kind == "by query" and queries == 1))
    got = Attention.apply(*got_of, mask, bias, keep, 0.3)  # type: ignore[no-untyped-call]
    expected_of = [tensor.detach().float().requires_grad_() for tensor in got_of]
    wide_mask = mask if mask is None or mask.dtype == torch.bool else mask.float()
    query, key, value = expected_of
    expected = _composed(query, key, value, wide_mask, None if keep is None else keep.float())
    tolerance = 1e-5 if dtype is torch.float32 else 4e-2
    assert torch.allclose(got.float(), expected, atol=tolerance)
    got.float().square().sum().backward()
    expected.square().sum().backward()  # type: ignore[no-untyped-call]
    for tensor, other in zip(got_of, expected_of, strict=True):
        assert tensor.grad is not None
        assert other.grad is not None
        assert torch.allclose(tensor.grad.float(), other.grad, atol=3 * tolerance, rtol=3 * tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("is_added", [False, True])
def test_a_sentence_without_any_token_stays_finite(is_added: bool, dtype: torch.dtype) -> None:
    """If every key is masked, all have the same weight, whatever the kind of mask."""
    real = torch.ones(3, 1, 1, 9, dtype=torch.bool)
    real[1] = False
    mask = torch.zeros(real.shape).masked_fill(~real, torch.finfo(torch.float32).min) if is_added else real
    inputs = _inputs(9, 9, dtype)
    bias = None if is_added else PaddingBias().rows(mask, torch.Size((3, 2, 9, 9)), dtype)
    got = Attention.apply(*inputs, mask, bias, None, 0.3)  # type: ignore[no-untyped-call]
    mean = inputs[2][1].detach().float().mean(dim=-2, keepdim=True).expand(2, 9, 8)
    assert torch.allclose(got[1].float(), mean, atol=1e-5 if dtype is torch.float32 else 2e-2)
    got.float().sum().backward()
    assert all(bool(torch.isfinite(tensor.grad).all()) for tensor in inputs if tensor.grad is not None)


def test_a_mask_per_sentence_is_broadcast() -> None:
    """One value for all keys of a sentence is as good as one per key."""
    mask = torch.tensor([True, False, True])[:, None, None, None]
    rows = PaddingBias().rows(mask, torch.Size((3, 2, 5, 5)), torch.float32)
    assert rows is not None
    assert rows.shape == (6, 1, 5)
    assert (rows != 0).any(dim=-1).flatten().tolist() == [False, False, True, True, False, False]


def test_rows_are_computed_once_per_mask() -> None:
    """All layers of a step share one bias; another mask and a mask that was changed get their own."""
    rows = PaddingBias()
    shape = torch.Size((2, 4, 5, 5))
    mask = torch.ones(2, 1, 5, 5, dtype=torch.bool)
    first = rows.rows(mask, shape, torch.float32)
    assert first is not None
    assert first.shape == (8, 1, 5)
    assert rows.rows(mask, shape, torch.float32) is first
    changed = mask.clone()
    changed[1, :, :, 3:] = False
    second = rows.rows(changed, shape, torch.float32)
    assert second is not None
    assert bool((second[4:, 0, 3:] < -1e30).all())
    assert not second[:4].any()
    mask[0, :, :, 1:] = False
    third = rows.rows(mask, shape, torch.float32)
    assert third is not None
    assert bool((third[:4, 0, 1:] < -1e30).all())
