"""Devices, number formats and the number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from freezebench.errors import SettingsError
from freezebench.training import device as precision
from freezebench.training.device import device_id, limited_threads


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Let torch have two threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_small_steps_and_those_of_a_gpu_have_one_thread() -> None:
    """The number of threads is restored, also after an error."""
    seen = []
    for step_flop, device in ((10**7, "cpu"), (10**9, "cpu"), (10**9, "cuda:0")):
        with limited_threads(step_flop, torch.device(device)):
            seen.append(torch.get_num_threads())
        assert torch.get_num_threads() == 2
    assert seen == [1, 2, 1]
    with pytest.raises(ValueError, match="a step"), limited_threads(1, torch.device("cpu")):
        raise ValueError("a step failed")
    assert torch.get_num_threads() == 2


def test_devices_that_do_not_exist_are_refused() -> None:
    """The error names the devices that exist."""
    assert precision.resolve_device("cpu").type == "cpu"
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert precision.resolve_device("auto").type == "cpu"
    with pytest.raises(SettingsError, match="finds no CUDA device"):
        precision.resolve_device("cuda:3")


@pytest.mark.parametrize(
    ("uuid", "visible", "expected"),
    [
        ("8932f937-d72c", "1,0", "GPU-8932f937-d72c"),
        ("GPU-8932f937-d72c", None, "GPU-8932f937-d72c"),
        ("MIG-8932f937-d72c", None, "MIG-8932f937-d72c"),
        ("8932f937-d72c", "GPU-89, MIG-1f0a", "MIG-1f0a"),
        (None, "3,2", "cuda:2"),
        (None, None, "cuda:1"),
    ],
)
def test_gpus_are_told_apart_by_their_uuids(
    monkeypatch: pytest.MonkeyPatch, uuid: str | None, visible: str | None, expected: str
) -> None:
    """Two sessions with other CUDA_VISIBLE_DEVICES give one index to two GPUs; a MIG instance has a UUID of its own."""
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=uuid, index=index))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert device_id(torch.device("cuda", 1)) == expected
    assert device_id(torch.device("cpu")) == "cpu"


def test_auto_precision_follows_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is bf16 if the CPU has native instructions for it, else float32; an explicit format is used as it is."""
    cpu = torch.device("cpu")
    monkeypatch.setattr(precision, "_cpu_flags", lambda: {"avx2", "amx_bf16"})
    assert precision.resolve_precision("auto", cpu) == "bf16"
    monkeypatch.setattr(precision, "_cpu_flags", lambda: {"avx2"})
    assert precision.resolve_precision("auto", cpu) == "float32"
    assert precision.resolve_precision("bf16", cpu) == "bf16"
    assert precision.resolve_precision("float32", cpu) == "float32"
