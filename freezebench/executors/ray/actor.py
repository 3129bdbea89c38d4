"""The actor of one slot: Ray gives it a device, and it keeps a worker process there.

The worker is that of local sessions, so that isolation, time limits and the names of faults are the same. Ray is not
imported here: the bridge makes an actor of this class.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError, named, traceback_end
from freezebench.executors.call_thread import CallThread
from freezebench.executors.requests import Answer, encode_event
from freezebench.executors.session_folder import SharedFolder
from freezebench.executors.start_errors import start_errors
from freezebench.executors.worker_process import WorkerFaultError, WorkerProcess
from freezebench.import_path import installed_only

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezebench.executors.ray.messages import ActorSetup, Fault, Request
    from freezebench.executors.requests import Message

# Ray sets it to 1 for actors without processors of their own.
_THREADS = "OMP_NUM_THREADS"
_CHUNK_BYTES = 16 * 2**20

# A line for the session, or part of a file of the saved model: its name and bytes.
Item = str | tuple[str, bytes]


class SlotActor:
    """Answers requests by a worker process, one at a time; ``kill`` and ``close`` may be called meanwhile."""

    def __init__(self, setup: str) -> None:
        """Take the JSON of an ``ActorSetup``.

        Raises:
            OSError: If nothing can be written to the node's folder for temporary files.
        """
        values: ActorSetup = json.loads(setup)
        os.environ.pop(_THREADS, None)
        if values["num_on_node"] > 1:
            allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            os.environ[_THREADS] = str(max(1, allowed // values["num_on_node"]))
        os.environ.update(values["environment"])
        with suppress(OSError):  # the check of the inputs says which files are missing
            os.chdir(values["folder"])
        self._folder = SharedFolder(values["session"])
        # Linux ends a process with the thread that started it, and Ray's threads are not ours.
        self._thread = CallThread()
        self._worker: WorkerProcess | None = None
        self._number = 0

    def ready(self) -> int:
        """Return the id of this process."""
        return os.getpid()

    def start(self, number: int) -> None:
        """Start a worker process, so that its imports are done when it is needed."""
        self._thread.submit(lambda: self._present(number))

    def request(self, line: str) -> Iterator[Item]:
        """Yield the events of a request, the files of a saved model, and last its answer or fault.

        Args:
            line: The JSON of a ``Request``.
        """
        request: Request = json.loads(line)
        inner = request["message"]["request"]
        saved = Path(tempfile.mkdtemp(dir=self._folder.path)) if inner.get("save_to") else None
        items: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        future = self._thread.submit(lambda: self._answer(request, saved, items))
        future.add_done_callback(lambda _: items.put(None))
        while (item := items.get()) is not None:
            yield item
        if saved is not None:
            yield from _parts(saved)
            shutil.rmtree(saved, ignore_errors=True)
        yield future.result()

    def kill(self, number: int) -> None:
        """End a worker process if it is the present one."""
        worker = self._worker
        if worker is not None and self._number == number:
            worker.kill()

    def close(self) -> None:
        """End the worker, and remove the node's folder if no other actor uses it."""
        worker = self._worker
        if worker is not None:
            worker.kill()
        self._thread.submit(self._end).result()
        self._folder.leave()

    def _answer(self, request: Request, saved: Path | None, items: queue.SimpleQueue[str | None]) -> str:
        """Return the line with the answer to a request, or with the fault in its place."""
        try:
            with start_errors():
                worker = self._present(request["worker"])
            message = self._message(request["message"], saved)
            answer = worker.request(
                message, lambda event: items.put(encode_event(event)), request["timeout_s"], Event()
            )
            return encode_event(answer)
        except WorkerFaultError as error:
            self._end()
            fault: Fault = {
                "kind": "fault",
                "call": request["call"],
                "cause": error.cause,
                "reason": str(error),
                "log": error.log,
            }
            return json.dumps(fault)
        except FreezebenchError as error:
            return encode_event(Answer(error=str(error)))
        except Exception as error:  # noqa: BLE001 - an actor that raises would seem to be lost
            return encode_event(Answer(fault=named(error), log=traceback_end(error)))

    def _present(self, number: int) -> WorkerProcess:
        if self._worker is None or self._number != number or not self._worker.is_alive:
            self._end()
            self._worker, self._number = WorkerProcess(), number
        return self._worker

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.end()
        self._worker = None

    def _message(self, message: Message, saved: Path | None) -> Message:
        """Return a message as the worker of this node needs it."""
        path, options, request = message["path"], message["data_cache"].copy(), message["request"]
        if options.get("prefix_folder") is None:
            options["prefix_folder"] = str(self._folder.path / "prefixes")
        if request["kind"] == "run" and saved is not None:
            request["save_to"] = str(saved)
        # The session sends the folders of its project; what is installed is this node's.
        return {"request": request, "path": [*path, *installed_only(sys.path)], "data_cache": options}


def _parts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder in parts, each with its name relative to the folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            with path.open("rb") as file:
                while part := file.read(_CHUNK_BYTES):
                    yield name, part
