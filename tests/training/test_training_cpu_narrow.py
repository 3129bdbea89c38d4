"""Gradients that stay in bf16: the steps are AdamW's, and the gradients of layers' matrices alone are narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.nn import Parameter

from encoders import batch, blocks_of, encoder
from freezebench.runs.experiment import run
from freezebench.specs.run import DataSpec, Protocol, RunSpec
from freezebench.training.cpu import blocks as blocks_module
from freezebench.training.cpu import narrow
from freezebench.training.cpu.narrow import NarrowAdamW, can_be_narrow
from freezebench.training.device import total_norm

if TYPE_CHECKING:
    from pathlib import Path

needs_narrow = pytest.mark.skipif(not can_be_narrow(), reason="this PyTorch has no gradients of another number format")


def _parameters() -> list[Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [Parameter(torch.randn(*shape, generator=generator)) for shape in ((40, 25), (8, 8), (3, 70))]


@needs_narrow
@pytest.mark.parametrize("piece", [50, 64, 2**18])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_pieces_step_as_the_whole(piece: int, weight_decay: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters and moments are those of AdamW that was given the gradients widened, whatever the pieces."""
    monkeypatch.setattr(narrow, "_PIECE", piece)
    mine, theirs = _parameters(), _parameters()
    first, second = (torch.optim.AdamW(one, lr=1e-2, weight_decay=weight_decay, fused=True) for one in (mine, theirs))
    step = NarrowAdamW(first)
    generator = torch.Generator().manual_seed(1)
    for number in range(5):
        gradients = [torch.randn(one.shape, generator=generator).bfloat16() for one in theirs]
        for optimizer in (first, second):
            optimizer.param_groups[0]["lr"] = 1e-2 / (1 + number)
            optimizer.grad_scale = torch.tensor(1.5)  # type: ignore[attr-defined]
        step.step(dict(zip(mine, gradients, strict=True)))
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = gradient.float()
        second.step()
    for one, other in zip(mine, theirs, strict=True):
        assert torch.allclose(one, other, atol=1e-6)
        assert first.state[one].keys() == second.state[other].keys()
        for name, value in first.state[one].items():
            assert torch.allclose(value, second.state[other][name], atol=1e-6), name


def test_the_norm_is_of_all_gradients() -> None:
    """By rows or not, in bf16 or not: the norm is the one that float64 gives, and infinity is not lost."""
    generator = torch.Generator().manual_seed(0)
    gradients = [torch.randn(shape, generator=generator) for shape in ((600, 500), (30, 20), (7,), ())]
    gradients.append(torch.randn(300, 200, generator=generator).bfloat16())
    right = torch.cat([one.double().flatten() for one in gradients]).norm()
    assert float(total_norm(gradients)) == pytest.approx(float(right), rel=1e-4)
    gradients[4][3, 3] = torch.inf
    assert torch.isinf(total_norm(gradients))


def _narrow(model: Any) -> set[str]:
    """Return the names of gradients in bf16 after a backward pass within blocks."""
    with blocks_of(model):
        with torch.autocast("cpu", torch.bfloat16):
            scores = model(**batch()).logits
        scores.float().square().sum().backward()
        found = {name for name, one in model.named_parameters() if one.grad is not None and one.grad.dtype != one.dtype}
    assert {one.grad.dtype for one in model.parameters() if one.grad is not None} == {torch.float32}
    return found


@needs_narrow
def test_weights_of_layers_alone_are_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six matrices of each layer, none that is frozen or not contiguous; once the layers are closed all are wide."""
    model = encoder("bert", "sdpa")
    first, second = (layer.output.dense for layer in model.bert.encoder.layer)
    first.weight.requires_grad = False
    second.weight = Parameter(second.weight.detach().t().contiguous().t())
    names = _narrow(model)
    assert len(names) == 10
    assert all("encoder.layer" in name and name.endswith("weight") for name in names)
    gradients = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    monkeypatch.setattr(blocks_module, "can_be_narrow", lambda: False)
    assert not _narrow(model)
    for name, gradient in gradients.items():
        assert torch.equal(gradient, model.get_parameter(name).grad), name


@needs_narrow
def test_runs_with_narrow_gradients_are_the_same(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run in bf16 takes them in every step, and has the losses of one whose gradients are widened as a whole."""
    protocol = Protocol(engine="cached", num_epochs=2, precision="bf16", learning_rate=1e-3)
    spec = RunSpec(
        model=str(tiny_model),
        data=DataSpec(source=str(tiny_data)),
        freeze="emb",
        seed=1,
        device="cpu",
        protocol=protocol,
    )
    taken = []
    step = NarrowAdamW.step

    def count(self: NarrowAdamW, gradients: Any) -> None:
        taken.append(len(gradients))
        step(self, gradients)

    monkeypatch.setattr(NarrowAdamW, "step", count)
    losses = run(spec).step_losses
    assert taken == [12] * len(losses)
    monkeypatch.setattr(blocks_module, "can_be_narrow", lambda: False)
    assert run(spec).step_losses == pytest.approx(losses, rel=1e-3)
    assert taken[len(losses) :] == [0] * len(losses)
