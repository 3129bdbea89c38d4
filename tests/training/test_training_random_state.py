"""Random generators of the caller."""

from __future__ import annotations

import numpy as np
import torch

from freezebench.training.random_state import isolated_random_state


def test_the_random_state_is_restored() -> None:
    """Seeds that are set within the block have no effect after it."""
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    with isolated_random_state(torch.device("cpu")):
        torch.manual_seed(99)
        np.random.seed(99)  # noqa: NPY002
    assert torch.equal(torch.rand(1), expected)
