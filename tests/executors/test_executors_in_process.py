"""The executor in this process: an exception of any kind outside training is an error with its traceback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import made_up
from fake_worker import trained
from freezebench.errors import FreezebenchError
from freezebench.executors.base import ExecutorOptions
from freezebench.executors.in_process import InProcessExecutor
from freezebench.runs import environment, experiment, preflight
from freezebench.runs.data_cache import DataCache
from freezebench.runs.environment import Machine
from freezebench.specs.run import RunSpec

SPEC: RunSpec = made_up.record("emb").spec
ERRORS = [ValueError("of the data"), SystemExit(3), OSError(28, "No space left on device")]


def _fail(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> InProcessExecutor:
    """An executor of a made-up machine."""
    machine = Machine(device="cpu", device_name="a CPU", precision="float32", environment={})
    monkeypatch.setattr(environment, "machine", lambda *_: machine)
    return InProcessExecutor(ExecutorOptions(data_cache=DataCache(), data_cache_options={}, timeout_s=1.0))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_run_that_raises_is_invalid_and_has_the_traceback(
    executor: InProcessExecutor, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """As that of a worker."""
    monkeypatch.setattr(experiment, "run", _fail(error))
    record = trained(executor, SPEC)
    assert record.cause == "crash"
    assert str(record.reason).startswith(f"{type(error).__name__}: ")
    assert "    raise error\n" in record.log


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_check_that_raises_is_one_sentence_and_the_traceback(
    executor: InProcessExecutor, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Before anything is trained."""
    monkeypatch.setattr(preflight, "preflight", _fail(error))
    with pytest.raises(FreezebenchError) as caught:
        executor.preflight(SPEC, ["emb"])
    first, *rest = str(caught.value).splitlines()
    assert first.startswith(f"{SPEC.model} could not be tried: {type(error).__name__}: ")
    assert "    raise error" in rest


def test_libraries_that_cannot_be_imported_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged installation shows when the device is looked up."""
    monkeypatch.setattr(environment, "machine", _fail(ImportError("libtorch_cpu.so: cannot open shared object file")))
    executor = InProcessExecutor(ExecutorOptions(data_cache=DataCache(), data_cache_options={}, timeout_s=1.0))
    with pytest.raises(FreezebenchError, match=r"^this process cannot train: ImportError: libtorch_cpu\.so"):
        executor.machine(SPEC)


def test_an_interruption_passes(executor: InProcessExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the session."""
    monkeypatch.setattr(experiment, "run", _fail(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        trained(executor, SPEC)
