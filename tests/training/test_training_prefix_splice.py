"""Splicing leaves a model as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cached_runs import feed_of, frozen_model
from freezebench.training.prefix.feed import Feed
from tiny import packed_splits


def test_layers_are_restored_after_an_error(tiny_model: Path) -> None:
    """A spliced model computes the same as before."""
    model, tokenizer = frozen_model(tiny_model, "emb+L0")
    splits = packed_splits(model, tokenizer)
    feed = feed_of(model, "emb+L0", splits)
    batch = Feed(model, splits).batch("train", torch.arange(4))
    batch.pop("labels")
    model.eval()
    before = model(**batch).logits
    with pytest.raises(RuntimeError, match="out of luck"), feed:
        raise RuntimeError("out of luck")
    assert torch.equal(model(**batch).logits, before)
    assert all("forward" not in vars(layer) for layer in model.modules())
