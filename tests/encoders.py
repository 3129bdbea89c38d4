"""Two-layer encoders of many architectures with random weights, and a batch for them."""

from __future__ import annotations

from typing import Any

import torch

_COMMON = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
_SIZES: dict[str, dict[str, Any]] = {
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24},
    "modernbert": {**_COMMON, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3},
    "deberta-v2": {**_COMMON, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "max_relative_positions": 8},
}


def encoder(architecture: str, attention: str, **changes: Any) -> Any:
    """Return a classifier in eval mode."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(1)
    size = {**_SIZES.get(architecture, _COMMON), **changes}
    config = AutoConfig.for_model(architecture, vocab_size=64, num_labels=2, pad_token_id=0, **size)
    make: Any = AutoModelForSequenceClassification.from_config
    return make(config, attn_implementation=attention).eval()


def batch() -> dict[str, torch.Tensor]:
    """Return four sentences of 9, 3, 5 and 2 tokens."""
    ids = torch.randint(5, 64, (4, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    for sentence, length in enumerate((9, 3, 5, 2)):
        ids[sentence, length:], mask[sentence, length:] = 0, 0
    return {"input_ids": ids, "attention_mask": mask}
