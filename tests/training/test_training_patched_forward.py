"""Patched forward methods."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from freezebench.training.patched_forward import patched_forward


def test_the_forward_method_is_restored() -> None:
    """That of the class, or that of the instance, which compiled modules and those hooked by accelerate have."""
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
