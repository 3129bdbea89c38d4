"""The prefix cache: one pass for all depths, and tokens or [CLS] tokens only."""

from __future__ import annotations

from pathlib import Path

import torch

from cached_runs import cached_run, feed_of, frozen_model
from encoders import MeanClassifier
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.strategies.freeze import freeze
from tiny import packed_splits

SPECS = ["none", "emb", "emb+L0", "emb+L0-1"]


def test_one_pass_serves_every_configuration_and_seed(tiny_model: Path, tiny_data: Path) -> None:
    """The run that computed the prefix is charged with the pass, the others state that it is shared."""
    data_cache = DataCache()
    data_cache.expect(SPECS)
    records = [
        run(cached_run(tiny_model, tiny_data, freeze=freeze_text, seed=seed), data_cache=data_cache)
        for freeze_text in SPECS
        for seed in (42, 43)
    ]
    assert data_cache.prefixes.num_passes == 1
    charged = [record.value("prefix_s") for record in records if "prefix_s" in record.readings]
    assert charged[0]
    assert charged[1:] == [None] * 5
    assert "shared" in str(records[-1].readings["prefix_s"].reason)
    assert all(record.is_valid for record in records)


def test_depths_that_were_not_expected_cost_a_pass_each(tiny_model: Path, tiny_data: Path) -> None:
    """Without an announcement only the requested depth is computed."""
    data_cache = DataCache()
    for freeze_text in ("emb", "emb+L0", "emb"):
        run(cached_run(tiny_model, tiny_data, freeze=freeze_text), data_cache=data_cache)
    assert data_cache.prefixes.num_passes == 2


def test_the_head_alone_needs_the_first_token_only(tiny_model: Path) -> None:
    """Batches have one position if only the head is left, and all tokens if layers are."""
    for freeze_text, longest in (("emb+L0-1", 1), ("emb+L0", None)):
        model, tokenizer = frozen_model(tiny_model, freeze_text)
        feed = feed_of(model, freeze_text, packed_splits(model, tokenizer))
        length = feed.batch("train", torch.arange(8))["input_ids"].shape[1]
        assert length == longest if longest else length > 1


def test_pooling_over_all_tokens_keeps_them_all(tiny_model: Path) -> None:
    """The check is not misled by a head whose weights are zero."""
    _, tokenizer = frozen_model(tiny_model, "none")
    model = MeanClassifier()
    freeze(model, "emb+L0-1")
    feed = feed_of(model, "emb+L0-1", packed_splits(model, tokenizer))
    assert feed.prefix is not None
    assert feed.batch("train", torch.arange(8))["input_ids"].shape[1] > 1
    assert not model.out.weight.any()
