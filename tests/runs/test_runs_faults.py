"""Records of runs that broke: the cause, one sentence, and the end of the traceback, whatever was raised."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

import freezebench
from freezebench.runs import experiment
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from freezebench.training.engines.log import NonFiniteLossError

PROTOCOL = Protocol(num_epochs=1, batch_size=8, learning_rate=1e-2, precision="float32")

_FULL = OSError(errno.ENOSPC, "No space left on device", "/tmp/x")  # noqa: S108 - not used


class _SilentError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.fixture
def spec(tiny_model: Path, tiny_data: Path) -> RunSpec:
    """A run of the tiny model on the tiny data."""
    data = DataSpec(source=str(tiny_data))
    return RunSpec(model=str(tiny_model), data=data, freeze="emb", seed=3, device="cpu", protocol=PROTOCOL)


@pytest.mark.parametrize("stage", ["set_up", "stages_of", "_train", "reevaluated"])
@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (RuntimeError("of the model"), ("crash", "RuntimeError: of the model")),
        (SystemExit(3), ("crash", "SystemExit: 3")),
        (_SilentError(), ("crash", "_SilentError: the message cannot be shown")),
        (ExceptionGroup("several", [ValueError("a")]), ("crash", "ExceptionGroup: several (1 sub-exception)")),
        (RecursionError("maximum depth"), ("crash", "RecursionError: maximum depth")),
        (MemoryError(), ("out_of_memory", "out of memory after a peak of ")),
        (RuntimeError("can't allocate memory: 9 bytes"), ("out_of_memory", "RuntimeError: can't allocate memory")),
        (torch.OutOfMemoryError("CUDA out of memory."), ("out_of_memory", "out of memory on cpu after a peak of ")),
        (NonFiniteLossError("at step 3"), ("non_finite_loss", "non-finite loss: at step 3")),
        (_FULL, ("crash", "a disk is full: [Errno 28] No space left on device: '/tmp/x'. Free space there")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_stage_of_a_run_may_fail_in_every_way(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch, stage: str, error: BaseException, ending: tuple[str, str]
) -> None:
    """The run is invalid, and the end of the traceback names the line that raised."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(experiment, stage, fail)
    record = freezebench.run(spec)
    cause, reason = ending
    assert (record.status, record.cause) == ("invalid", cause)
    assert str(record.reason).startswith(reason)
    assert "    raise error\n" in record.log
    assert type(error).__name__ in record.log


def test_an_interruption_ends_the_run(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from a person."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "_train", interrupt)
    with pytest.raises(KeyboardInterrupt):
        freezebench.run(spec)
