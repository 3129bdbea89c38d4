"""Which signal shows that other work slowed a run down, and from which share on: the limit of contention, measured.

A small run of the embedded model trains alone, beside busy loops, beside loops that compute only part of the time, and
beside loops that begin half way. The conditions take turns, in an order that is reversed in every other round. Printed
for every run: how many times as long it trained as the runs alone (the truth), the share of its time that was lost so,
and the share that each signal gives. Other programs have to be stopped while this runs.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tabulate import tabulate

from freezebench.data.load import load_data
from freezebench.meters.processors import Processors, ThreadTimes
from freezebench.records.contention import CONTENTION_LIMIT
from freezebench.records.events import StepRecord, TrainingPaused, TrainingStarted
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.presets import preset
from freezebench.specs.run import RunSpec
from freezebench.training.device import device_name

if TYPE_CHECKING:
    from freezebench.records.run_record import RunRecord
    from freezebench.training.engines.events import Event

# Computes for a share of every 20 ms, its argument, and ends with the process that started it.
_LOOP = """
import os, sys, time
share, parent = float(sys.argv[1]), os.getppid()
while os.getppid() == parent:
    end = time.monotonic() + 0.02 * share
    while time.monotonic() < end:
        pass
    if share < 1:
        time.sleep(0.02 * (1 - share))
"""
_NUM_EVALUATED = 20


@dataclass(frozen=True, kw_only=True)
class Load:
    """Other work beside the training.

    Attributes:
        num_loops: Number of processes that compute.
        share: Share of the time in which each of them computes.
        begins_half_way: Whether they begin with the second half of the steps.
    """

    num_loops: int = 0
    share: float = 1.0
    begins_half_way: bool = False

    def __str__(self) -> str:
        """Return what this load is."""
        if not self.num_loops:
            return "alone"
        part = "" if self.share == 1 else f" at {self.share:.0%}"
        when = " from half way" if self.begins_half_way else ""
        return f"{self.num_loops} loop{'s' if self.num_loops > 1 else ''}{part}{when}"


@dataclass(kw_only=True)
class Watch:
    """Starts the load of one run, and reads the times of threads at the edges of its epochs.

    Attributes:
        load: The load.
        longest_s: Longest wait of a thread, summed over epochs.
    """

    load: Load
    longest_s: float = 0.0
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _before: dict[int, ThreadTimes] = field(default_factory=dict)

    def emit(self, event: Event) -> None:
        """Take an event of training."""
        if isinstance(event, TrainingStarted):
            self._before = Processors().threads()
        elif isinstance(event, TrainingPaused):
            none = ThreadTimes(run_s=0.0, wait_s=0.0)
            now = Processors().threads()
            self.longest_s += max(times.wait_s - self._before.get(key, none).wait_s for key, times in now.items())
        elif isinstance(event, StepRecord) and self.load.begins_half_way and 2 * event.step >= event.num_steps:
            self.begin()

    def begin(self) -> None:
        """Start the loops, unless they run."""
        if not self._processes:
            command = [sys.executable, "-c", _LOOP, str(self.load.share)]
            self._processes = [subprocess.Popen(command) for _ in range(self.load.num_loops)]  # noqa: S603 - a constant

    def end(self) -> None:
        """Stop the loops."""
        for process in self._processes:
            process.kill()
            process.wait()


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One run beside one load.

    Attributes:
        load: The load.
        record: The run.
        longest_s: Longest wait of a thread, in seconds.
    """

    load: Load
    record: RunRecord
    longest_s: float

    @property
    def train_s(self) -> float:
        """Seconds of training."""
        return self.record.value("train_s") or math.nan

    def signals(self) -> dict[str, float]:
        """Return the share that each signal gives, 0 to 1."""
        seconds = {name: (self.record.value(f"{name}_s") or 0.0) / self.train_s for name in _SECONDS}
        num_threads = torch.get_num_threads()
        return {
            "longest wait": self.longest_s / self.train_s,
            "all waits": seconds["cpu_wait"],
            "contended_share": self.record.contended_share or 0.0,
            "steal": seconds["steal"],
            "throttled": seconds["cpu_throttled"],
            "pressure": seconds["cpu_pressure"],
            "no CPU time": 1 - seconds["cpu"] / num_threads,
        }


_SECONDS = ("cpu_wait", "steal", "cpu_throttled", "cpu_pressure", "cpu")


