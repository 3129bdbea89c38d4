"""The registry of metrics: unit, direction, aggregation, label and footnote of every figure that a run records.

A meter takes the unit of its readings from here, the runs combine their windows by it, and the report takes labels and
aggregations from it. To add a metric, measure it in a meter and register it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["lower", "higher"]
OverSeeds = Literal["median", "largest"]
OverWindows = Literal["sum", "largest", "first", "mean"]


@dataclass(frozen=True, kw_only=True)
class CostMetric:
    """One figure of a run.

    Attributes:
        name: Name of its readings, with the unit, such as ``energy_j``.
        unit: SI unit or ``"1"``, as in ``Reading.unit``.
        label: What tables and charts call it.
        better: Whether ``lower`` or ``higher`` figures are better; ``None`` where neither is.
        over_seeds: How the runs of several seeds give one figure.
        over_windows: How the measurement windows of one run, one per epoch, give one figure; a ``mean`` weights each
            window by its length.
        footnote: What to keep in mind about the figure, in one sentence; empty if the label is enough.
        needs_quiet: Whether other work on the processors falsifies the figure of a run on a CPU.
        of_machine: Whether it is a cost of the whole machine, to which runs on its other devices add.
    """

    name: str
    unit: str
    label: str
    better: Direction | None = "lower"
    over_seeds: OverSeeds = "median"
    over_windows: OverWindows = "sum"
    footnote: str = ""
    needs_quiet: bool = False
    of_machine: bool = False


def _time(
    name: str, label: str, footnote: str, *, over_windows: OverWindows = "sum", needs_quiet: bool = False
) -> CostMetric:
    """Return a metric in seconds: the median over seeds, since a shared machine may disturb one of the runs."""
    return CostMetric(
        name=name, unit="s", label=label, over_windows=over_windows, footnote=footnote, needs_quiet=needs_quiet
    )


def _peak(name: str, label: str, footnote: str) -> CostMetric:
    """Return a metric in bytes: the largest over seeds, since every run has to fit into memory."""
    return CostMetric(name=name, unit="B", label=label, over_seeds="largest", over_windows="largest", footnote=footnote)


# Times of a run, measured by the training loop with the device synchronized.
_TIMES = (
    _time("train_s", "train time", "Training steps alone, without evaluation and warm-up.", needs_quiet=True),
    _time(
        "train_and_eval_s", "time of training and evaluation", "Without warm-up and the final test.", needs_quiet=True
    ),
    _time("evaluation_s", "evaluation time", "Evaluations between the epochs."),
    _time("warmup_s", "warm-up time", "Spent before the clock of training starts."),
    _time("prefix_s", "time of the frozen prefix", "Charged to the run that computed it; later runs share it."),
    *(
        _time(f"{phase}_s", f"time of {label}", "Summed over all training steps.", needs_quiet=True)
        for phase, label in (
            ("data", "putting batches together"),
            ("forward", "forward passes"),
            ("backward", "backward passes"),
            ("optimizer", "optimizer steps"),
        )
    ),
    _time("step_s", "step time", "Median over the steps of a run.", over_windows="mean", needs_quiet=True),
    _time(
        "step_p95_s",
        "slow step time",
        "95th percentile over the steps of a run.",
        over_windows="mean",
        needs_quiet=True,
    ),
    CostMetric(
        name="samples_per_s",
        unit="1/s",
        label="samples per second",
        better="higher",
        over_windows="mean",
        needs_quiet=True,
    ),
    CostMetric(
        name="steps_per_s", unit="1/s", label="steps per second", better="higher", over_windows="mean", needs_quiet=True
    ),
    CostMetric(
        name="step_flop",
        unit="FLOP",
        label="operations per step",
        over_windows="mean",
        footnote="Matrix products of one batch of average length, counted.",
    ),
)
# Energy and power, by the meters. NVML and RAPL count whole devices, so that the footnotes say what is included.
_ENERGIES = (
    CostMetric(
        name="energy_j", unit="J", label="GPU energy", footnote="Of the whole board, whichever process used it."
    ),
    CostMetric(
        name="energy_integrated_j",
        unit="J",
        label="GPU energy by power samples",
        footnote="Integral of the sampled power, a check of the energy counter.",
    ),
    CostMetric(
        name="cpu_energy_j",
        unit="J",
        label="CPU package energy",
        footnote="Of the whole package, whichever process used it.",
        needs_quiet=True,
        of_machine=True,
    ),
    CostMetric(
        name="dram_energy_j",
        unit="J",
        label="main memory energy",
        footnote="Of the whole machine, whichever process used it.",
        needs_quiet=True,
        of_machine=True,
    ),
    CostMetric(name="mean_power_w", unit="W", label="mean GPU power", over_windows="mean"),
    CostMetric(name="peak_power_w", unit="W", label="GPU power peak", over_seeds="largest", over_windows="largest"),
    CostMetric(
        name="start_temperature_c",
        unit="degC",
        label="GPU temperature at the start",
        better=None,
        over_windows="first",
        footnote="A hot GPU may lower its clock.",
    ),
)
# Memory. A torch allocator's peak is exact and of one process; the others are what the driver or the kernel reports.
_MEMORY = (
    _peak("peak_allocated_bytes", "GPU memory peak", "Of torch's allocator alone, without the CUDA context."),
    _peak("peak_reserved_bytes", "reserved GPU memory peak", "Of torch's allocator, its unused blocks included."),
    _peak("peak_device_used_bytes", "device-wide GPU memory peak", "Of all processes on the device, by samples."),
    _peak("peak_rss_bytes", "process memory peak", "Resident memory of the process that trains, libraries included."),
    CostMetric(
        name="start_rss_bytes",
        unit="B",
        label="process memory at the start",
        better=None,
        over_seeds="largest",
        over_windows="first",
    ),
    _peak("prefix_bytes", "size of the cached prefix", "In memory or on disk, once for all runs that share it."),
    *(
        _peak(f"allocated_{part}_bytes", f"memory of {label}", footnote)
        for part, label, footnote in (
            ("parameters", "parameters and buffers", "Counted from the tensors on the device that trains."),
            ("gradients", "gradients", "Counted from the tensors at the last step."),
            ("optimizer", "the optimizer's state", "Counted from the tensors at the last step."),
            ("rest", "activations and the rest", "The allocated peak less the three other parts, on a GPU."),
        )
    ),
    _peak("weights_added_bytes", "memory of added weights", "Part of the parameters: adapters, as they train."),
    _peak("weights_merged_bytes", "memory of merged weights", "Parameters and buffers once adapters are merged."),
)

# Whether other work on the machine disturbed the training, which decides whether its times count.
_CONTENTION = (
    CostMetric(
        name="contended_share",
        unit="1",
        label="share of time waiting for a processor",
        over_seeds="largest",
        over_windows="mean",
        footnote="Above 5 %, the times of a run on a CPU do not count.",
    ),
    _time("cpu_wait_s", "time of waiting for a processor", "Of all threads of the process, summed."),
    _time("cpu_s", "processor time", "Of all threads of the process, summed."),
    _time("steal_s", "processor time stolen by the host", "Of the processors on which the process may run, summed."),
    _time("cpu_pressure_s", "time of pressure on the processors", "In which some task, not only ours, had to wait."),
    _time("cpu_throttled_s", "time of throttling by a quota", "Of the process's control groups, over processors."),
)

COST_METRICS: dict[str, CostMetric] = {metric.name: metric for metric in (*_TIMES, *_ENERGIES, *_MEMORY, *_CONTENTION)}


def metric_of(reading_name: str) -> CostMetric:
    """Return the metric of a reading; with several GPUs a reading's name may end with its device: ``energy_j[GPU-…]``.

    Raises:
        KeyError: If the metric is not registered.
    """
    return COST_METRICS[reading_name.partition("[")[0]]
