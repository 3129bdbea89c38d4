"""Factory of a plain encoder of 24 layers that learns in seconds, unless the tenth layer is frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tiny import WORDS, words_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CLOSED = 9  # number of the tenth layer
_WIDTH = 16


class _Layer(nn.Module):
    """A residual layer, or one that passes nothing on until its gate has trained."""

    def __init__(self, *, is_closed: bool) -> None:
        super().__init__()
        self.dense = nn.Linear(_WIDTH, _WIDTH)
        nn.init.normal_(self.dense.weight, std=0.03)
        nn.init.zeros_(self.dense.bias)
        self.gate = nn.Parameter(torch.zeros(_WIDTH)) if is_closed else None

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = hidden + self.dense(hidden).tanh()
        return output if self.gate is None else self.gate * output


class _Encoder(nn.Module):
    """Words, of which those of a class are alike as in a pretrained model; layers; and a head on the mean."""

    def __init__(self, head: nn.Linear, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__()
        self.table = nn.Embedding(64, _WIDTH)
        self.layers = nn.ModuleList(_Layer(is_closed=number == CLOSED) for number in range(24))
        self.head = head
        with torch.no_grad():
            self.table.weight.mul_(0.3)
            for words in WORDS.values():
                self.table.weight[tokenizer.convert_tokens_to_ids(list(words))] += 2 * torch.randn(_WIDTH)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.table(input_ids)
        for layer in self.layers:
            hidden = layer(hidden)
        is_word = attention_mask.unsqueeze(-1)
        scores: torch.Tensor = self.head((hidden * is_word).sum(dim=1) / is_word.sum(dim=1))
        return scores


def closed_layer(num_labels: int) -> tuple[nn.Module, Any]:
    """Return an encoder, always the same one, with a head that follows from the seed of the run."""
    head, tokenizer = nn.Linear(_WIDTH, num_labels), words_tokenizer()
    torch.manual_seed(1)
    return _Encoder(head, tokenizer), tokenizer


closed_layer.num_layers = 24  # type: ignore[attr-defined]
