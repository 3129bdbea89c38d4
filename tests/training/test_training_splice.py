"""What a model's form is told by: what it returns, in train mode, too."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from freezebench.training.splice import observed_form


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
    return observed_form(model, "base.layers", {"input_ids": torch.arange(6).view(2, 3)}).ender, model.base


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
    observed_form(model, "base.layers", {"input_ids": torch.arange(6).view(2, 3)})
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert not any(module.training for module in model.modules())
