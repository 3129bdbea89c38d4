"""One worker process: how its start and its end are told, and what is kept of its output."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

import made_up
from fake_worker import Make, run
from freezebench.errors import FreezebenchError
from freezebench.executors import worker_process
from freezebench.executors.worker_process import WorkerProcess


@pytest.mark.parametrize(
    ("behaviour", "cause", "reason"),
    [
        ("os.kill(os.getpid(), 11)", "killed", "its process was ended by SIGSEGV"),
        ("os.kill(os.getpid(), 9)", "killed", "its process was ended by SIGKILL"),
        ("os._exit(0)", "crash", "its process ended by itself with exit code 0"),
        (
            "sys.stderr.write('the last words'); sys.stderr.flush(); os._exit(7)",
            "crash",
            "its process ended by itself with exit code 7",
        ),
        ("time.sleep(100)", "timeout", "not done after 0.3 s, the limit that --freeze-timeout sets"),
        ("channel.shutdown(socket.SHUT_RDWR); time.sleep(100)", "crash", "its process stopped answering"),
    ],
)
def test_every_end_of_a_worker_has_its_cause(
    make: Make, monkeypatch: pytest.MonkeyPatch, behaviour: str, cause: str, reason: str
) -> None:
    """The run is invalid with its cause and the end of the log, and its process is gone."""
    monkeypatch.setattr(worker_process, "_GRACE_S", 0.2)
    executor = make(behaviour, timeout_s=0.3 if cause == "timeout" else 60.0)
    worker = executor._slots[executor.slots[0]]._worker
    assert isinstance(worker, WorkerProcess)
    record = run(executor)
    assert (record.is_valid, record.cause) == (False, cause)
    assert str(record.reason).startswith(reason)
    assert ("the last words" in record.log) is ("last words" in behaviour)
    assert worker._process.returncode is not None


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("send('StartFailed', reason='ImportError: no torch'); os._exit(1)", "could not start: ImportError: no torch"),
        (
            "print('libgomp: Thread creation failed', flush=True); os._exit(1)",
            "exit code 1 while it started; the last line that it printed: libgomp: ",
        ),
        ("os.kill(os.getpid(), 4)", "ended by SIGILL while it started"),
        ("os._exit(0)", "exit code 0 while it started"),
    ],
)
def test_a_worker_that_cannot_start_names_the_cause(make: Make, start: str, reason: str) -> None:
    """What it said of itself, or the last line that it printed."""
    with pytest.raises(FreezebenchError) as caught:
        make("pass", start=start).machine(made_up.record("emb").spec)
    assert str(caught.value).startswith("the process to train in does not work: its process ")
    assert reason in str(caught.value).splitlines()[0]


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_of_libraries_is_kept_to_its_end(make: Make, stream: str) -> None:
    """More than a pipe holds, before the first request and during it; only the end is in the record."""
    talk = f"[print('a line', number, file=sys.{stream}) for number in range(50_000)]; sys.{stream}.flush()"
    record = run(make(f"{talk}; os.write(2, b'the end'); os._exit(1)", start=talk))
    assert record.cause == "crash"
    assert len(record.log.splitlines()) == 60
    assert record.log.splitlines()[-2:] == ["a line 49999", "the end"]


def test_long_lines_are_cut(make: Make) -> None:
    """One line of a hundred thousand characters does not fill the record."""
    record = run(make("print('x' * 100_000, flush=True); os._exit(1)"))
    assert record.log == "x" * 400 + "…"


def test_a_program_that_outlives_the_worker_does_not_hide_its_death(make: Make) -> None:
    """A forked process holds the socket open, so that it does not end with the worker."""
    began = time.monotonic()
    record = run(make("child = os.fork(); os._exit(5) if child else time.sleep(100)"))
    assert str(record.reason) == "its process ended by itself with exit code 5"
    assert time.monotonic() - began < 30


def test_paths_that_are_no_text_are_left_out(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports ignore them, and JSON has no form for them."""
    monkeypatch.setattr(sys, "path", [Path("somewhere"), *sys.path])
    with pytest.raises(FreezebenchError, match=f"^{len(sys.path) - 1}$"):
        make("result = {'error': str(len(path))}").preflight(made_up.record("emb").spec, [])


def test_a_kill_by_the_out_of_memory_killer_is_recognized(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control group's count of kills has increased."""
    counts = iter([3, 4])
    monkeypatch.setattr(worker_process, "_out_of_memory_kills", lambda: next(counts))
    record = run(make("os.kill(os.getpid(), 9)"))
    assert record.cause == "out_of_memory"
    assert str(record.reason).startswith("the kernel killed its process for want of memory (SIGKILL)")


@pytest.mark.slow
def test_processes_that_a_worker_started_end_with_it(make: Make, tmp_path: Path) -> None:
    """A data loader's process that hangs is killed as well."""
    note = tmp_path / "child"
    child = "import subprocess; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)']); "
    executor = make(f"{child}open({str(note)!r}, 'w').write(str(child.pid)); time.sleep(100)", timeout_s=3.0)
    run(executor)
    number = int(note.read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{number}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_threads_wait_without_spinning(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the environment sets it otherwise."""
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    echo = "result = {'error': os.environ['OMP_WAIT_POLICY'] + os.environ['GOMP_SPINCOUNT']}"
    with pytest.raises(FreezebenchError, match="passive7"):
        make(echo).preflight(made_up.record("emb").spec, [])
