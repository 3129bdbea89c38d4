"""What a model's form is told by: what it returns, in train mode, too, and what its layers read of each other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from freezebench.training.patch import patched_forward
from freezebench.training.prefix.hidden_states import SpliceError
from freezebench.training.prefix.layer_interface import observe_interface


class _Base(nn.Module):
    """Embeddings and two layers, and what stands behind them."""

    def __init__(self, behind: nn.Module, wrap: Any) -> None:
        super().__init__()
        self.embed, self.behind, self.wrap = nn.Embedding(9, 4), behind, wrap
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])

    def forward(self, input_ids: torch.Tensor) -> Any:
        hidden = self.embed(input_ids)
        for layer in self.layers:
            hidden = layer(hidden)
        return self.wrap(self.behind(hidden))


class _Model(nn.Module):
    def __init__(self, behind: nn.Module, wrap: Any) -> None:
        super().__init__()
        self.base, self.head = _Base(behind, wrap), nn.Linear(4, 2)

    def forward(self, input_ids: torch.Tensor) -> Any:
        hidden = self.base(input_ids)
        hidden = hidden["hidden"] if isinstance(hidden, dict) else hidden
        return self.head((hidden[0] if isinstance(hidden, tuple) else hidden)[:, 0])


def _ender(behind: nn.Module, wrap: Any) -> tuple[nn.Module | None, nn.Module]:
    model = _Model(behind, wrap).eval()
    return observe_interface(model, "base.layers", {"input_ids": torch.arange(6).view(2, 3)}).final_module, model.base


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: (x, None), lambda x: {"hidden": x}])
def test_what_ends_a_model_is_the_outermost_module_that_returns_the_last_output(wrap: Any) -> None:
    """A base that returns the last layer's output and nothing else is left out as a whole."""
    ender, base = _ender(nn.Identity(), wrap)
    assert ender is base


@pytest.mark.parametrize("behind", [nn.Dropout(0.5), nn.LayerNorm(4), nn.Sequential(nn.Identity(), nn.Dropout(0.5))])
def test_a_base_that_does_more_in_training_runs(behind: nn.Module) -> None:
    """Dropout behind the last layer does nothing in eval mode, but would be lost in training."""
    ender, _ = _ender(behind, lambda x: x)
    assert ender is None


def test_running_statistics_stay() -> None:
    """Looking at a model in train mode changes neither its statistics nor its modes."""
    model = _Model(nn.Identity(), lambda x: x).eval()
    model.base.embed = nn.Sequential(nn.Embedding(9, 4), nn.BatchNorm1d(3))  # type: ignore[assignment]
    model.eval()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    observe_interface(model, "base.layers", {"input_ids": torch.arange(6).view(2, 3)})
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert not any(module.training for module in model.modules())


class _Layer(nn.Module):
    """Returns hidden states and something beside them that it was or was not given."""

    def __init__(self, *, adds: bool) -> None:
        super().__init__()
        self.linear, self.adds = nn.Linear(4, 4), adds

    def forward(self, hidden: torch.Tensor, bias: torch.Tensor | None) -> tuple[torch.Tensor, int, tuple[torch.Tensor]]:
        hidden = self.linear(hidden)
        if self.adds and bias is not None:
            hidden = hidden + bias
        return hidden, 7, (hidden.mean(-1, keepdim=True),)


class _Chain(nn.Module):
    """Hands on what layers return: ``takes`` it apart, whether or not a layer uses it."""

    def __init__(self, *, adds: bool = False, takes: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.layers = nn.ModuleList(_Layer(adds=adds) for _ in range(2))
        self.takes = takes

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        hidden, bias = self.embed(input_ids), None
        for layer in self.layers:
            hidden, _, beside = layer(hidden, bias)
            bias = beside[0] if beside or self.takes else None
        scores: torch.Tensor = hidden[:, 0]
        return scores


INPUTS = {"input_ids": torch.tensor([[1, 2, 3], [4, 5, 6]])}


def test_what_nobody_reads_is_left_out() -> None:
    """Attention's weights, which many models return whether asked or not; what is no tensor stays."""
    assert observe_interface(_Chain().eval(), "layers", INPUTS).other_outputs == (7, None)


@pytest.mark.parametrize("model", [_Chain(adds=True), _Chain(takes=True)])
def test_what_later_layers_read_is_not(model: nn.Module) -> None:
    """A bias that the first layer makes for all: other hidden states, or an error, show it."""
    with pytest.raises(SpliceError, match="need more of each other than hidden states"):
        observe_interface(model.eval(), "layers", INPUTS)


def test_who_was_stood_in_for_comes_back() -> None:
    """A class's method, or the instance's own, as compiled modules and those that accelerate has hooked have one."""
    layer: Any = nn.Linear(4, 4)
    given = torch.ones(1, 4)

    def own(hidden: torch.Tensor) -> torch.Tensor:
        return 2 * nn.Linear.forward(layer, hidden)

    expected = layer(given)
    with patched_forward(layer, lambda hidden: hidden):
        assert torch.equal(layer(given), given)
    assert torch.equal(layer(given), expected)
    assert "forward" not in vars(layer)
    layer.forward = own
    with pytest.raises(RuntimeError, match="out of luck"), patched_forward(layer, lambda hidden: hidden):
        raise RuntimeError("out of luck")
    assert torch.equal(layer(given), 2 * expected)
