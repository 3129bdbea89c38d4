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
