"""The data cache: what the runs of several models and data sets share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freezebench.data.load import load_data
from freezebench.models.load import load_model
from freezebench.runs import data_cache
from freezebench.runs.data_cache import DataCache
from freezebench.specs.data import DataSpec, NamedSource
from freezebench.specs.run import RunSpec
from freezebench.training.batches import encoding
from tiny import write_data, write_model


def _counted(calls: Counter[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that counts its calls."""

    def counted(*arguments: Any, **named: Any) -> Any:
        calls[name] += 1
        return function(*arguments, **named)

    return counted


def test_models_and_data_sets_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set once for models with equal class names, its token ids once per model, for all seeds and freezes."""
    calls: Counter[str] = Counter()
    monkeypatch.setattr(data_cache, "load_data", _counted(calls, "read", load_data))
    monkeypatch.setattr(encoding, "encode", _counted(calls, "tokenized", encoding.encode))
    models = [str(write_model(tmp_path / name)) for name in ("small", "same")]
    sources = [str(write_data(tmp_path / name)) for name in ("films", "books")]
    cache = DataCache()
    for model in models:
        loaded, tokenizer = load_model(model, num_labels=2)
        for source in sources:
            for freeze, seed in (("none", 1), ("emb", 2)):
                spec = RunSpec(model=model, data=DataSpec(source=source), freeze=freeze, seed=seed)
                assert cache.tokenized(spec, tokenizer, loaded) is cache.tokenized(spec, tokenizer, loaded)
    assert calls == {"read": 2, "tokenized": 3 * len(models) * len(sources)}  # three splits each


def test_files_of_further_test_sets_are_compared_too(tmp_path: Path) -> None:
    """A session ends if one of them changes while it runs, and names the source whose file it is."""
    own, other = (write_data(tmp_path / name) for name in ("films", "books"))
    further = NamedSource(name="books", source=str(other / "test.jsonl"))
    spec = RunSpec(model=str(write_model(tmp_path / "m")), data=DataSpec(source=str(own), test_sets=(further,)))
    cache = DataCache()
    assert set(cache.data(spec).splits) == {"train", "validation", "test", "test:books"}
    assert cache.changed_data_files(spec) == {}
    (other / "test.jsonl").write_text('{"text": "a film", "label": 0}\n', encoding="utf-8")
    assert cache.changed_data_files(spec) == {further.source: ["test.jsonl"]}
