"""The key of a frozen prefix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cached_runs import feed_of, frozen_model
from freezebench.models.layers import find_layers
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.run import Precision
from freezebench.training.batches.packed import PackedSplit
from freezebench.training.prefix.cache import PrefixCache
from freezebench.training.prefix.frozen_prefix import FrozenPrefix
from tiny import packed_splits


def test_other_contents_have_other_keys(tiny_model: Path) -> None:
    """Weights, sentences, number format and plain attributes are part of the key; the head's weights are not."""
    model, tokenizer = frozen_model(tiny_model, "emb+L0")
    cache = PrefixCache()
    spec = FreezeSpec.parse("emb+L0")
    splits = packed_splits(model, tokenizer)

    def passes(splits: dict[str, PackedSplit], precision: Precision = "float32") -> int:
        feed_of(model, str(spec), splits, cache, precision=precision)
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
    model.get_submodule("distilbert.transformer.layer.0.attention").scale = 3  # type: ignore[assignment]
    assert passes(splits) == 5
    moved: Any = model
    moved.name_or_path = moved.config._name_or_path = "another/folder"
    assert passes(splits) == 5


def test_devices_of_one_model_share(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of a GPU is not part of the key; its model is."""
    model, tokenizer = frozen_model(tiny_model, "emb+L0")
    splits = packed_splits(model, tokenizer)
    frozen = FrozenPrefix(model=model, stack="distilbert.transformer.layer", names=frozenset(), precision="float32")
    names = {0: "a GPU", 1: "a GPU", 2: "another GPU"}
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: names[device.index])
    keys = [frozen.key(splits)]
    for index in names:
        monkeypatch.setattr(FrozenPrefix, "device", torch.device("cuda", index))
        keys.append(frozen.key(splits))
    cpu, first, second, other = keys
    assert first == second
    assert len({cpu, first, other}) == 3
