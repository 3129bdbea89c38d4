"""The serving worker: trains what its parent asks for, one request at a time, until the parent closes the pipe or dies.

Requests come as lines of JSON on standard input, events go as lines of JSON to what was standard output; a result is a
file that is whole or absent. Whatever models and libraries print goes to the log on standard error.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from freezebench.errors import FreezebenchError
from freezebench.records.events import StepRecord, TrainingPaused, TrainingStarted
from freezebench.records.files import write_whole
from freezebench.specs.run import RunSpec

if TYPE_CHECKING:
    from freezebench.runs.data_cache import DataCache

# More often than this nobody reads a line of progress.
_STEP_EVERY_S = 0.2
_PR_SET_PDEATHSIG = 1
EVENTS = {kind.__name__: kind for kind in (TrainingStarted, StepRecord, TrainingPaused)}


def serve(parent: int) -> None:
    """Answer requests until standard input ends.

    Args:
        parent: Process id of whoever asks; without it nothing goes on.
    """
    _die_with(parent)
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interruption ends
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as events:
        os.dup2(2, 1)
        requests: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(requests,), daemon=True).start()
        # What takes seconds to import is imported while the parent still checks what was asked.
        import freezebench.runs.experiment
        import freezebench.runs.preflight  # noqa: F401

        # Every run looks for garbage first, in 0.2 s if that includes all objects that libraries made when imported.
        gc.collect()
        gc.freeze()
        worker = _Worker(events)
        worker.tell({"event": "ready"})
        while True:
            worker.answer(json.loads(requests.get()))


def _die_with(parent: int) -> None:
    """Have the kernel end this process with its parent, on Linux; elsewhere the end of standard input does."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before the kernel was told


def _read(requests: queue.SimpleQueue[str]) -> None:
    """Take requests; at the end of the pipe nobody is left to train for, whatever runs."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


class _Worker:
    """The requests and what they share: data that were read once, and frozen prefixes."""

    def __init__(self, events: TextIO) -> None:
        self._events = events
        self._data_cache: DataCache | None = None
        self._told = 0.0

    def answer(self, request: dict[str, Any]) -> None:
        """Do what is asked, write its result, tell that it is there."""
        sys.path[:] = request["path"]
        try:
            result = getattr(self, f"_{request['do']}")(request)
        except FreezebenchError as error:
            result = {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - the parent tells it; this process stays up
            traceback.print_exc()
            result = {"error": f"{type(error).__name__}: {error}"}
        write_whole(Path(request["result"]), json.dumps(result, allow_nan=False))
        self.tell({"event": "done"})

    def _run(self, request: dict[str, Any]) -> Any:
        from freezebench.runs.experiment import run

        data_cache = self._data_cache_for(request)
        data_cache.expect(request["grid"])
        return run(RunSpec.from_json(request["spec"]), emit=self._emit, data_cache=data_cache).to_json()

    def _preflight(self, request: dict[str, Any]) -> Any:
        from freezebench.runs.preflight import preflight

        spec = RunSpec.from_json(request["spec"])
        preflight(spec, self._data_cache_for(request).data(spec), request["grid"])
        return {}

    def _machine(self, request: dict[str, Any]) -> Any:
        from freezebench.runs.environment import machine

        return asdict(machine(request["device"], request["precision"]))

    def _data_cache_for(self, request: dict[str, Any]) -> DataCache:
        from freezebench.runs.data_cache import DataCache

        if self._data_cache is None:
            self._data_cache = DataCache(**request["data_cache"])
        return self._data_cache

    def _emit(self, event: Any) -> None:
        """Hand on what progress shows of an event."""
        now = time.monotonic()
        is_step = isinstance(event, StepRecord)
        if type(event).__name__ not in EVENTS or (is_step and now - self._told < _STEP_EVERY_S):
            return
        self._told = now
        self.tell({"event": type(event).__name__, **asdict(event)})

    def tell(self, message: dict[str, Any]) -> None:
        """Send the parent a line."""
        # NaN travels: a loss may be one, and both ends are Python.
        self._events.write(json.dumps(message) + "\n")
        self._events.flush()
