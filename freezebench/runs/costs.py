"""Measure what a run costs: meter every stretch of training, without evaluations, and combine the readings."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from freezebench.meters.cuda import allocation_breakdown
from freezebench.meters.metrics import metric_of
from freezebench.meters.window import MeterSession
from freezebench.records.contention import run_reason
from freezebench.records.events import TrainingPaused, TrainingStarted
from freezebench.records.reading import Reading
from freezebench.training.engines.events import BackwardDone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

    from freezebench.meters.metrics import OverWindows
    from freezebench.meters.window import Window
    from freezebench.records.trace import RunTrace
    from freezebench.specs.json_types import Json
    from freezebench.training.engines.events import Emit, Event
    from freezebench.training.engines.log import TrainingResult
    from freezebench.training.prefix.cached_prefix import CachedPrefix

# Each rule takes the values and the lengths of their windows.
_OVER_WINDOWS: dict[OverWindows, Callable[[Sequence[float], Sequence[float]], float]] = {
    "sum": lambda values, _: math.fsum(values),
    "largest": lambda values, _: max(values),
    "first": lambda values, _: values[0],
    "mean": statistics.fmean,
}
_CLOCK = "time.perf_counter, device synchronized"
_NO_ALLOCATOR = Reading.not_measured(
    "B", "torch's allocator", "torch does not count what it allocates on a CPU, so that activations are not known"
)


class CostWindows:
    """Measures every stretch of training in a window of its own, opened and closed by the events of training.

    Attributes:
        readings: The combined readings, once the block has ended.
        devices: The devices that NVML reported on.
        trace: Power and memory over time, one entry per stretch.
        warnings: Warnings of the meters.
    """

    def __init__(self, emit: Emit, *, model: torch.nn.Module, device: torch.device) -> None:
        self._emit = emit
        self._model, self._device = model, device
        self._breakdown: dict[str, Reading] = {}
        self._highest_peak = 0.0
        self._session = MeterSession(_gpus(device))
        self._open: Window | None = None
        self._windows: list[Window] = []
        self._epochs: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        self._session.close()

    def emit(self, event: Event) -> None:
        """Pass an event on; a window opens when training starts and closes when it pauses."""
        # The window closes before, and opens after, the event is passed on: the receiver's work is not measured.
        if isinstance(event, TrainingPaused):
            self._close()
        if isinstance(event, BackwardDone):
            self._break_down(event.optimizer)
            return
        self._emit(event)
        if isinstance(event, TrainingStarted):
            self._epochs.append(event.epoch)
            self._open = self._session.window().__enter__()

    def _close(self) -> None:
        if self._open is not None:
            self._open.__exit__(None, None, None)
            self._windows.append(self._open)
            self._open = None

    def _break_down(self, optimizer: torch.optim.Optimizer) -> None:
        """Read the composition of the memory; that of the stage with the highest peak stays."""
        peak, size = _NO_ALLOCATOR, None
        if self._device.type == "cuda":
            import torch

            size = float(torch.cuda.max_memory_allocated(self._device))
            peak = Reading(value=size, unit="B", source="torch.cuda.max_memory_allocated at the last step")
        breakdown = allocation_breakdown(self._model, optimizer, peak, device_type=self._device.type)
        size = math.fsum(reading.value or 0.0 for reading in breakdown.values()) if size is None else size
        if size >= self._highest_peak:
            self._highest_peak, self._breakdown = size, breakdown

    @property
    def readings(self) -> dict[str, Reading]:
        """The readings of all windows as one."""
        durations_s = [window.duration_s or 0.0 for window in self._windows]
        return {**combine([window.readings for window in self._windows], durations_s), **self._breakdown}

    @property
    def duration_s(self) -> float:
        """Length of all windows together, in seconds."""
        return math.fsum(window.duration_s or 0.0 for window in self._windows)

    @property
    def contended_shares(self) -> dict[int, float | None]:
        """Share of each epoch's training in which threads waited for a processor, by the number of the epoch."""
        shares = (window.readings["contended_share"].value for window in self._windows)
        return dict(zip(self._epochs, shares, strict=True))

    @property
    def shared_devices(self) -> tuple[str, ...]:
        """UUIDs of GPUs on which other processes computed meanwhile."""
        return tuple(dict.fromkeys(uuid for window in self._windows for uuid in window.shared_devices))

    @property
    def devices(self) -> tuple[Mapping[str, Json], ...]:
        """Identity of the measured devices."""
        return tuple(device.to_json() for device in self._windows[0].devices) if self._windows else ()

    @property
    def trace(self) -> RunTrace:
        """Power and memory over time, one entry per stretch of training."""
        return {"stretches": [window.trace.to_json() for window in self._windows if window.trace]}

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the meters, each once."""
        return tuple(dict.fromkeys(warning for window in self._windows for warning in window.warnings))


def _gpus(device: torch.device) -> list[str]:
    """Return the UUID of the GPU that trains; an empty list for a CPU."""
    if device.type != "cuda":
        return []
    import torch

    return [f"GPU-{torch.cuda.get_device_properties(device).uuid}"]


def combine(windows: Sequence[dict[str, Reading]], durations_s: Sequence[float]) -> dict[str, Reading]:
    """Return one reading per metric for several windows of one run.

    Each metric's ``over_windows`` is the rule: energies and times add up, uncertainties with them; of peaks the largest
    counts, of readings at the start the first, of mean powers and shares the mean over time. A metric that some window
    lacks is ``partial``.

    Args:
        windows: The readings of each window.
        durations_s: Length of each window in seconds.
    """
    names = list(dict.fromkeys(name for window in windows for name in window))
    return {name: _combined(name, [window.get(name) for window in windows], durations_s) for name in names}


def _combined(name: str, readings: Sequence[Reading | None], durations_s: Sequence[float]) -> Reading:
    """Return one metric's reading over all windows."""
    known = [reading for reading in readings if reading is not None]
    measured = [reading for reading in known if reading.value is not None]
    if not measured:
        return known[0]
    timed = list(zip(readings, durations_s, strict=True))
    weighted = [(reading.value, weight) for reading, weight in timed if reading and reading.value is not None]
    values, weights = [value for value, _ in weighted], [weight for _, weight in weighted]
    uncertainties = [reading.uncertainty for reading in measured if reading.uncertainty is not None]
    over_windows = metric_of(name).over_windows
    value = _OVER_WINDOWS[over_windows](values, weights)
    uncertainty = sum(uncertainties) if over_windows == "sum" else max(uncertainties, default=0.0)
    reasons = list(dict.fromkeys(reading.reason for reading in known if reading.reason))
    whole = len(measured) == len(readings) and all(reading.status == "measured" for reading in measured)
    coverages = [reading.coverage or 0.0 for reading in known if reading.coverage is not None or reading.value is None]
    samples = [reading.num_samples for reading in measured if reading.num_samples is not None]
    return Reading(
        value=value,
        unit=measured[0].unit,
        source=measured[0].source,
        status="measured" if whole else "partial",
        reason="; ".join(reasons) or (None if whole else "not measured in every stretch of training"),
        uncertainty=uncertainty if uncertainties else None,
        num_samples=sum(samples) if samples else None,
        max_gap_s=max((reading.max_gap_s for reading in measured if reading.max_gap_s is not None), default=None),
        coverage=statistics.fmean(coverages) if coverages else None,
        low_confidence=any(reading.low_confidence for reading in measured),
    )


