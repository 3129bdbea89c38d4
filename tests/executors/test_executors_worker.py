"""The worker executor without training: how workers are replaced, and what a session leaves."""

from __future__ import annotations

import errno
import tempfile
import threading
import time
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path

import pytest

import made_up
from fake_worker import Make, answers, run
from freezebench.errors import FreezebenchError
from freezebench.executors.worker import WorkerExecutor
from freezebench.records.locks import Lock
from freezebench.records.run_record import InvalidCause


def test_a_healthy_worker_is_kept(make: Make) -> None:
    """The record comes back as it was written; one process for all runs."""
    record = made_up.record("emb")
    executor = make(answers(record))
    assert run(executor, record) == record
    assert run(executor, record) == record
    assert executor.num_workers == 1


def test_a_fresh_worker_for_everyrun(make: Make) -> None:
    """Nothing of one run can reach the next."""
    record = made_up.record("emb")
    executor = make(answers(record), keep=False)
    for _ in range(3):
        assert run(executor, record) == record
    assert executor.num_workers == 3


def test_a_worker_is_replaced_after_a_fault_of_its_own(make: Make) -> None:
    """After a crash in training the process may be damaged, as after a sticky CUDA error."""
    expected: dict[InvalidCause, int] = {"crash": 2, "out_of_memory": 2, "non_finite_loss": 1}
    for cause, num_workers in expected.items():
        record = replace(made_up.broken("emb", 42), cause=cause)
        executor = make(answers(record))
        run(executor, record)
        run(executor, record)
        assert executor.num_workers == num_workers


def test_errors_of_freezebench_are_raised_in_the_session(make: Make) -> None:
    """The worker sends the message, and its process is kept."""
    executor = make("result = {'error': 'no such layer'}")
    with pytest.raises(FreezebenchError, match="no such layer"):
        executor.preflight(made_up.record("emb").spec, ["emb"])
    assert executor.num_workers == 1


def test_a_preflight_that_ends_its_process_is_an_error(make: Make) -> None:
    """A model whose code crashes ends the session before anything is trained."""
    with pytest.raises(FreezebenchError, match=r"could not be tried: its process was ended by SIGSEGV"):
        make("os.kill(os.getpid(), 11)").preflight(made_up.record("emb").spec, ["emb"])


@pytest.mark.usefixtures("own_strategies")
def test_a_preflight_that_fails_names_the_code_of_others_that_it_ran(make: Make) -> None:
    """Of strategies of other packages, any may have ended the process."""
    message = r"^tiny, with the strategy few of own-strategies and later of own-strategies, could not be tried: its"
    with pytest.raises(FreezebenchError, match=message):
        make("os.kill(os.getpid(), 11)").preflight(made_up.record("emb").spec, ["none", "few+later", "emb+bitfit"])


def test_folders_of_killed_sessions_are_removed(make: Make, tmp_path: Path) -> None:
    """The kernel released their locks; the folder of a living session stays."""
    dead, alive = tmp_path / "freezebench-session-dead", tmp_path / "freezebench-session-alive"
    dead.mkdir()
    alive.mkdir()
    (dead / "prefixes").mkdir()
    lock = Lock(alive / "lock")
    assert lock.try_acquire()
    make("pass")
    assert not dead.exists()
    assert alive.exists()
    lock.release()
    make("pass", keep=False)
    assert not alive.exists()


def _refuse(*_: object, **__: object) -> bool:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_stops_no_kept_worker(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Requests, answers and logs pass through memory: no file is made."""
    monkeypatch.setattr(Lock, "_open", _refuse)
    monkeypatch.setattr(tempfile, "mkdtemp", _refuse)
    monkeypatch.setattr(tempfile, "gettempdir", _refuse)
    record = made_up.record("emb")
    assert run(make(answers(record)), record) == record
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failing", ["try_acquire", "mkdtemp"])
def test_fresh_processes_that_can_share_no_file_say_what_to_do(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failing: str
) -> None:
    """The error is raised before anything trains, and leaves no folder."""
    with monkeypatch.context() as patched:
        patched.setattr(Lock if failing == "try_acquire" else tempfile, failing, _refuse)
        with pytest.raises(FreezebenchError, match=r"^nothing can be written .*No space left.*set TMPDIR"):
            make("pass", keep=False)
    assert not list(tmp_path.iterdir())


def test_a_worker_outlives_the_thread_that_made_its_executor(make: Make) -> None:
    """Linux ends a worker with the thread that started it: that is the executor's own thread."""
    record = made_up.record("emb")
    executors: list[WorkerExecutor] = []
    end_with_parent = "import ctypes; ctypes.CDLL(None).prctl(1, 9)"  # as the worker does

    def make_and_run() -> None:
        executors.append(make(f"{end_with_parent}; {answers(record)}"))
        run(executors[0], record)

    thread = threading.Thread(target=make_and_run)
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert run(executors[0], record) == record
    assert executors[0].num_workers == 1


def test_cancelling_ends_the_run_and_the_next_one_has_a_new_worker(make: Make, tmp_path: Path) -> None:
    """Runs that wait are dropped as well; their futures raise CancelledError."""
    started = tmp_path / "started"
    record = made_up.record("emb")
    hang = f"is_first = not os.path.exists({str(started)!r}); open({str(started)!r}, 'w'); time.sleep(100 * is_first)"
    executor = make(f"{answers(record)}; {hang}")
    futures = [executor.submit([record.spec], executor.slots[0], lambda *_: True) for _ in range(2)]
    deadline = time.monotonic() + 60
    while not started.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    executor.cancel()
    for future in futures:
        with pytest.raises(CancelledError):
            future.result(timeout=0)
    assert run(executor, record) == record
    assert executor.num_workers == 2