def small_data(folder: Path, num_train: int) -> DataSpec:
    """Write the beginning of each split of ``reviews`` to a folder, and return its spec; evaluations are short then."""
    data = load_data(DataSpec(source="reviews"))
    for name, split in data.splits.items():
        num = num_train if name == "train" else _NUM_EVALUATED
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            # A split of one class only is refused, so that the classes take turns.
            rows = sorted(zip(split.texts, split.labels, strict=True), key=lambda row: row[1])
            num_first = split.labels.count(0)
            turns = [row for pair in zip(rows[:num_first], rows[num_first:], strict=False) for row in pair]
            writer.writerows((texts[0], label) for texts, label in turns[:num])
    return DataSpec(source=str(folder))


def measure(spec: RunSpec, load: Load, cache: DataCache) -> Measurement:
    """Return one run beside one load."""
    watch = Watch(load=load)
    try:
        if not load.begins_half_way:
            watch.begin()
        record = run(spec, emit=watch.emit, data_cache=cache)
    finally:
        watch.end()
    measurement = Measurement(load=load, record=record, longest_s=watch.longest_s)
    share = record.contended_share or 0.0
    print(f"{load}: {measurement.train_s:.2f} s, contended share {share:.1%}", file=sys.stderr, flush=True)
    return measurement


def table(measurements: list[Measurement]) -> str:
    """Return every run's true loss of time beside what the signals say, by load and loss."""
    alone_s = statistics.median(item.train_s for item in measurements if not item.load.num_loops)
    loads = list(dict.fromkeys(item.load for item in measurements))
    rows = [
        {
            "load": item.load,
            "train s": item.train_s,
            "times alone": item.train_s / alone_s,
            "lost": f"{max(0.0, 1 - alone_s / item.train_s):.1%}",
            **{name: f"{share:.1%}" for name, share in item.signals().items()},
            "": "contended" if item.record.is_contended else "",
        }
        for item in sorted(measurements, key=lambda item: (loads.index(item.load), item.train_s))
    ]
    return tabulate(rows, headers="keys", floatfmt=".2f")


def separation(measurements: list[Measurement]) -> str:
    """Return which slow-downs stay below and come to lie above some limits of the share."""
    alone_s = statistics.median(item.train_s for item in measurements if not item.load.num_loops)
    rows = []
    for limit in sorted({0.01, 0.02, 0.05, 0.1, 0.2, CONTENTION_LIMIT}):
        marked = [item for item in measurements if (item.record.contended_share or 0.0) > limit]
        slow = {
            name: [item.train_s / alone_s for item in items]
            for name, items in (
                ("kept", [item for item in measurements if item not in marked]),
                ("marked", marked),
            )
        }
        rows.append(
            {
                "limit": f"{limit:.0%}",
                "runs kept": len(slow["kept"]),
                "slowest kept": max(slow["kept"], default=math.nan),
                "runs alone that are marked": sum(not item.load.num_loops for item in marked),
                "fastest marked": min(slow["marked"], default=math.nan),
            }
        )
    return tabulate(rows, headers="keys", floatfmt=".2f")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-train", type=int, default=96, help="training sentences (96)")
    parser.add_argument("--epochs", type=int, default=1, help="epochs (1)")
    parser.add_argument("--rounds", type=int, default=3, help="runs beside every load (3)")
    parser.add_argument("--freeze", default="none", help="freeze spec (none)")
    return parser.parse_args()


def main() -> None:
    """Print the tables."""
    arguments = _arguments()
    num_cpus = len(os.sched_getaffinity(0))
    loads = [
        Load(),
        Load(num_loops=1, share=0.05),
        Load(num_loops=1, share=0.2),
        Load(num_loops=1),
        Load(num_loops=num_cpus, share=0.1),
        Load(num_loops=num_cpus),
        Load(num_loops=num_cpus, begins_half_way=True),
    ]
    chosen = preset("embedded")
    with tempfile.TemporaryDirectory() as folder:
        spec = RunSpec(
            model=chosen.model,
            data=small_data(Path(folder), arguments.max_train),
            freeze=arguments.freeze,
            device="cpu",
            # Small batches, so that a few sentences make enough steps for a load from half way.
            protocol=replace(chosen.protocol, num_epochs=arguments.epochs, batch_size=8),
        )
        cache = DataCache()
        measure(spec, Load(), cache)  # the first run loads libraries
        measurements: list[Measurement] = []
        for number in range(arguments.rounds):
            in_turn = loads if number % 2 == 0 else reversed(loads)
            measurements += [measure(spec, load, cache) for load in in_turn]
    print(f"{device_name(torch.device('cpu'))}, {num_cpus} processors, {torch.get_num_threads()} threads\n")
    print(table(measurements))
    print(f"\nIf runs past a limit of contended_share are marked (the limit is {CONTENTION_LIMIT:.0%}):\n")
    print(separation(measurements))


if __name__ == "__main__":
    main()
