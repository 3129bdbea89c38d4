"""The worker process: it answers its parent's requests, one at a time, until the parent closes the pipe or dies.

Requests, events and answers are lines of JSON on a socket of their own. Standard output and standard error belong to
models and libraries; the parent keeps the end of what they print.
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
import socket
import sys
import threading
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from freezebench.errors import FreezebenchError, named, traceback_end
from freezebench.executors.requests import Answer, Ready, StartFailed, encode_event
from freezebench.import_path import installed_modules_first, installed_only
from freezebench.records.events import ProgressEvent, StepRecord
from freezebench.specs.run import RunSpec

if TYPE_CHECKING:
    from freezebench.executors.requests import (
        Event,
        InputsRequest,
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


def main(parent: str, descriptor: str) -> NoReturn:
    """Answer requests until the parent closes the socket.

    Args:
        parent: Process id of the parent; this process ends with it.
        descriptor: Number of the socket.
    """
    channel = socket.socket(fileno=int(descriptor))
    channel.set_inheritable(False)  # so that no program that is started from here holds it open
    events = channel.makefile("w", encoding="utf-8")
    try:
        handler, messages = _start(int(parent), channel, events)
    except BaseException as error:
        _send(events, StartFailed(reason=_reason(error)))
        raise
    _send(events, Ready())
    while True:
        handler.answer(json.loads(messages.get()))


def _start(parent: int, channel: socket.socket, events: TextIO) -> tuple[RequestHandler, queue.SimpleQueue[str]]:
    """Import what runs need, and return what answers requests and where they arrive."""
    _end_with(parent)
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interruption ends
    messages: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(channel, messages), daemon=True).start()
    sys.path[:] = installed_only(json.loads(messages.get())["path"])
    # What takes seconds to import is imported while the parent still checks options and data.
    import freezebench.runs.experiment
    import freezebench.runs.preflight  # noqa: F401

    # Every run collects garbage first, which takes 0.2 s if it visits all objects that the imports made.
    gc.collect()
    gc.freeze()
    return RequestHandler(events), messages


def _reason(error: BaseException) -> str:
    """Return why the imports failed; libraries look for a folder for temporary files while they are imported."""
    lacks_folder = isinstance(error, FileNotFoundError) and "temporary directory" in str(error)
    return named(error) + ("; free space in one of these folders, or set TMPDIR" if lacks_folder else "")


def _end_with(parent: int) -> None:
    """Have the kernel end this process with its parent, on Linux; elsewhere the end of the socket does."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # the parent died before the kernel had the request


def _receive(channel: socket.socket, messages: queue.SimpleQueue[str]) -> None:
    """Receive messages; when the socket ends, the parent is gone, and so is the reason to finish a run."""
    with contextlib.suppress(OSError), channel.makefile("r", encoding="utf-8") as lines:
        for line in lines:
            messages.put(line)
    os._exit(0)


class RequestHandler:
    """Answers requests, which share data that were read once, and frozen prefixes."""

    def __init__(self, events: TextIO) -> None:
        self._events = events
        self._data_cache: DataCache | None = None
        self._last_event_at = 0.0

    def answer(self, message: Message) -> None:
        """Fulfil a request and send its answer."""
        sys.path[:] = message["path"]
        request = message["request"]
        # Only a factory, which is named module:function, is code of the project.
        is_own_code = request["kind"] != "machine" and ":" in str(request["spec"]["model"])
        with installed_modules_first(with_project=is_own_code):
            answer = self._answer(message)
        _send(self._events, answer)

    def _answer(self, message: Message) -> Answer:
        try:
            value = self._fulfil(message["request"], self._data_cache_for(message))
            json.dumps(value, allow_nan=False)
        except FreezebenchError as error:
            return Answer(error=str(error), log=traceback_end(error))
        # Of all kinds: a model's code may end Python, or raise what only an interruption raises elsewhere.
        except BaseException as error:  # noqa: BLE001 - the parent reports it; this process goes on
            traceback.print_exc()
            return Answer(
                fault=named(error),
                cause="out_of_memory" if isinstance(error, MemoryError) else "crash",
                log=traceback_end(error),
            )
        return Answer(value=value)

    def _fulfil(self, request: Request, data_cache: DataCache) -> dict[str, Json]:
        if request["kind"] == "run":
            return self._run(request, data_cache)
        if request["kind"] == "preflight":
            return self._preflight(request, data_cache)
        if request["kind"] == "inputs":
            return self._inputs(request, data_cache)
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

    def _inputs(self, request: InputsRequest, data_cache: DataCache) -> dict[str, Json]:
        from freezebench.runs.input_check import input_hashes

        return dict(input_hashes(RunSpec.from_json(request["spec"]), data_cache))

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
            _send(self._events, event)


def _send(events: TextIO, event: Event) -> None:
    events.write(encode_event(event) + "\n")
    events.flush()
