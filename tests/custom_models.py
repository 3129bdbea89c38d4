"""Factories of plain classifiers with batch norm, state, or torch's own layers, in train mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tiny import words_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable


class _Layer(nn.Module):
    """A layer without dropout, with or without batch normalisation over tokens, padding among them."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm, self.over_tokens = nn.LayerNorm(16), norm

    def forward(self, hidden: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        attended, _ = self.attention(hidden, hidden, hidden, key_padding_mask=padding, need_weights=False)
        output: torch.Tensor = self.over_tokens(self.norm(hidden + attended).mT).mT
        return output


class _MovingMean(nn.Module):
    """Subtracts the moving mean of its inputs in training."""

    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(16))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.mean.mul_(0.9).add_(hidden.detach().mean(0), alpha=0.1)
        return hidden - self.mean


class _Classifier(nn.Module):
    """Three layers and a head on first tokens."""

    def __init__(self, head: nn.Module, *, over_tokens: bool = False) -> None:
        super().__init__()
        self.table = nn.Embedding(64, 16)
        norms = (nn.BatchNorm1d(16) if over_tokens else nn.Identity() for _ in range(3))
        self.layers = nn.ModuleList(_Layer(norm) for norm in norms)
        self.head = nn.Sequential(head, nn.Linear(16, 2))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = self.table(input_ids)
        for layer in self.layers:
            hidden = layer(hidden, attention_mask == 0)
        return {"logits": self.head(hidden[:, 0])}


class _AttendsToPadding(_Classifier):
    """Ignores the attention mask, and pools padding with the tokens."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = self.table(input_ids)
        for layer in self.layers:
            hidden = layer(hidden, torch.zeros_like(attention_mask, dtype=torch.bool))
        return {"logits": self.head(hidden.mean(dim=1))}


class _TorchsOwn(nn.Module):
    """Torch's own encoder, which in eval mode packs sentences into nested tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(64, 16)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True), 3)
        self.head = nn.Linear(16, 2)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(self.table(input_ids), src_key_padding_mask=attention_mask == 0)
        scores: torch.Tensor = self.head(hidden[:, 0])
        return scores


def _made(make: Callable[[], nn.Module]) -> tuple[nn.Module, Any]:
    torch.manual_seed(1)
    return make().train(), words_tokenizer()


def batch_norm_head(_: int) -> tuple[nn.Module, Any]:
    """Batch normalisation in the head."""
    return _made(lambda: _Classifier(nn.BatchNorm1d(16)))


def moving_mean_head(_: int) -> tuple[nn.Module, Any]:
    """A head with a state that training changes."""
    return _made(lambda: _Classifier(_MovingMean()))


def batch_norm_layers(_: int) -> tuple[nn.Module, Any]:
    """Batch normalisation in the layers, over tokens and padding."""
    return _made(lambda: _Classifier(nn.Tanh(), over_tokens=True))


def attends_to_padding(_: int) -> tuple[nn.Module, Any]:
    """Scores that change with how far a sentence is padded."""
    return _made(lambda: _AttendsToPadding(nn.Tanh()))


def torchs_own_encoder(_: int) -> tuple[nn.Module, Any]:
    """Torch's own layers, which have a fast path in eval mode."""
    return _made(_TorchsOwn)
