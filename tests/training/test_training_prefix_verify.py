"""Verification of cached prefixes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cached_runs import cached_run, feed_of, frozen_model
from encoders import MeanClassifier
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.strategies.freeze import freeze
from freezebench.training.prefix import verify
from freezebench.training.prefix.cache import PrefixCache
from freezebench.training.prefix.cached_prefix import CachedPrefix
from freezebench.training.prefix.feed import Feed
from freezebench.training.prefix.frozen_prefix import FrozenPrefix
from tiny import packed_splits


def test_a_wrong_cached_prefix_ends_the_run(tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong hidden states show in a sample, and nothing is trained on them."""
    real = PrefixCache.prefix

    def wrong(self: PrefixCache, *args: Any, **options: Any) -> CachedPrefix:
        prefix = real(self, *args, **options)
        return replace(prefix, hidden={name: tensor * 1.05 for name, tensor in prefix.hidden.items()})

    monkeypatch.setattr(PrefixCache, "prefix", wrong)
    record = run(cached_run(tiny_model, tiny_data, freeze="emb+L0"))
    assert (record.status, record.cause) == ("invalid", "prefix_mismatch")
    assert "is not what the model computes" in str(record.reason)


def test_a_prefix_is_verified_once_a_session(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other seeds have the same frozen layers; another depth is verified, and so is another session."""
    checked: list[int] = []
    real = verify._computed

    def counted(whole: Feed, frozen: FrozenPrefix, split: str, depth: int) -> verify._Sample:
        checked.append(depth)
        return real(whole, frozen, split, depth)

    monkeypatch.setattr(verify, "_computed", counted)
    data_cache = DataCache()
    first = run(cached_run(tiny_model, tiny_data, freeze="emb+L0"), data_cache=data_cache)
    assert checked == [1] * 3
    again = run(cached_run(tiny_model, tiny_data, freeze="emb+L0"), data_cache=data_cache)
    run(cached_run(tiny_model, tiny_data, freeze="emb+L0", seed=7), data_cache=data_cache)
    assert checked == [1] * 3
    assert again.step_losses == first.step_losses
    run(cached_run(tiny_model, tiny_data, freeze="emb"), data_cache=data_cache)
    run(cached_run(tiny_model, tiny_data, freeze="emb+L0"))
    assert checked == [1] * 3 + [0] * 3 + [1] * 3


def test_a_layer_that_runs_twice_cannot_be_left_out(tiny_model: Path) -> None:
    """The model trains whole, with a warning."""
    _, tokenizer = frozen_model(tiny_model, "none")
    model = MeanClassifier()
    freeze(model, "emb+L0")
    model.runs_first_layer_twice = True
    feed = feed_of(model, "emb+L0", packed_splits(model, tokenizer))
    assert feed.prefix is None
    assert "nothing is cached" in feed.warnings[0]
