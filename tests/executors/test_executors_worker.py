"""The worker executor without training: how workers are replaced, how they end, and what their folders hold."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path

import pytest

import made_up
from freezebench.errors import FreezebenchError
from freezebench.executors import worker_process
from freezebench.executors.base import ExecutorOptions
from freezebench.executors.worker import WorkerExecutor
from freezebench.records.locks import Lock
from freezebench.records.run_record import InvalidCause, RunRecord
from freezebench.runs.data_cache import DataCache

# Replaces the worker: it answers as the test says, without importing what executor.
_BOOT = """
import json, os, sys, time
print(json.dumps({{"event": "ready"}}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    result = {{"device": "cpu", "device_name": "a CPU", "precision": "float32", "environment": {{}}}}
    if request["request"]["kind"] != "machine":
        {behaviour}
    with open(request["result"], "w") as file:
        json.dump(result, file)
    print(json.dumps({{"event": "done"}}), flush=True)
"""

Make = Callable[..., WorkerExecutor]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Yield a function that makes executors whose workers behave in some way."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    executors: list[WorkerExecutor] = []

    def make_executor(behaviour: str, *, keep: bool = True, timeout_s: float = 60.0) -> WorkerExecutor:
        monkeypatch.setattr(worker_process, "_BOOT", _BOOT.format(behaviour=behaviour))
        options = ExecutorOptions(data_cache=DataCache(), data_cache_options={}, timeout_s=timeout_s)
        executors.append(WorkerExecutor(options, keep=keep))
        return executors[-1]

    yield make_executor
    for executor in executors:
        executor.close()
    assert not list(tmp_path.glob("freezebench-session-*"))


def _run(executor: WorkerExecutor, record: RunRecord | None = None) -> RunRecord:
    return executor.submit((record or made_up.record("emb")).spec).result(timeout=60)


def _answers(record: RunRecord) -> str:
    return f"result = json.loads({json.dumps(record.to_json())!r})"


def test_a_healthy_worker_is_kept(make: Make) -> None:
    """The record comes back as it was written; one process for all runs."""
    record = made_up.record("emb")
    executor = make(_answers(record))
    assert _run(executor, record) == record
    assert _run(executor, record) == record
    assert executor.num_workers == 1


def test_a_fresh_worker_for_every_run(make: Make) -> None:
    """Nothing of one run can reach the next."""
    record = made_up.record("emb")
    executor = make(_answers(record), keep=False)
    for _ in range(3):
        assert _run(executor, record) == record
    assert executor.num_workers == 3


def test_a_worker_is_replaced_after_a_fault_of_its_own(make: Make) -> None:
    """After a crash in training the process may be damaged, as after a sticky CUDA error."""
    expected: dict[InvalidCause, int] = {"crash": 2, "out_of_memory": 2, "non_finite_loss": 1}
    for cause, num_workers in expected.items():
        record = replace(made_up.broken("emb", 42), cause=cause)
        executor = make(_answers(record))
        _run(executor, record)
        _run(executor, record)
        assert executor.num_workers == num_workers


@pytest.mark.parametrize(
    ("behaviour", "cause", "reason"),
    [
        ("os.kill(os.getpid(), 11)", "killed", "its process was ended by SIGSEGV"),
        ("os.kill(os.getpid(), 9)", "killed", "its process was ended by SIGKILL"),
        ("os._exit(0)", "crash", "its process ended by itself with exit code 0"),
        ("sys.stderr.write('the last words'); sys.exit(7)", "crash", "its process ended by itself with exit code 7"),
        ("time.sleep(100)", "timeout", "not done after 0.3 s, the limit that --freeze-timeout sets"),
        ("os.close(1); time.sleep(100)", "crash", "its process stopped answering"),
    ],
)
def test_every_end_of_a_worker_has_its_cause(
    make: Make, monkeypatch: pytest.MonkeyPatch, behaviour: str, cause: str, reason: str
) -> None:
    """The run is invalid with its cause and the end of the log, and its process is gone."""
    monkeypatch.setattr(worker_process, "_GRACE_S", 0.2)
    executor = make(behaviour, timeout_s=0.3 if cause == "timeout" else 60.0)
    worker = executor._worker
    assert worker
    record = _run(executor)
    assert (record.is_valid, record.cause) == (False, cause)
    assert str(record.reason).startswith(reason)
    assert ("the last words" in record.log) is ("last words" in behaviour)
    assert worker._process.returncode is not None


def test_a_kill_by_the_out_of_memory_killer_is_recognized(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control group's count of kills has increased."""
    counts = iter([3, 4])
    monkeypatch.setattr(worker_process, "_out_of_memory_kills", lambda: next(counts))
    record = _run(make("os.kill(os.getpid(), 9)"))
    assert record.cause == "out_of_memory"
    assert str(record.reason).startswith("the kernel killed its process for want of memory (SIGKILL)")


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


def test_processes_that_a_worker_started_end_with_it(make: Make, tmp_path: Path) -> None:
    """A data loader's process that hangs is killed as well."""
    note = tmp_path / "child"
    child = "import subprocess; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)']); "
    executor = make(f"{child}open({str(note)!r}, 'w').write(str(child.pid)); time.sleep(100)", timeout_s=3.0)
    _run(executor)
    number = int(note.read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{number}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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
    make("pass")
    assert not alive.exists()


def test_a_full_disk_is_an_error_that_says_what_to_do(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is raised before anything trains, and leaves no folder."""

    def full(_: Lock) -> bool:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Lock, "try_acquire", full)
        with pytest.raises(FreezebenchError, match=r"No space left.*set TMPDIR"):
            make("pass")
    assert not list(tmp_path.iterdir())


def test_threads_wait_without_spinning(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the environment sets it otherwise."""
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    echo = "result = {'error': os.environ['OMP_WAIT_POLICY'] + os.environ['GOMP_SPINCOUNT']}"
    with pytest.raises(FreezebenchError, match="passive7"):
        make(echo).preflight(made_up.record("emb").spec, [])


def test_a_worker_outlives_the_thread_that_made_its_executor(make: Make) -> None:
    """Linux ends a worker with the thread that started it: that is the executor's own thread."""
    record = made_up.record("emb")
    executors: list[WorkerExecutor] = []
    end_with_parent = "import ctypes; ctypes.CDLL(None).prctl(1, 9)"  # as the worker does

    def make_and_run() -> None:
        executors.append(make(f"{end_with_parent}; {_answers(record)}"))
        _run(executors[0], record)

    thread = threading.Thread(target=make_and_run)
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert _run(executors[0], record) == record
    assert executors[0].num_workers == 1


def test_cancelling_ends_the_run_and_the_next_one_has_a_new_worker(make: Make, tmp_path: Path) -> None:
    """Runs that wait are dropped as well; their futures raise CancelledError."""
    started = tmp_path / "started"
    record = made_up.record("emb")
    hang = f"is_first = not os.path.exists({str(started)!r}); open({str(started)!r}, 'w'); time.sleep(100 * is_first)"
    executor = make(f"{_answers(record)}; {hang}")
    futures = [executor.submit(record.spec) for _ in range(2)]
    deadline = time.monotonic() + 60
    while not started.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    executor.cancel()
    for future in futures:
        with pytest.raises(CancelledError):
            future.result(timeout=0)
    assert _run(executor, record) == record
    assert executor.num_workers == 2