def prefix_readings(prefixes: Sequence[CachedPrefix]) -> dict[str, Reading]:
    """Return the cost and size of the cached prefixes of all stages; their time is charged to the run that computed it.

    Returns:
        No readings if nothing is cached.
    """
    if not prefixes:
        return {}
    computed = [prefix.seconds for prefix in prefixes if prefix.seconds is not None]
    if computed:
        seconds = Reading(value=math.fsum(computed), unit="s", source=_CLOCK)
    else:
        reason = "shared: an earlier run computed it"
        seconds = Reading.not_measured("s", _CLOCK, reason)
    # Stages with equally many frozen layers have the same hidden states.
    distinct = {id(prefix.hidden): prefix for prefix in prefixes}.values()
    where = ", ".join(dict.fromkeys(prefix.where for prefix in distinct))
    size = Reading(value=float(sum(prefix.num_bytes for prefix in distinct)), unit="B", source=where)
    return {"prefix_s": seconds, "prefix_bytes": size}


def timing_readings(
    result: TrainingResult, *, num_examples: int, shared_devices: Sequence[str] = ()
) -> dict[str, Reading]:
    """Return train time, throughput and step times of one run; not measured if other processes used the device.

    Args:
        result: Measurements of the engine.
        num_examples: Number of training sentences of one epoch.
        shared_devices: GPUs on which other processes computed meanwhile.
    """
    steps = sorted(result.step_s)
    figures = {
        "train_s": (result.train_s, "s"),
        "train_and_eval_s": (result.train_and_eval_s, "s"),
        "warmup_s": (result.warmup_s, "s"),
        "samples_per_s": (num_examples * len(result.epochs) / result.train_s, "1/s"),
        "steps_per_s": (len(result.step_losses) / result.train_s, "1/s"),
        "step_s": (statistics.median(steps), "s"),
        "evaluation_s": (result.train_and_eval_s - result.train_s, "s"),
        **{f"{phase}_s": (seconds, "s") for phase, seconds in result.phase_s.items()},
        "step_p95_s": (steps[min(len(steps) - 1, int(0.95 * len(steps)))], "s"),
    }
    if shared_devices:
        reason = f"device shared: other processes computed on {', '.join(shared_devices)}; run alone on the device"
        return {name: Reading.not_measured(unit, _CLOCK, reason) for name, (_, unit) in figures.items()}
    batches = "one batch" if result.num_stages == 1 else "one batch of each stage, mean over all steps"
    counted = Reading(value=float(result.step_flop), unit="FLOP", source=f"torch.utils.flop_counter, {batches}")
    timed = {name: Reading(value=value, unit=unit, source=_CLOCK) for name, (value, unit) in figures.items()}
    return {**timed, "step_flop": counted}


def mark_contended(readings: Mapping[str, Reading]) -> dict[str, Reading]:
    """Return the readings of a run that waited for processors: its times and CPU energies marked as contended.

    The figures stay, with the reason why they do not count. Peak memory, and what was measured before the training
    began, do not depend on what else the machine does.
    """
    reason = run_reason(readings["contended_share"].value or 0.0)
    return {
        name: replace(reading, status="contended", reason=reason)
        if metric_of(name).needs_quiet and reading.value is not None
        else reading
        for name, reading in readings.items()
    }
