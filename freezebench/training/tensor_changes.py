"""Whether a tensor was changed in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def change_count(tensor: torch.Tensor) -> int | None:
    """Return how often a tensor was changed in place since it was made; ``None`` if PyTorch does not count it.

    Inference tensors have no count. The count's attribute is private: a PyTorch without it counts nothing.
    """
    if tensor.is_inference():
        return None
    count: int | None = getattr(tensor, "_version", None)
    return count
