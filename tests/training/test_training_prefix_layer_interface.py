"""The interface of a model's layers: what they return, also in train mode, and what they need of each other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from freezebench.training.prefix.hidden_states import SpliceError
from freezebench.training.prefix.layer_interface import observe_interface

INPUTS = {"input_ids": torch.tensor([[1, 2, 3], [4, 5, 6]])}


class _Base(nn.Module):
    """Embeddings, two layers, and a module behind them."""

    def __init__(self, behind: nn.Module, wrap: Callable[[torch.Tensor], object]) -> None:
        super().__init__()
        self.embed, self.behind, self.wrap = nn.Embedding(9, 4), behind, wrap
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])

    def forward(self, input_ids: torch.Tensor) -> object:
        hidden = self.embed(input_ids)
        for layer in self.layers:
            hidden = layer(hidden)
        return self.wrap(self.behind(hidden))


class _Model(nn.Module):
    def __init__(self, behind: nn.Module, wrap: Callable[[torch.Tensor], object]) -> None:
        super().__init__()
        self.base, self.head = _Base(behind, wrap), nn.Linear(4, 2)

    def forward(self, input_ids: torch.Tensor) -> object:
        hidden = self.base(input_ids)
        hidden = hidden["hidden"] if isinstance(hidden, dict) else hidden
        return self.head((hidden[0] if isinstance(hidden, tuple) else hidden)[:, 0])


def _final_module(behind: nn.Module, wrap: Callable[[torch.Tensor], object]) -> tuple[nn.Module | None, nn.Module]:
    model = _Model(behind, wrap).eval()
    return observe_interface(model, "base.layers", {"input_ids": torch.arange(6).view(2, 3)}).final_module, model.base


class _Layer(nn.Module):
    """Returns hidden states and other values; ``adds`` makes it use what the layer before returned."""

    def __init__(self, *, adds: bool) -> None:
        super().__init__()
        self.linear, self.adds = nn.Linear(4, 4), adds

    def forward(self, hidden: torch.Tensor, bias: torch.Tensor | None) -> tuple[torch.Tensor, int, tuple[torch.Tensor]]:
        hidden = self.linear(hidden)
        if self.adds and bias is not None:
            hidden = hidden + bias
        return hidden, 7, (hidden.mean(-1, keepdim=True),)


class _Chain(nn.Module):
    """Passes on what layers return; ``takes`` makes it index the other values, whether or not a layer uses them."""

    def __init__(self, *, adds: bool = False, takes: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.layers = nn.ModuleList(_Layer(adds=adds) for _ in range(2))
        self.takes = takes

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        hidden, bias = self.embed(input_ids), None
        for layer in self.layers:
            hidden, _, others = layer(hidden, bias)
            bias = others[0] if others or self.takes else None
        scores: torch.Tensor = hidden[:, 0]
        return scores


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: (x, None), lambda x: {"hidden": x}])
def test_the_final_module_is_the_outermost_that_returns_the_last_output(wrap: Callable[[torch.Tensor], object]) -> None:
    """A base model that returns the last layer's output and nothing else is replaced as a whole."""
    final, base = _final_module(nn.Identity(), wrap)
    assert final is base


@pytest.mark.parametrize("behind", [nn.Dropout(0.5), nn.LayerNorm(4), nn.Sequential(nn.Identity(), nn.Dropout(0.5))])
def test_a_base_with_dropout_behind_the_layers_is_no_final_module(behind: nn.Module) -> None:
    """Dropout is the identity in eval mode, but would be lost in training."""
    final, _ = _final_module(behind, lambda x: x)
    assert final is None


def test_observation_changes_no_running_statistics() -> None:
    """Modes and buffers of the model are restored."""
    model = _Model(nn.Identity(), lambda x: x).eval()
    model.base.embed = nn.Sequential(nn.Embedding(9, 4), nn.BatchNorm1d(3))  # type: ignore[assignment]
    model.eval()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    observe_interface(model, "base.layers", {"input_ids": torch.arange(6).view(2, 3)})
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert not any(module.training for module in model.modules())


def test_unused_tensors_are_left_out() -> None:
    """Attention weights, for instance, which many models always return; other values stay."""
    assert observe_interface(_Chain().eval(), "layers", INPUTS).other_outputs == (7, None)


@pytest.mark.parametrize("model", [_Chain(adds=True), _Chain(takes=True)])
def test_tensors_that_later_layers_use_prevent_splicing(model: nn.Module) -> None:
    """They are detected by other hidden states, or by an error."""
    with pytest.raises(SpliceError, match="need more of each other than hidden states"):
        observe_interface(model.eval(), "layers", INPUTS)
