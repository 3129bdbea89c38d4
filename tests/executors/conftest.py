"""Executors whose worker process answers as a test says, without importing what trains."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from freezebench import child_process
from freezebench.executors.base import ExecutorOptions
from freezebench.executors.worker import WorkerExecutor
from freezebench.runs.data_cache import DataCache

# Replaces the worker: it answers as the test says, without importing what trains.
_WORKER = """
import json, os, socket, sys, time
channel = socket.socket(fileno=int(sys.argv[1]))
lines, events = channel.makefile("r"), channel.makefile("w")
def send(event, **fields):
    print(json.dumps({{"event": event, **fields}}), file=events, flush=True)
path = json.loads(next(lines))["path"]
{start}
send("Ready")
for line in lines:
    request = json.loads(line)
    result = {{"value": {{"device": "cpu", "device_name": "a CPU", "precision": "float32", "environment": {{}}}}}}
    if request["request"]["kind"] != "machine":
        {behaviour}
    send("Answer", **result)
"""


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., WorkerExecutor]]:
    """Yield a function that makes executors whose workers behave in some way."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    executors: list[WorkerExecutor] = []

    def make_executor(behaviour: str, *, keep: bool = True, timeout_s: float = 60.0, start: str = "") -> WorkerExecutor:
        code = _WORKER.format(behaviour=behaviour, start=start)
        command = lambda _module, _parent, descriptor: [sys.executable, "-c", code, descriptor]  # noqa: E731
        monkeypatch.setattr(child_process, "command", command)
        options = ExecutorOptions(data_cache=DataCache(), data_cache_options={}, timeout_s=timeout_s)
        executors.append(WorkerExecutor(options, keep=keep))
        return executors[-1]

    yield make_executor
    for executor in executors:
        executor.close()
    assert not list(tmp_path.glob("freezebench-session-*"))
