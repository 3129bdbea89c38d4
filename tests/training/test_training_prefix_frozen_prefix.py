"""The key of a frozen prefix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from freezebench.models.layers import find_layers
from freezebench.specs.freeze import FreezeSpec
from freezebench.strategies.freeze import freeze
from freezebench.training.batches.packed import PackedSplit
from freezebench.training.engines.cached import make_feed
from freezebench.training.prefix.cache import PrefixCache
from tiny import packed_splits


def _loaded(folder: Path, freeze_text: str) -> tuple[Any, Any]:
    from freezebench.models.load import load_model

    torch.manual_seed(0)
    model, tokenizer = load_model(str(folder))
    freeze(model, freeze_text)
    return model, tokenizer


def test_other_contents_have_other_keys(tiny_model: Path) -> None:
    """Weights, sentences, number format and plain attributes are part of the key; the head's weights are not."""
    model, tokenizer = _loaded(tiny_model, "emb+L0")
    cache = PrefixCache()
    spec = FreezeSpec.parse("emb+L0")
    splits = packed_splits(model, tokenizer)

    def passes(splits: dict[str, PackedSplit], precision: Any = "float32") -> int:
        make_feed(model, spec, splits, cache, precision=precision)
        return cache.num_passes

    assert passes(splits) == 1
    with torch.no_grad():
        model.get_parameter("classifier.weight").add_(1)
    assert passes(splits) == 1
    assert passes(packed_splits(model, tokenizer, 26)) == 2
    assert passes(splits, "bf16") == 3
    with torch.no_grad():
        model.get_parameter(find_layers(model).layers[0][0]).add_(0.5)
    assert passes(splits) == 4
    model.distilbert.transformer.layer[0].attention.scale = 3
    assert passes(splits) == 5
    model.name_or_path = model.config._name_or_path = "another/folder"
    assert passes(splits) == 5
