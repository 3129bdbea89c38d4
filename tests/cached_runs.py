"""Short runs of the cached engine on the tiny checkpoint, without dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezebench.specs.data import DataSpec
from freezebench.specs.run import Precision, Protocol, RunSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch
    from transformers import PreTrainedTokenizerBase

    from freezebench.training.batches.packed import PackedSplit
    from freezebench.training.prefix.cache import PrefixCache
    from freezebench.training.prefix.feed import Feed

PROTOCOL = Protocol(engine="cached", num_epochs=2, batch_size=8, learning_rate=1e-2, precision="float32", dropout=False)


def cached_run(model: Path, data: Path, **changes: Any) -> RunSpec:
    """Return a run on a CPU, some of its fields changed."""
    return RunSpec(model=str(model), data=DataSpec(source=str(data)), device="cpu", protocol=PROTOCOL, **changes)


def frozen_model(folder: Path, freeze_text: str) -> tuple[torch.nn.Module, PreTrainedTokenizerBase]:
    """Return a checkpoint's model, frozen by a spec, and its tokenizer."""
    import torch

    from freezebench.models.load import load_model
    from freezebench.strategies.freeze import freeze

    torch.manual_seed(0)
    model, tokenizer = load_model(str(folder))
    freeze(model, freeze_text)
    return model, tokenizer


def feed_of(
    model: torch.nn.Module,
    freeze_text: str,
    splits: Mapping[str, PackedSplit],
    cache: PrefixCache | None = None,
    *,
    precision: Precision = "float32",
) -> Feed:
    """Return the feed of a frozen model, with its prefix cached if one is frozen."""
    from freezebench.specs.freeze import FreezeSpec
    from freezebench.training.engines.cached import make_feed
    from freezebench.training.prefix.cache import PrefixCache

    spec = FreezeSpec.parse(freeze_text)
    depth = spec.num_frozen_layers if spec.is_prefix and not spec.is_none else None
    return make_feed(model, str(spec), splits, cache or PrefixCache(), depth=depth, precision=precision)


def write_encoder(architecture: str, folder: Path, auto_class: str = "AutoModelForSequenceClassification") -> Path:
    """Write a two-layer checkpoint of some architecture with the made-up words' tokenizer."""
    import torch
    import transformers
    from transformers import AutoConfig

    from tiny import write_tokenizer

    size: dict[str, Any] = {"vocab_size": 64, "num_labels": 2, "pad_token_id": 0}
    common = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    extra: dict[str, dict[str, Any]] = {
        "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24},
        "deberta-v2": {
            **common,
            "relative_attention": True,
            "pos_att_type": ["c2p", "p2c"],
            "max_relative_positions": 8,
        },
        "modernbert": {**common, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3},
        "roberta": {**common, "max_position_embeddings": 80},
        "longformer": {**common, "attention_window": 4},
        "xlnet": {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24},
        "squeezebert": {**common, "embedding_size": 16, "q_groups": 1, "k_groups": 1, "v_groups": 1}
        | dict.fromkeys(("post_attention_groups", "intermediate_groups", "output_groups"), 1),
    }
    torch.manual_seed(1)
    config = AutoConfig.for_model(architecture, **size, **extra.get(architecture, common))
    make: Any = getattr(transformers, auto_class).from_config
    model = make(config, attn_implementation="eager")
    model.save_pretrained(folder)
    write_tokenizer(folder)
    return folder
