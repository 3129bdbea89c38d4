"""One run per device at a time: a run waits for other sessions, and the waiting can be cancelled."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

import made_up
from freezebench.executors.device_lock import run_alone
from freezebench.records.events import RunEvent, RunProgressed, RunStarted, RunWaiting, TrainingStarted
from freezebench.records.locks import Lock
from freezebench.records.run_record import RunRecord
from freezebench.specs.run import RunSpec

RECORD = made_up.record("emb")


def _train(spec: RunSpec, emit: Callable[[object], None]) -> RunRecord:
    assert spec == RECORD.spec
    emit(TrainingStarted(epoch=1))
    emit("an event of an engine that holds tensors")
    return RECORD


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lock:
    """Return the lock of device ``cuda:0``, which another session holds."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    other = Lock(tmp_path / "freezebench-device-cuda-0.lock")
    assert other.try_acquire()
    return other


def test_a_run_waits_for_its_device(lock: Lock) -> None:
    """The waiting is one event, and the run trains as soon as the device is free."""
    events: list[RunEvent] = []

    def on_event(event: RunEvent) -> None:
        events.append(event)
        if isinstance(event, RunWaiting):
            lock.release()

    record = run_alone(RECORD.spec, "cuda:0", _train, on_event=on_event, cancelled=threading.Event())
    assert record == RECORD
    assert events == [
        RunStarted(spec=RECORD.spec),
        RunWaiting(spec=RECORD.spec, reason="another session trains on cuda:0"),
        RunProgressed(spec=RECORD.spec, event=TrainingStarted(epoch=1)),
    ]
    assert lock.try_acquire()
    lock.release()


def test_a_run_that_waits_can_be_cancelled(lock: Lock) -> None:
    """It ends without having trained."""
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(CancelledError):
        run_alone(RECORD.spec, "cuda:0", _train, on_event=lambda _: None, cancelled=cancelled)
    lock.release()


def test_a_run_trains_where_no_lock_file_can_be_made(lock: Lock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that others may disturb is better than none."""
    lock.release()

    def fail(_: Lock) -> bool:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Lock, "try_acquire", fail)
    assert run_alone(RECORD.spec, "cuda:0", _train, on_event=lambda _: None, cancelled=threading.Event()) == RECORD
