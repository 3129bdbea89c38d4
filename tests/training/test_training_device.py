"""What a run trains on: the number of threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from freezebench.training.device import limited_threads


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Let torch have two threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_small_steps_of_a_cpu_and_those_of_a_gpu_have_one_thread() -> None:
    """Only they, and only for as long as they take, however that ends."""
    seen = []
    for step_flop, device in ((10**7, "cpu"), (10**9, "cpu"), (10**9, "cuda:0")):
        with limited_threads(step_flop, torch.device(device)):
            seen.append(torch.get_num_threads())
        assert torch.get_num_threads() == 2
    assert seen == [1, 2, 1]
    with pytest.raises(ValueError, match="a step"), limited_threads(1, torch.device("cpu")):
        raise ValueError("a step failed")
    assert torch.get_num_threads() == 2
