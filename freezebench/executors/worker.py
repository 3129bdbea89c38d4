"""Isolation: runs train in a process of their own, so that nothing they do can end pytest or another run."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezebench.errors import FreezebenchError
from freezebench.executors.worker_main import EVENTS
from freezebench.meters.process import ProcessMemory
from freezebench.records.locks import Lock
from freezebench.records.run_record import RunRecord
from freezebench.runs.environment import Machine
from freezebench.units import bytes_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from freezebench.records.run_record import InvalidCause
    from freezebench.specs.run import RunSpec

_BOOT = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from freezebench.executors.worker_main import serve; "
_BOOT += "serve(int(sys.argv[2]))"
# Waiting threads that spin take the processor from those that work, above all where several sessions share it.
# oneDNN makes a kernel for every shape, and batches of many lengths have more shapes than it keeps by itself.
_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "3000", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "4096"}
_LOOK_EVERY_S = 1.0
_GRACE_S = 5.0
_START_S = 600.0
_LOG_LINES = 60  # the stacks of all threads
_LOG_TAIL_BYTES = 2**16
_FOLDER = "freezebench-session-"
# After these the process is as good as before; after any other fault it is replaced.
_HARMLESS = {"non_finite_loss", "nothing_trained"}


class _WorkerDiedError(Exception):
    """The worker ended without a result, or had to be ended."""

    def __init__(self, cause: InvalidCause, reason: str, log: str) -> None:
        super().__init__(reason)
        self.cause: InvalidCause = cause
        self.log = log


class Isolated:
    """Trains in worker processes: one that is kept while it is healthy, or a fresh one for every run.

    Attributes:
        num_workers: How many workers were started.
    """

    def __init__(self, *, keep: bool, timeout_s: float, data_cache: Mapping[str, Any]) -> None:
        """Start the first worker, whose imports take a while.

        Raises:
            FreezebenchError: If nothing can be started or written here.

        Args:
            keep: Whether a healthy worker is kept for the next run.
            timeout_s: How long one run may take, in seconds.
            data_cache: How workers keep frozen prefixes: the arguments of their ``DataCache``.
        """
        self._keep, self._timeout_s = keep, timeout_s
        with _said_plainly():
            self._folder, self._lock = _own_folder()
        self._data_cache = dict(data_cache)
        if not keep and self._data_cache.get("prefix_folder") is None:
            # Fresh processes share what an earlier one computed through files, for this session only.
            self._data_cache["prefix_folder"] = str(self._folder / "prefixes")
        self._grid: list[str] = []
        self.num_workers = 0
        self._worker: _Worker | None = self._start()

    def expect(self, freezes: Iterable[str]) -> None:
        """Say which configurations will run, so that one pass over the data serves every depth among them."""
        self._grid += freezes

    def run(self, spec: RunSpec, emit: Callable[[Any], None]) -> RunRecord:
        """Return the record of a run; if its process died or took too long, an invalid one with the end of its log.

        Raises:
            FreezebenchError: If what was asked cannot be.
        """
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            found = self._ask({"do": "run", "spec": spec.to_json(), "grid": self._grid}, emit)
        except _WorkerDiedError as error:
            return RunRecord(
                spec=spec, status="invalid", cause=error.cause, reason=str(error), log=error.log, started_at=started_at
            )
        record = RunRecord.from_json(found)
        if not self._keep or not (record.is_valid or record.cause in _HARMLESS):
            self._end()
        return record

    def preflight(self, spec: RunSpec, grid: Iterable[str]) -> None:
        """Load, freeze and feed a model once before anything trains; the data are read on the way.

        Raises:
            FreezebenchError: If something of that cannot be, or ends the process.
        """
        try:
            self._ask({"do": "preflight", "spec": spec.to_json(), "grid": list(grid)})
        except _WorkerDiedError as error:
            raise FreezebenchError(f"{spec.model} could not be tried: {error}\n{error.log}") from error

    def machine(self, device: str, precision: str) -> Machine:
        """Return what runs depend on here.

        Raises:
            FreezebenchError: If there is no such device.
        """
        try:
            return Machine(**self._ask({"do": "machine", "device": device, "precision": precision}))
        except _WorkerDiedError as error:
            raise FreezebenchError(f"the worker could not start: {error}\n{error.log}") from error

    def close(self) -> None:
        """End the worker and remove what it left."""
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.release()

    def _ask(self, request: dict[str, Any], emit: Callable[[Any], None] = lambda _: None) -> dict[str, Any]:
        """Return the answer to one request, from a worker that is replaced if it is found dead."""
        if self._worker is None or not self._worker.is_alive:
            self._end()
            self._worker = self._start()
        request = {**request, "data_cache": self._data_cache, "path": sys.path}
        try:
            found: dict[str, Any] = self._worker.ask(request, emit, self._timeout_s)
        except BaseException:
            # Also an interruption: nothing goes on behind the person's back.
            self._end()
            raise
        if "error" in found:
            raise FreezebenchError(str(found["error"]))
        return found

    def _start(self) -> _Worker:
        self.num_workers += 1
        with _said_plainly():
            return _Worker(self._folder, self.num_workers)

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.end()
        self._worker = None


class _Worker:
    """One worker process in a session of its own, started anew and not forked: CUDA does not survive a fork."""

    def __init__(self, folder: Path, number: int) -> None:
        self._result = folder / f"result-{number}.json"
        self._log = folder / f"worker-{number}.log"
        self._kills = _out_of_memory_kills()
        self._peak_bytes, self._looked = 0, 0.0
        self._is_ready = False
        command = [sys.executable, "-c", _BOOT, json.dumps(sys.path), str(os.getpid())]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**_ENVIRONMENT, **os.environ},
                start_new_session=True,
            )
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._memory = ProcessMemory(Path(f"/proc/{self._process.pid}"))
        self._requests, self._events = self._process.stdin, self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._events, selectors.EVENT_READ)
        self._unread = b""

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], emit: Callable[[Any], None], timeout_s: float) -> Any:
        """Send a request, hand events on, return the answer.

        Raises:
            _WorkerDiedError: If there is none.
        """
        self._result.unlink(missing_ok=True)
        with suppress(BrokenPipeError):  # found dead below
            self._requests.write(json.dumps({**request, "result": str(self._result)}).encode() + b"\n")
            self._requests.flush()
        deadline = time.monotonic() + (timeout_s if self._is_ready else max(timeout_s, _START_S))
        while True:
            left_s = deadline - time.monotonic()
            if left_s <= 0 and not self._is_ready:
                raise self._died("timeout", "its process did not start: importing torch and transformers did not end")
            if left_s <= 0:
                took = seconds_text(timeout_s)
                raise self._died("timeout", f"not done after {took}, the limit that --freeze-timeout sets")
            is_told = self._selector.select(min(left_s, _LOOK_EVERY_S))
            self._look()
            if not is_told:
                continue
            received = os.read(self._events.fileno(), 2**16)
            if not received:
                raise self._ended()
            *lines, self._unread = (self._unread + received).split(b"\n")
            for line in lines:
                message = json.loads(line)
                kind = message.pop("event")
                if kind == "done":
                    return json.loads(self._result.read_bytes())
                if kind == "ready":  # only now its imports are done, and the run begins
                    self._is_ready, deadline = True, time.monotonic() + timeout_s
                    continue
                emit(EVENTS[kind](**message))

    def end(self) -> None:
        """Kill the process and everything that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._selector.close()
        for pipe in (self._requests, self._events):
            with suppress(OSError):
                pipe.close()

    def _look(self) -> None:
        """Note how much memory the process has taken: once it is killed, nobody can tell."""
        if time.monotonic() - self._looked < _LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        with suppress(OSError):
            self._peak_bytes = max(self._peak_bytes, self._memory.high_water_bytes())

    def _ended(self) -> _WorkerDiedError:
        """Return the error of a process that closed its pipe: it is gone, or as good as gone."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_GRACE_S)
        code = self._process.returncode
        if code is None:
            return self._died("crash", "its process stopped answering")
        if code >= 0:
            return self._died("crash", f"its process ended by itself with exit code {code}")
        peak = f"; it had taken up to {bytes_text(self._peak_bytes)} before" if self._peak_bytes else ""
        name = signal.Signals(-code).name
        if code == -signal.SIGKILL and _out_of_memory_kills() > self._kills:
            return self._died("out_of_memory", f"the kernel killed its process for want of memory ({name}){peak}")
        return self._died("killed", f"its process was ended by {name}{peak}")

    def _died(self, cause: InvalidCause, reason: str) -> _WorkerDiedError:
        tail: list[str] = []
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - _LOG_TAIL_BYTES))
            tail = file.read().decode(errors="replace").splitlines()[-_LOG_LINES:]
        return _WorkerDiedError(cause, reason, "\n".join(tail))


def _out_of_memory_kills() -> int:
    """Return how often the kernel killed for want of memory in this control group; 0 where it does not tell."""
    with suppress(OSError, ValueError, IndexError):
        group = Path("/proc/self/cgroup").read_text(encoding="utf-8").split("::", 1)[1].splitlines()[0]
        events = Path("/sys/fs/cgroup" + group.rstrip("/"), "memory.events").read_text(encoding="utf-8")
        return int(events.split("oom_kill ")[1].split()[0])
    return 0


@contextmanager
def _said_plainly() -> Iterator[None]:
    """Turn what a full disk or too many processes raise into our own error, with what to do.

    Raises:
        FreezebenchError: If something of that happened.
    """
    try:
        yield
    except OSError as error:
        raise FreezebenchError(
            f"no process to train in can be started ({error}). Free space in {tempfile.gettempdir()}, or set TMPDIR to "
            "another folder."
        ) from error


def _own_folder() -> tuple[Path, Lock]:
    """Return a new folder and the lock that says that its session lives; those of killed sessions are removed."""
    for path in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        with suppress(OSError):
            lock = Lock(path / "lock")
            if path.stat().st_uid == os.getuid() and lock.try_acquire():
                shutil.rmtree(path, ignore_errors=True)
                lock.release()
    # Locked before it has its name, or a session that starts now would take it for a dead one's.
    made = Path(tempfile.mkdtemp(prefix=f".{_FOLDER}"))
    lock = Lock(made / "lock")
    try:
        lock.try_acquire()
    except OSError:
        made.rmdir()
        raise
    return made.rename(made.with_name(made.name.removeprefix("."))), lock
