"""Duration of training steps and of their phases."""

from __future__ import annotations

import itertools
import time

import torch


class StepClock:
    """Times the steps of a run without a wait for the device: by CUDA events on a GPU, else by the host's clock."""

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._marks: list[tuple[str, torch.cuda.Event | float]] = []
        self._seconds: list[float] = []
        self._phases: dict[str, float] = {}

    def start(self) -> None:
        """Mark the beginning of an epoch's first step."""
        self._marks.append(("", self._mark()))

    def lap(self, phase: str) -> None:
        """Mark the end of one phase of a step."""
        self._marks.append((phase, self._mark()))

    def step(self, phase: str) -> None:
        """Mark the end of a step's last phase, which is the beginning of the next step."""
        self._marks.append((phase, self._mark()))
        if not self._on_gpu:
            self._evaluate_marks()

    def seconds(self) -> tuple[list[float], dict[str, float]]:
        """Return every step's duration and each phase's total, in seconds; on a GPU after a synchronization.

        Phases are empty if only the ends of steps were marked.
        """
        self._evaluate_marks()
        return list(self._seconds), dict(self._phases) if len(self._phases) > 1 else {}

    def _evaluate_marks(self) -> None:
        """Turn the marks of complete steps into seconds."""
        step = 0.0
        for (_, start), (phase, end) in itertools.pairwise(self._marks):
            if not phase:  # the gap between two epochs
                continue
            seconds = _elapsed(start, end)
            step += seconds
            self._phases[phase] = self._phases.get(phase, 0.0) + seconds
            if phase == "optimizer":
                self._seconds.append(step)
                step = 0.0
        # The last mark is the beginning of the next step.
        del self._marks[:-1]

    def _mark(self) -> torch.cuda.Event | float:
        if not self._on_gpu:
            return time.perf_counter()
        # The device records the time when it gets to the event; the processor does not wait.
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event


def _elapsed(start: torch.cuda.Event | float, end: torch.cuda.Event | float) -> float:
    """Return the seconds between two marks of one device."""
    if isinstance(start, torch.cuda.Event) and isinstance(end, torch.cuda.Event):
        return float(start.elapsed_time(end)) / 1000
    return float(end) - float(start)  # type: ignore[arg-type]
