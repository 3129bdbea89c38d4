"""The allocator's peaks, with torch's CUDA replaced, and the breakdown on real tensors of the CPU."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from freezebench.meters import cuda as cuda_module
from freezebench.meters.cuda import CudaMeter, allocation_breakdown, synchronize, weights_breakdown
from freezebench.records.reading import Reading

if TYPE_CHECKING:
    import torch

NAMES = ("peak_allocated_bytes", "peak_reserved_bytes")


class FakeCuda:
    """An allocator with marks that the test sets, on two devices."""

    def __init__(self) -> None:
        self.ready = True
        self.allocated, self.reserved = [0, 0], [0, 0]
        self.resets: list[int] = []
        self.synchronized: list[int] = []

    def is_initialized(self) -> bool:
        """Whether CUDA is up."""
        return self.ready

    def device_count(self) -> int:
        """Two devices."""
        return 2

    def memory_reserved(self, index: int) -> int:
        """Return the bytes held now: here the mark."""
        return self.reserved[index]

    def max_memory_allocated(self, index: int) -> int:
        """Return the mark of the allocated bytes."""
        return self.allocated[index]

    def max_memory_reserved(self, index: int) -> int:
        """Return the mark of the reserved bytes."""
        return self.reserved[index]

    def reset_peak_memory_stats(self, index: int) -> None:
        """Begin both marks anew."""
        self.resets.append(index)
        self.allocated[index] = self.reserved[index] = 0

    def synchronize(self, index: int) -> None:
        """Note the call."""
        self.synchronized.append(index)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """A torch whose CUDA is up."""
    fake = FakeCuda()
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=fake))
    monkeypatch.setattr(cuda_module, "_REGISTERS", cuda_module._AllocatorRegisters())
    return fake


def test_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without CUDA in use the peaks are not measured, with the reason."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    meter = CudaMeter()
    meter.start()
    readings = meter.stop()
    assert {reading.reason for reading in readings.values()} == {"no CUDA device in use"}
    assert set(readings) == set(NAMES)


def test_peaks_begin_at_the_window(cuda: FakeCuda) -> None:
    """The marks are reset at the start, and read at the end."""
    cuda.allocated, cuda.reserved = [900, 0], [999, 0]
    meter = CudaMeter()
    meter.start()
    assert cuda.resets == [0, 1]
    cuda.allocated, cuda.reserved = [300, 0], [400, 0]
    readings = meter.stop()
    assert [readings[name].value for name in NAMES] == [300, 400]
    assert "sum over" not in readings[NAMES[0]].source


def test_several_devices_say_that_they_are_summed(cuda: FakeCuda) -> None:
    """Peaks of several devices are summed, and the source says so."""
    meter = CudaMeter()
    meter.start()
    cuda.allocated, cuda.reserved = [300, 50], [400, 60]
    reading = meter.stop()["peak_allocated_bytes"]
    assert reading.value == 350
    assert "sum over 2 devices" in reading.source


def test_nested_windows_keep_the_outer_peak(cuda: FakeCuda) -> None:
    """An inner window resets torch's marks; the outer one keeps what came before, of both kinds."""
    outer, inner = CudaMeter(), CudaMeter()
    outer.start()
    cuda.allocated, cuda.reserved = [800, 0], [900, 0]
    inner.start()
    cuda.allocated, cuda.reserved = [100, 0], [200, 0]
    for meter, expected in ((inner, [100, 200]), (outer, [800, 900])):
        readings = meter.stop()
        assert [readings[name].value for name in NAMES] == expected


def test_cuda_that_comes_up_within_the_window(cuda: FakeCuda) -> None:
    """Where CUDA comes up within the window its peaks since then are the window's."""
    cuda.ready = False
    meter = CudaMeter()
    meter.start()
    cuda.ready = True
    cuda.allocated, cuda.reserved = [70, 0], [80, 0]
    assert meter.stop()["peak_allocated_bytes"].value == 70


def test_synchronize_waits_for_the_devices_in_use(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    """The devices in use are waited for; a failed device is a message, not an exception."""
    cuda.reserved = [0, 5]
    assert synchronize() is None
    assert cuda.synchronized == [1]

    def fail(_: int) -> None:
        raise RuntimeError("device-side assert")

    monkeypatch.setattr(cuda, "synchronize", fail)
    assert synchronize() == "torch.cuda.synchronize failed: device-side assert"


def test_synchronize_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch there is nothing to wait for."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert synchronize() is None


@pytest.fixture
def trained() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """A model of 2 layers with one frozen, after a step of Adam, its gradients still there."""
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(100, 50), torch.nn.Linear(50, 10))
    model[0].requires_grad_(False)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])
    model(torch.ones(4, 100)).sum().backward()
    optimizer.step()
    return model, optimizer


