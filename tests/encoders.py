"""Small classifiers with random weights: two-layer encoders of many architectures, and a plain module."""

from __future__ import annotations

from typing import Any

import torch

_COMMON = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
_SIZES: dict[str, dict[str, Any]] = {
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24},
    "modernbert": {**_COMMON, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3},
    "deberta-v2": {**_COMMON, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "max_relative_positions": 8},
}


def encoder(
    architecture: str, attention: str, *, auto_class: str = "AutoModelForSequenceClassification", **changes: Any
) -> Any:
    """Return a classifier of texts, or of another class of transformers, in eval mode."""
    import transformers
    from transformers import AutoConfig

    torch.manual_seed(1)
    size = {**_SIZES.get(architecture, _COMMON), **changes}
    config = AutoConfig.for_model(architecture, vocab_size=64, num_labels=2, pad_token_id=0, **size)
    make: Any = getattr(transformers, auto_class).from_config
    return make(config, attn_implementation=attention).eval()


def batch() -> dict[str, torch.Tensor]:
    """Return four sentences of 9, 3, 5 and 2 tokens."""
    ids = torch.randint(5, 64, (4, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    for sentence, length in enumerate((9, 3, 5, 2)):
        ids[sentence, length:], mask[sentence, length:] = 0, 0
    return {"input_ids": ids, "attention_mask": mask}


class ResidualLayer(torch.nn.Module):
    """A layer with a parameter and a buffer without dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(16, 16)
        self.scale = torch.nn.Parameter(torch.tensor(0.9))
        self.register_buffer("num_batches_tracked", torch.tensor(3))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return hidden states."""
        out: torch.Tensor = hidden + self.scale * torch.tanh(self.inner(hidden))
        return out


class MeanClassifier(torch.nn.Module):
    """A classifier that pools all tokens; its head starts at zero, so that all inputs have the same scores.

    Attributes:
        runs_first_layer_twice: Whether the first layer runs again after the last one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(64, 16)
        self.layers = torch.nn.ModuleList(ResidualLayer() for _ in range(2))
        self.out = torch.nn.Linear(16, 2)
        torch.nn.init.zeros_(self.out.weight)
        torch.nn.init.zeros_(self.out.bias)
        self.runs_first_layer_twice = False

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return class scores."""
        hidden = self.table(input_ids)
        first = hidden
        for layer in self.layers:
            hidden = layer(hidden)
        if self.runs_first_layer_twice:
            hidden = hidden + self.layers[0](first)
        weights = attention_mask.unsqueeze(-1).float()
        logits: torch.Tensor = self.out((hidden * weights).sum(1) / weights.sum(1))
        return logits
