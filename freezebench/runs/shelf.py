"""The shelf: data sets that were read and tokenized once, kept for the runs of one session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezebench.tasks.data import load_data
from freezebench.tasks.model_source import read_label_names

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from freezebench.specs.run import DataSpec, RunSpec
    from freezebench.tasks.data import TextData
    from freezebench.training.batching import Encoded


class DataShelf:
    """Data sets by what asks for them; reading one imports no torch."""

    def __init__(self) -> None:
        self._data: dict[tuple[DataSpec, tuple[str, ...] | None], TextData] = {}
        self._encoded: dict[tuple[Any, ...], dict[str, Encoded]] = {}

    def data(self, spec: DataSpec, model: str) -> TextData:
        """Return a data set, read at the first call; labels that are strings take the order that the model gives them.

        Raises:
            FreezebenchError: If the data cannot be read or is unfit, or the model's configuration cannot be read.
        """
        key = (spec, read_label_names(model))
        if key not in self._data:
            self._data[key] = load_data(spec, label_names=key[1])
        return self._data[key]

    def encoded(
        self, spec: RunSpec, tokenizer: PreTrainedTokenizerBase, model: torch.nn.Module, max_length: int
    ) -> dict[str, Encoded]:
        """Return the tokenized splits by name."""
        from freezebench.training.batching import encode

        key = (spec.data, spec.model, spec.model_revision, max_length)
        if key not in self._encoded:
            data = self.data(spec.data, spec.model)
            splits = {"train": data.train, "validation": data.validation, "test": data.test}
            self._encoded[key] = {name: encode(split, tokenizer, model, max_length) for name, split in splits.items()}
        return self._encoded[key]
