"""Capture by CUDA graphs: the work that a function launches on a GPU is recorded, to be launched again as a whole."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class GraphCapture(Protocol):
    """Captures the work that functions launch on a device."""

    def dry_run(self) -> AbstractContextManager[None]:
        """Return a context in which a model runs eagerly by the same code as in a capture.

        What a capture does not allow raises an error in it.
        """
        ...

    def capture(self, phase: Callable[[], object]) -> Callable[[], None]:
        """Call a function without execution of the work that it launches; return the function that executes it."""
        ...


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the one stream besides the default one that this process uses on a device.

    cuBLAS keeps tens of megabytes for every stream that it has worked on.
    """
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


@contextmanager
def side_stream(device: torch.device) -> Iterator[torch.cuda.Stream]:
    """Run a block's work on a CUDA stream of its own, as capture requires, in order with the work before and after."""
    outer, stream = torch.cuda.current_stream(device), _side_stream(device)
    stream.wait_stream(outer)
    try:
        with torch.cuda.stream(stream):
            yield stream
    finally:
        outer.wait_stream(stream)


@contextmanager
def reported_as_capturing() -> Iterator[None]:
    """Make PyTorch report that a capture is running.

    The models of transformers inspect masks to save work, unless a capture is running: an inspection synchronizes
    with the device, which no capture allows.
    """
    is_capturing = torch.cuda.is_current_stream_capturing
    torch.cuda.is_current_stream_capturing = lambda: True
    try:
        yield
    finally:
        torch.cuda.is_current_stream_capturing = is_capturing


class CudaGraphCapture:
    """Captures CUDA graphs that share one memory pool."""

    def __init__(self, stream: torch.cuda.Stream) -> None:
        """Capture on a stream, which must be the current one."""
        self._stream = stream
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def dry_run(self) -> Iterator[None]:
        """Run a model by the same code as in a capture; raise where it synchronizes with the device.

        A capture that fails leaves PyTorch's memory pools in disorder, so that a failure should show before.
        """
        # In this mode PyTorch raises an error at every call that synchronizes.
        mode = torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings(action="ignore"):  # PyTorch warns that the mode is a prototype
            torch.cuda.set_sync_debug_mode("error")
        try:
            with reported_as_capturing():
                yield
        finally:
            torch.cuda.set_sync_debug_mode(mode)

    def capture(self, phase: Callable[[], object]) -> Callable[[], None]:
        """Capture what a function launches; return the function that launches it again."""
        graph, generator = torch.cuda.CUDAGraph(), torch.cuda.default_generators[self._stream.device.index]
        state = generator.get_state()
        try:
            # Only this thread must keep the rules of a capture: a progress display may use the GPU meanwhile.
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                phase()
        except BaseException:
            # A failed capture leaves the generator bound to it, so that eager dropout would fail: it gets a new state.
            fresh = torch.Generator(generator.device)
            fresh.set_state(state)
            generator.graphsafe_set_state(fresh.graphsafe_get_state())
            raise
        return graph.replay
