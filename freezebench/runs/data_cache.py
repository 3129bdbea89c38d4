"""DataCache: the inputs that the runs of one session share, each read or computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.data.load import load_data
from freezebench.data.read import local_file_hashes
from freezebench.models.source import ModelSource
from freezebench.specs.freeze import FreezeSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import torch
    from transformers import PreTrainedTokenizerBase

    from freezebench.data.load import TextData
    from freezebench.models.checkpoint import FileHashes
    from freezebench.specs.data import DataSpec
    from freezebench.specs.names import TaskName
    from freezebench.specs.run import RunSpec
    from freezebench.training.batches.encoding import Encoded
    from freezebench.training.batches.packed import PackedSplit
    from freezebench.training.prefix.cache import PrefixCache


@dataclass(frozen=True)
class TokenizedData:
    """A tokenized data set.

    Attributes:
        splits: The tokenized splits by name.
        tokenizer: What tokenized them, for the values of padding.
    """

    splits: Mapping[str, Encoded]
    tokenizer: PreTrainedTokenizerBase

    @cached_property
    def packed(self) -> dict[str, PackedSplit]:
        """The splits as arrays without padding, computed at the first use.

        Raises:
            NotPackableError: If a field does not have one number per token.
        """
        from freezebench.training.batches.packed import PackedSplit

        return {name: PackedSplit(split, self.tokenizer) for name, split in self.splits.items()}

    @cached_property
    def unknown(self) -> dict[str, tuple[int, int]]:
        """How many tokens of each split the tokenizer does not know, and how many it has in all; counted once."""
        from freezebench.training.batches.unknown_tokens import unknown_counts

        return unknown_counts(self.tokenizer, self.splits)


class DataCache:
    """Model sources, data sets, tokenized splits and frozen prefixes of one session.

    Model sources and data sets are read without importing torch.
    """

    def __init__(
        self,
        *,
        cache_bytes: int | None = None,
        prefix_folder: str | None = None,
        prefix_folder_bytes: int | None = None,
    ) -> None:
        """Take the limits of the prefix cache.

        Args:
            cache_bytes: Memory limit of cached prefixes; ``None``: the default limit.
            prefix_folder: Folder of prefixes that sessions share; ``None``: prefixes end with this object.
            prefix_folder_bytes: Size limit of that folder; ``None``: the default limit.
        """
        self._cache_bytes = cache_bytes
        self._prefix_folder, self._prefix_folder_bytes = prefix_folder, prefix_folder_bytes
        self._expected_depths: set[int] = set()
        self._sources: dict[tuple[str, str | None], ModelSource] = {}
        self._model_hashes: dict[tuple[str, str | None], FileHashes | None] = {}
        self._data_hashes: dict[str, dict[str, str]] = {}
        self._data: dict[tuple[DataSpec, tuple[str, ...] | None, TaskName | None], TextData] = {}
        self._first_weights: dict[tuple[str, str | None], dict[str, int]] = {}
        self._tokenized: dict[tuple[DataSpec, str, str | None, int], TokenizedData] = {}

    def model_source(self, name: str, revision: str | None = None) -> ModelSource:
        """Return the source of a model, resolved at the first call.

        Raises:
            ModelError: If the name is a path to no folder, or a revision is given for a model that is not on the Hub.
        """
        if (name, revision) not in self._sources:
            self._sources[name, revision] = ModelSource.resolve(name, revision)
        return self._sources[name, revision]

    def data(self, spec: RunSpec) -> TextData:
        """Return the data set of a run, read at the first call.

        Labels that are strings are numbered in the order of the model's class names.

        Raises:
            FreezebenchError: If the data cannot be read or is unfit, or the model's configuration cannot be read.
        """
        source = self.model_source(spec.model, spec.model_revision)
        # Names of classes of another task do not order those of this one.
        is_other = spec.data.task is not None and source.task not in {None, spec.data.task}
        label_names = None if is_other else source.label_names
        # Models with the same head share one copy of the data.
        key = (spec.data, label_names, source.task)
        if key not in self._data:
            for name in _sources(spec.data):
                self._data_hashes.setdefault(name, local_file_hashes(name))
            self._data[key] = load_data(spec.data, label_names=label_names, model_task=source.task)
        return self._data[key]

    def file_hashes(self, spec: RunSpec) -> FileHashes | None:
        """Return the hashes of the files of a run's model, taken at the first call; ``None`` for a factory.

        Raises:
            ModelError: If the files cannot be read.
        """
        key = (spec.model, spec.model_revision)
        if key not in self._model_hashes:
            self._model_hashes[key] = self.model_source(*key).file_hashes()
        return self._model_hashes[key]

    def changed_data_files(self, spec: RunSpec) -> dict[str, list[str]]:
        """Return the names of the local files of a run's data that are no longer what they were, by their source."""
        changed = {}
        for source in _sources(spec.data):
            before, after = self._data_hashes.get(source, {}), local_file_hashes(source)
            if names := sorted(name for name in {*before, *after} if before.get(name) != after.get(name)):
                changed[source] = names
        return changed

    def tokenized(self, spec: RunSpec, tokenizer: PreTrainedTokenizerBase, model: torch.nn.Module) -> TokenizedData:
        """Return the data set of a run as token ids, tokenized at the first call for a model and length.

        Args:
            spec: The run.
            tokenizer: The model's tokenizer.
            model: Its ``forward`` names the fields that it takes.
        """
        from freezebench.training.batches.encoding import encode, longest_input

        # The model's weights do not matter here, so all seeds and configurations share the token ids.
        max_length = longest_input(model, tokenizer, spec.protocol.max_length)
        key = (spec.data, spec.model, spec.model_revision, max_length)
        if key not in self._tokenized:
            splits = self.data(spec).splits
            encoded = {name: encode(split, tokenizer, model, max_length) for name, split in splits.items()}
            self._tokenized[key] = TokenizedData(encoded, tokenizer)
        return self._tokenized[key]

    def first_weights(self, spec: RunSpec, weights: dict[str, int]) -> dict[str, int]:
        """Return the checksums of the weights that the first run of a model started from, which ``weights`` may be."""
        return self._first_weights.setdefault((spec.model, spec.model_revision), weights)

    def expect(self, freezes: Iterable[str]) -> None:
        """Announce the configurations that will run, so that one pass over the data computes the prefixes of all."""
        specs = [FreezeSpec.parse(freeze).frozen_parts for freeze in freezes]
        self._expected_depths |= {spec.num_frozen_layers for spec in specs if spec.is_prefix and not spec.is_none}

    @property
    def prefixes(self) -> PrefixCache:
        """The session's cache of frozen prefixes."""
        # Configurations may be announced before the cache exists, and while torch is not yet imported.
        self._prefixes.expect(self._expected_depths)
        return self._prefixes

    @cached_property
    def _prefixes(self) -> PrefixCache:
        from freezebench.training.prefix.cache import DEFAULT_LIMIT_BYTES, PrefixCache
        from freezebench.training.prefix.files import PrefixFolder

        limit = DEFAULT_LIMIT_BYTES if self._cache_bytes is None else self._cache_bytes
        folder = self._prefix_folder
        return PrefixCache(limit, None if folder is None else PrefixFolder(Path(folder), self._prefix_folder_bytes))


def _sources(spec: DataSpec) -> tuple[str, ...]:
    """Return the sources of a data set and of the further test sets."""
    return (spec.source, *(item.source for item in spec.test_sets))
