"""Tapes: what a function launches on a device is recorded, to be launched again as a whole."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class Tape(Protocol):
    """Records what runs on a device."""

    def rehearsal(self) -> AbstractContextManager[None]:
        """Return a context in which a model goes the way of a recorded one, and raises what is wrong with it."""
        ...

    def record(self, phase: Callable[[], object]) -> Callable[[], None]:
        """Call a function without its work being done; return how to have the work done, again and again."""
        ...


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the one stream beside the default one that this process uses on a device.

    cuBLAS keeps tens of megabytes for every stream that it ever worked on.
    """
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


@contextmanager
def own_stream(device: torch.device) -> Iterator[torch.cuda.Stream]:
    """Run a block's work on a CUDA stream of its own, as capture requires, in order with the work before and after."""
    outer, stream = torch.cuda.current_stream(device), _side_stream(device)
    stream.wait_stream(outer)
    try:
        with torch.cuda.stream(stream):
            yield stream
    finally:
        outer.wait_stream(stream)


@contextmanager
def as_if_recorded() -> Iterator[None]:
    """Have a model think that it is recorded: transformers' leave out what looks at numbers to save work."""
    asked = torch.cuda.is_current_stream_capturing
    torch.cuda.is_current_stream_capturing = lambda: True
    try:
        yield
    finally:
        torch.cuda.is_current_stream_capturing = asked


class CudaTape:
    """Records CUDA graphs, which share their memory."""

    def __init__(self, stream: torch.cuda.Stream) -> None:
        """Record on a stream, which must be the current one."""
        self._stream = stream
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Have a model think that it is recorded, and raise where it waits for the device.

        A recording that fails leaves PyTorch's memory pools in disorder, so that it is found out before.
        """
        mode = torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings(action="ignore"):  # of a prototype
            torch.cuda.set_sync_debug_mode("error")
        try:
            with as_if_recorded():
                yield
        finally:
            torch.cuda.set_sync_debug_mode(mode)

    def record(self, phase: Callable[[], object]) -> Callable[[], None]:
        """Record what a function launches; return how to launch it again."""
        graph, generator = torch.cuda.CUDAGraph(), torch.cuda.default_generators[self._stream.device.index]
        state = generator.get_state()
        try:
            # What other threads of the process do meanwhile is none of the recording's business.
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                phase()
        except BaseException:
            # PyTorch leaves the generator in the state of one that is being recorded: it gets another state.
            fresh = torch.Generator(generator.device)
            fresh.set_state(state)
            generator.graphsafe_set_state(fresh.graphsafe_get_state())
            raise
        return graph.replay
