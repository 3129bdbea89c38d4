"""Inject faults into worker processes: FREEZEBENCH_FAULTS=emb:segfault,emb+L0:hang breaks these two configurations.

Python imports this module when it starts, if this folder is on PYTHONPATH. Only worker processes break, at the third
step of a run.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

_AT_STEP = 3
_DAY_S = 86_400


def _out_of_memory() -> None:
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def _sticky() -> None:
    raise RuntimeError("CUDA error: device-side assert triggered")


class SilentError(Exception):
    """An error whose message cannot be made."""

    def __str__(self) -> str:
        raise ValueError("no text")


def _no_message() -> None:
    raise SilentError


def _interrupt() -> None:
    raise KeyboardInterrupt


def _hang_with_child() -> None:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    time.sleep(1000)


def clock_jumps() -> None:
    """Set the wall clock of this process back by a day; monotonic clocks do not change."""
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() - _DAY_S
    time.time_ns = lambda: real_ns() - _DAY_S * 10**9


FAULTS: dict[str, Callable[[], Any]] = {
    "segfault": lambda: ctypes.string_at(0),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: os._exit(3),
    "exit0": lambda: os._exit(0),
    "hang": _hang_with_child,
    "sleep": lambda: time.sleep(1000),
    "stopped": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "out_of_memory": _out_of_memory,
    "sticky": _sticky,
    "memory_error": lambda: [0] * 10**18,
    "clock": clock_jumps,
    "sys_exit": lambda: sys.exit(3),
    "interrupt": _interrupt,
    "no_message": _no_message,
    "prints": lambda: sys.stdout.write("a line of a model that talks\n" * 100_000),
}


def _install(faults: dict[str, str]) -> None:
    from freezebench.executors import worker_main

    handler: Any = worker_main.RequestHandler
    run, emit = handler._run, handler._emit
    state: dict[str, Any] = {}

    def breaking_run(self: Any, request: dict[str, Any], data_cache: Any) -> Any:
        state.update(fault=faults.get(request["spec"]["freeze"]), steps=0)
        return run(self, request, data_cache)

    def breaking_emit(self: Any, event: Any) -> None:
        emit(self, event)
        state["steps"] += type(event).__name__ == "StepRecord"
        if state["fault"] and state["steps"] == _AT_STEP:
            state["steps"] += 1
            FAULTS[state["fault"]]()

    handler._run, handler._emit = breaking_run, breaking_emit


if os.environ.get("FREEZEBENCH_FAULTS") and "freezebench.executors.worker_main" in sys.orig_argv:
    _install(dict(fault.split(":") for fault in os.environ["FREEZEBENCH_FAULTS"].split(",")))
