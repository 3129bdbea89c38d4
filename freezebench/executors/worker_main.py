"""The worker process: it answers its parent's requests, one at a time, until the parent closes the pipe or dies.

Requests come as lines of JSON on standard input, events go as lines of JSON to what was standard output; an answer is a
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
from typing import TYPE_CHECKING, TextIO

from freezebench.errors import FreezebenchError
from freezebench.executors.requests import encode_event
from freezebench.records.events import ProgressEvent, StepRecord
from freezebench.records.files import write_whole
from freezebench.specs.run import RunSpec

if TYPE_CHECKING:
    from freezebench.executors.requests import (
        MachineRequest,
        Message,
        PreflightRequest,
        Request,
        RunRequest,
    )
    from freezebench.runs.data_cache import DataCache
    from freezebench.specs.json_types import Json

_STEP_EVERY_S = 0.2  # a line of progress is not read more often
_PR_SET_PDEATHSIG = 1


def serve(parent: int) -> None:
    """Answer requests until standard input ends.

    Args:
        parent: Process id of the parent; this process ends with it.
    """
    _end_with(parent)
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interruption ends
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as events:
        os.dup2(2, 1)
        messages: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=_receive, args=(messages,), daemon=True).start()
        # What takes seconds to import is imported while the parent still checks options and data.
        import freezebench.runs.experiment
        import freezebench.runs.preflight  # noqa: F401

        # Every run collects garbage first, which takes 0.2 s if it visits all objects that the imports made.
        gc.collect()
        gc.freeze()
        _send(events, '{"event": "ready"}')
        handler = RequestHandler(events)
        while True:
            handler.answer(json.loads(messages.get()))


def _end_with(parent: int) -> None:
    """Have the kernel end this process with its parent, on Linux; elsewhere the end of standard input does."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # the parent died before the kernel had the request


def _receive(messages: queue.SimpleQueue[str]) -> None:
    """Receive messages; when the pipe ends, the parent is gone, and so is the reason to finish a run."""
    for line in sys.stdin:
        messages.put(line)
    os._exit(0)


class RequestHandler:
    """Answers requests, which share data that were read once, and frozen prefixes."""

    def __init__(self, events: TextIO) -> None:
        self._events = events
        self._data_cache: DataCache | None = None
        self._last_event_at = 0.0

    def answer(self, message: Message) -> None:
        """Fulfil a request, write its answer, and send that it is there."""
        sys.path[:] = message["path"]
        try:
            answer = self._fulfil(message["request"], self._data_cache_for(message))
        except FreezebenchError as error:
            answer = {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - the parent reports it; this process goes on
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        write_whole(Path(message["result"]), json.dumps(answer, allow_nan=False))
        _send(self._events, '{"event": "done"}')

    def _fulfil(self, request: Request, data_cache: DataCache) -> dict[str, Json]:
        if request["kind"] == "run":
            return self._run(request, data_cache)
        if request["kind"] == "preflight":
            return self._preflight(request, data_cache)
        return self._machine(request)

    def _run(self, request: RunRequest, data_cache: DataCache) -> dict[str, Json]:
        from freezebench.runs.experiment import run

        data_cache.expect(request["grid"])
        spec, save_to = RunSpec.from_json(request["spec"]), request["save_to"]
        folder = None if save_to is None else Path(save_to)
        return run(spec, emit=self._emit, data_cache=data_cache, save_to=folder).to_json()

    def _preflight(self, request: PreflightRequest, data_cache: DataCache) -> dict[str, Json]:
        from freezebench.runs.preflight import preflight

        spec = RunSpec.from_json(request["spec"])
        trainable = preflight(
            spec,
            request["grid"],
            data_cache,
            may_train_nothing=request["may_train_nothing"],
            will_save=request["will_save"],
        )
        return {freeze: asdict(trains) for freeze, trains in trainable.items()}

    def _machine(self, request: MachineRequest) -> dict[str, Json]:
        from freezebench.runs.environment import machine

        return asdict(machine(request["device"], request["precision"]))

    def _data_cache_for(self, message: Message) -> DataCache:
        from freezebench.runs.data_cache import DataCache

        if self._data_cache is None:
            self._data_cache = DataCache(**message["data_cache"])
        return self._data_cache

    def _emit(self, event: object) -> None:
        """Send an event that progress shows, steps at a readable rate."""
        now = time.monotonic()
        is_too_soon = isinstance(event, StepRecord) and now - self._last_event_at < _STEP_EVERY_S
        if isinstance(event, ProgressEvent) and not is_too_soon:
            self._last_event_at = now
            _send(self._events, encode_event(event))


def _send(events: TextIO, line: str) -> None:
    events.write(line + "\n")
    events.flush()
