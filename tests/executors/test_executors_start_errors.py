"""What keeps a process from being started, as one sentence."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from fake_worker import Make
from freezebench.errors import FreezebenchError
from freezebench.executors.base import ExecutorOptions
from freezebench.executors.worker import WorkerExecutor
from freezebench.runs.data_cache import DataCache


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.EAGAIN, "Resource temporarily unavailable"), "raise the limit on processes (ulimit -u)"),
        (RuntimeError("can't start new thread"), "raise the limit on processes (ulimit -u)"),
        (OSError(errno.EMFILE, "Too many open files"), "raise the limit on open files (ulimit -n)"),
        (OSError(errno.ENFILE, "Too many open files in system"), "end other programs"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "raise the limit on memory (ulimit -v)"),
        (OSError(errno.E2BIG, "Argument list too long"), "Unset environment variables"),
        (OSError(errno.ENOEXEC, "Exec format error"), "Correct the installation of this Python"),
    ],
)
def test_what_the_system_refuses_is_named(
    make: Make, monkeypatch: pytest.MonkeyPatch, error: Exception, advice: str
) -> None:
    """One sentence with the cause and what to do."""

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(FreezebenchError) as caught:
        make("pass")
    assert str(caught.value).startswith(f"no process to train in can be started: {error}. ")
    assert advice in str(caught.value)


@pytest.mark.parametrize("executable", ["", "/nowhere/python"])
def test_an_interpreter_that_is_not_there(monkeypatch: pytest.MonkeyPatch, executable: str) -> None:
    """An embedded Python has no path; another may have been removed since it started."""
    monkeypatch.setattr(sys, "executable", executable)
    options = ExecutorOptions(data_cache=DataCache(), data_cache_options={}, timeout_s=1.0)
    with pytest.raises(FreezebenchError, match=r"^no process to train in can be started: .*--freeze-isolate=none"):
        WorkerExecutor(options, keep=True)
