"""Random generators of the calling process, restored after a run."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def isolated_random_state(device: torch.device) -> Iterator[None]:
    """Restore the caller's random generators (torch, numpy, Python) at the end of the block."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - the state that Trainer reseeds
    # Only the generator of the device that trains: forking all would create a context on every visible GPU.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


def host_random_state() -> tuple[bytes, object, bytes]:
    """Return the states of the processor's random generators, to be compared."""
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002 - the generator that models may draw from
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), repr(numpy_state).encode()
