"""Data sets that were read and tokenized once, kept for the runs of one session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezebench.data.load import load_data
from freezebench.models.source import ModelSource
from freezebench.specs.freeze import FreezeSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from transformers import PreTrainedTokenizerBase

    from freezebench.data.load import TextData
    from freezebench.records.run_record import DataFacts
    from freezebench.specs.run import DataSpec, RunSpec
    from freezebench.training.batches.batching import Encoded
    from freezebench.training.batches.packed import FlatSplit
    from freezebench.training.prefix.cache import PrefixCache


class DataCache:
    """Data sets by what asks for them; reading one imports no torch."""

    def __init__(
        self,
        *,
        cache_bytes: int | None = None,
        prefix_folder: str | None = None,
        prefix_folder_bytes: int | None = None,
    ) -> None:
        """Say how cached prefixes are kept.

        Args:
            cache_bytes: How much memory they may take; ``None``: the usual limit.
            prefix_folder: Folder that sessions share; ``None``: they end with this object.
            prefix_folder_bytes: How large that folder may become; ``None``: the usual limit.
        """
        self._cache_bytes = cache_bytes
        self._folder = (prefix_folder, prefix_folder_bytes)
        self._prefixes: PrefixCache | None = None
        self._depths: set[int] = set()
        self._sources: dict[tuple[str, str | None], ModelSource] = {}
        self._flat: dict[int, dict[str, FlatSplit]] = {}
        self._data: dict[tuple[DataSpec, tuple[str, ...] | None], TextData] = {}
        self._facts: dict[tuple[DataSpec, tuple[str, ...] | None], DataFacts] = {}
        self._encoded: dict[tuple[Any, ...], dict[str, Encoded]] = {}

    def model_source(self, name: str, revision: str | None = None) -> ModelSource:
        """Return the source that a model's name stands for, resolved at the first call.

        Raises:
            ModelError: If there can be no such model.
        """
        if (name, revision) not in self._sources:
            self._sources[name, revision] = ModelSource.resolve(name, revision)
        return self._sources[name, revision]

    def data(self, spec: DataSpec, model: str) -> TextData:
        """Return a data set, read at the first call; labels that are strings take the order that the model gives them.

        Raises:
            FreezebenchError: If the data cannot be read or is unfit, or the model's configuration cannot be read.
        """
        key = (spec, self.model_source(model).label_names)
        if key not in self._data:
            self._data[key] = load_data(spec, label_names=key[1])
        return self._data[key]

    def facts(self, spec: DataSpec, model: str) -> DataFacts:
        """Return what records keep of a data set.

        Raises:
            FreezebenchError: As ``data`` does.
        """
        key = (spec, self.model_source(model).label_names)
        if key not in self._facts:
            self._facts[key] = self.data(spec, model).facts
        return self._facts[key]

    def expect(self, freezes: Iterable[str]) -> None:
        """Say which configurations will run, so that one pass over the data serves every depth among them."""
        specs = [FreezeSpec.parse(freeze) for freeze in freezes]
        self._depths |= {spec.num_frozen_layers for spec in specs if spec.is_prefix and not spec.is_none}

    @property
    def prefixes(self) -> PrefixCache:
        """The session's cache of frozen prefixes."""
        from freezebench.training.prefix.cache import DEFAULT_LIMIT_BYTES, PrefixCache
        from freezebench.training.prefix.files import PrefixFolder

        if self._prefixes is None:
            path, size = self._folder
            self._prefixes = PrefixCache(
                DEFAULT_LIMIT_BYTES if self._cache_bytes is None else self._cache_bytes,
                None if path is None else PrefixFolder(Path(path), size),
            )
        self._prefixes.expect(self._depths)
        return self._prefixes

    def flat(self, encoded: dict[str, Encoded], tokenizer: PreTrainedTokenizerBase) -> dict[str, FlatSplit]:
        """Return tokenized splits laid out flat, each once.

        Raises:
            ValueError: If a field does not have one number per token.
        """
        from freezebench.training.batches.packed import FlatSplit

        if id(encoded) not in self._flat:
            self._flat[id(encoded)] = {name: FlatSplit(split, tokenizer) for name, split in encoded.items()}
        return self._flat[id(encoded)]

    def flat_splits(self) -> Iterable[dict[str, FlatSplit]]:
        """Return what was laid out flat so far."""
        return self._flat.values()

    def encoded(
        self, spec: RunSpec, tokenizer: PreTrainedTokenizerBase, model: torch.nn.Module, max_length: int
    ) -> dict[str, Encoded]:
        """Return the tokenized splits by name."""
        from freezebench.training.batches.batching import encode

        key = (spec.data, spec.model, spec.model_revision, max_length)
        if key not in self._encoded:
            data = self.data(spec.data, spec.model)
            self._encoded[key] = {
                name: encode(split, tokenizer, model, max_length) for name, split in data.splits.items()
            }
        return self._encoded[key]
