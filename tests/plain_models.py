"""Classifiers of plain modules without a configuration, whose layer stack and forward pass are given."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn


class Block(nn.Module):
    """A layer of a custom model."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return hidden states of the same shape."""
        return hidden + torch.tanh(self.dense(self.norm(hidden)))


class Custom(nn.Module):
    """A custom classifier of plain modules; the stack and how it runs are given."""

    def __init__(
        self,
        layers: nn.Module,
        run: Callable[[Any, torch.Tensor], torch.Tensor] | None = None,
        *,
        as_object: bool = False,
        **parts: Any,
    ) -> None:
        super().__init__()
        self.unused_before = nn.Parameter(torch.zeros(3))
        self.embed = nn.Embedding(40, 8, padding_idx=0)
        self.layers = layers
        for name, part in parts.items():
            setattr(self, name, part)
        self.output = nn.Linear(8, 3)
        self._run = run
        self._as_object = as_object

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        """Return logits of shape (batch, 3)."""
        assert attention_mask.shape == input_ids.shape
        assert (input_ids != 0).all(), "the padding id is no word"
        hidden = self.embed(input_ids)
        if self._run is not None:
            hidden = self._run(self, hidden)
        else:
            for layer in self.layers.children():
                hidden = layer(hidden)
        logits = self.output(hidden.mean(dim=1))
        return SimpleNamespace(logits=logits) if self._as_object else logits


def blocks(num: int) -> nn.ModuleList:
    """Return a list of layers."""
    return nn.ModuleList(Block() for _ in range(num))