def peak(value: float) -> Reading:
    """Return a peak."""
    return Reading(value=value, unit="B", source="test")


def test_breakdown(trained: tuple[torch.nn.Module, torch.optim.Optimizer]) -> None:
    """Parameters, gradients of what trains, two moments of Adam, and the rest add up to the peak."""
    model, optimizer = trained
    readings = allocation_breakdown(model, optimizer, peak(100_000), device_type="cpu")
    head = (50 * 10 + 10) * 4
    assert readings["allocated_parameters_bytes"].value == (100 * 50 + 50) * 4 + head
    assert readings["allocated_gradients_bytes"].value == head
    # Two moments of the head's size, and a step count for each of its two parameters.
    assert readings["allocated_optimizer_bytes"].value == 2 * head + 2 * 4
    assert sum(reading.value or 0 for reading in readings.values()) == 100_000


def test_breakdown_counts_shared_storage_once(trained: tuple[torch.nn.Module, torch.optim.Optimizer]) -> None:
    """Tied weights occupy memory once."""
    import torch

    _, optimizer = trained
    layer = torch.nn.Linear(10, 10, bias=False)
    tied = torch.nn.Linear(10, 10, bias=False)
    tied.weight = torch.nn.Parameter(layer.weight.data)
    model = torch.nn.Sequential(layer, tied)
    readings = allocation_breakdown(model, optimizer, peak(100_000), device_type="cpu")
    assert readings["allocated_parameters_bytes"].value == 400


def test_breakdown_without_gradients(trained: tuple[torch.nn.Module, torch.optim.Optimizer]) -> None:
    """Freed gradients leave gradients and rest unknown, not zero."""
    model, optimizer = trained
    optimizer.zero_grad()
    readings = allocation_breakdown(model, optimizer, peak(100_000), device_type="cpu")
    for name in ("allocated_gradients_bytes", "allocated_rest_bytes"):
        assert readings[name].value is None
        assert "freed before" in (readings[name].reason or "")
    assert readings["allocated_parameters_bytes"].value is not None


def test_breakdown_larger_than_the_peak(trained: tuple[torch.nn.Module, torch.optim.Optimizer]) -> None:
    """Parts that exceed the peak give no negative rest."""
    model, optimizer = trained
    reading = allocation_breakdown(model, optimizer, peak(10), device_type="cpu")["allocated_rest_bytes"]
    assert reading.value is None
    assert "outside the window" in (reading.reason or "")


def test_breakdown_without_a_peak(trained: tuple[torch.nn.Module, torch.optim.Optimizer]) -> None:
    """What is counted from tensors is known, and the rest is not, for the reason for which the peak is not."""
    model, optimizer = trained
    missing = Reading.not_measured("B", "test", "no CUDA device in use")
    readings = allocation_breakdown(model, optimizer, missing, device_type="cpu")
    counted = allocation_breakdown(model, optimizer, peak(100_000), device_type="cpu")
    rest = readings.pop("allocated_rest_bytes")
    assert (rest.value, rest.reason) == (None, "no CUDA device in use")
    assert readings == {name: counted[name] for name in readings}
    assert len(readings) == 3


def test_weights_that_were_added_are_told_from_merged_ones(
    trained: tuple[torch.nn.Module, torch.optim.Optimizer],
) -> None:
    """Together they are all parameters; what cannot be merged has a reason, and without additions there is nothing."""
    model, _ = trained
    added = {"1.weight", "1.bias"}
    readings = weights_breakdown(model, added, merges=True, device_type="cpu")
    assert readings["weights_added_bytes"].value == (50 * 10 + 10) * 4
    assert readings["weights_merged_bytes"].value == (100 * 50 + 50) * 4
    unmerged = weights_breakdown(model, added, merges=False, device_type="cpu")["weights_merged_bytes"]
    assert (unmerged.value, unmerged.reason) == (None, "what the strategy adds cannot be merged into other weights")
    assert weights_breakdown(model, (), merges=False) == {}
