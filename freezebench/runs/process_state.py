"""State of the process that a run needs: memory that earlier runs have freed, and torch's standard attention."""

from __future__ import annotations

import ctypes
import gc
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def standard_attention() -> Iterator[None]:
    """Turn off the fast path of torch's own transformer layers in a block.

    In eval mode that path passes nested tensors from layer to layer. The hidden states differ from those in training,
    and a model of which some layers learn fails.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def free_memory() -> None:
    """Free what earlier runs have left in memory, so that it does not count as this run's."""
    gc.collect()
    # The C library keeps freed memory for itself: with batches of many lengths, more than it ever uses again.
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
