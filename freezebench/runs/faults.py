"""Record a run that broke: its cause, a reason in one sentence, and the end of its traceback."""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from freezebench.errors import first_line, message, named, traceback_end
from freezebench.meters.process import THIS_PROCESS
from freezebench.runs.weights import UnsoundRunError
from freezebench.training.engines.log import NonFiniteLossError
from freezebench.units import bytes_text

if TYPE_CHECKING:
    from freezebench.records.run_record import InvalidCause, RunRecord

_FULL = (errno.ENOSPC, errno.EDQUOT)


def invalid_record(draft: RunRecord, error: BaseException, device: torch.device) -> RunRecord:
    """Return the record of a run that an error ended.

    Args:
        draft: The record as far as it was known before training.
        error: What ended the run.
        device: The device that trained; its peak memory is quoted where memory ran out.
    """
    cause, reason = _cause(error, device)
    return replace(draft, status="invalid", cause=cause, reason=reason, log=traceback_end(error))


def _cause(error: BaseException, device: torch.device) -> tuple[InvalidCause, str]:
    """Return the cause and the reason of a run's end."""
    match error:
        case torch.OutOfMemoryError():
            return "out_of_memory", f"out of memory on {device}{_peak(device)}: {first_line(error)}"
        case MemoryError():
            return "out_of_memory", f"out of memory{_peak(device)}: {named(error)}"
        case NonFiniteLossError():
            return "non_finite_loss", f"non-finite loss: {first_line(error)}"
        case UnsoundRunError():
            return error.cause, str(error)
        case OSError(errno=number) if number in _FULL:
            advice = "Free space there; TMPDIR names the folder for temporary files"
            return "crash", f"a disk is full: {first_line(error)}. {advice}"
        case _:
            # torch's CPU allocator raises a plain RuntimeError.
            cause: InvalidCause = "out_of_memory" if "allocate memory" in message(error) else "crash"
            return cause, named(error)


def _peak(device: torch.device) -> str:
    """Return a clause on the peak of memory in use, from which a smaller batch size can be chosen."""
    with suppress(OSError, RuntimeError, ValueError):
        on_gpu = device.type == "cuda"
        peak = torch.cuda.max_memory_allocated(device) if on_gpu else THIS_PROCESS.high_water_bytes()
        return f" after a peak of {bytes_text(peak)}"
    return ""
