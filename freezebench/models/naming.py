"""What messages call a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def model_name(model: torch.nn.Module) -> str:
    """Return a model's name in error messages: where it was loaded from, or its class."""
    source: object = getattr(getattr(model, "config", None), "_name_or_path", None)
    return source if isinstance(source, str) and source else type(model).__name__
