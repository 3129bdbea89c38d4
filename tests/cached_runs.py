"""Short runs of the cached engine on the tiny checkpoint, without dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezebench.specs.run import DataSpec, Protocol, RunSpec

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from transformers import PreTrainedTokenizerBase

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
