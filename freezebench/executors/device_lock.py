"""One run per device at a time, across all sessions of this machine."""

from __future__ import annotations

import re
import tempfile
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.records.events import ProgressEvent, RunProgressed, RunStarted, RunWaiting
from freezebench.records.locks import Lock

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from freezebench.executors.base import OnEvent
    from freezebench.records.run_record import RunRecord
    from freezebench.specs.run import RunSpec

_POLL_EVERY_S = 0.5


def run_alone(
    spec: RunSpec,
    device: str,
    train: Callable[[RunSpec, Callable[[object], None]], RunRecord],
    *,
    on_event: OnEvent,
    cancelled: threading.Event,
) -> RunRecord:
    """Return the record of a run that has its device to itself; its times would mean nothing otherwise.

    Args:
        spec: The run.
        device: Name of its device on this machine, such as ``cpu`` or ``cuda:0``.
        train: Trains a run and calls its second argument with the events of training.
        on_event: Receives that the run started, waits and progresses.
        cancelled: Ends the waiting for the device once it is set.

    Raises:
        CancelledError: If the run was cancelled before it had the device.
    """
    on_event(RunStarted(spec=spec))

    def emit(event: object) -> None:
        # Engines emit more than these: what holds tensors stays in the process that trains.
        if isinstance(event, ProgressEvent):
            on_event(RunProgressed(spec=spec, event=event))

    def on_wait() -> None:
        on_event(RunWaiting(spec=spec, reason=f"another session trains on {device}"))

    with _device_lock(device, on_wait, cancelled):
        return train(spec, emit)


@contextmanager
def _device_lock(device: str, on_wait: Callable[[], None], cancelled: threading.Event) -> Iterator[None]:
    """Hold the lock of a device, once no other session of this machine does; ``on_wait`` is called at most once."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", device)
    lock = None
    with suppress(OSError):  # where no lock file can be made, a run that may be disturbed is better than none
        lock = Lock(Path(tempfile.gettempdir()) / f"freezebench-device-{name}.lock")
        if not lock.try_acquire():
            on_wait()
            while not lock.try_acquire():
                if cancelled.wait(_POLL_EVERY_S):
                    raise CancelledError
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
