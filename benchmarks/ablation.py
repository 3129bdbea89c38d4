"""What each technique of the cached engine gains: whole ladders with it and without it, interleaved (A B B A).

One technique is switched off at a time. Printed per precision, technique and configuration: training time without the
technique divided by training time with it, as wall seconds and as CPU seconds of this process, which differ where other
work shares the machine. A technique stays in freezebench only if it gains at least 10 % of a whole ladder somewhere.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

import torch
from tabulate import tabulate
from torch.nn import functional

from freezebench.records.events import TrainingPaused, TrainingStarted
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.specs.grid import parse_grid
from freezebench.specs.presets import preset
from freezebench.specs.run import Precision, Protocol, RunSpec
from freezebench.training.cpu.operations import CpuOperations
from freezebench.training.device import device_name, resolve_device, resolve_precision
from freezebench.training.engines import cached, loop
from freezebench.verdicts.resources import interleaved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from freezebench.training.engines.events import Event
    from freezebench.training.engines.step import Step
    from freezebench.training.prefix.feed import Feed

_WORTH_KEEPING = 1.1


class EmbeddingOnly(CpuOperations):
    """The CPU operations without dropout and attention."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._replacements = {functional.embedding: self._embedding}


@contextmanager
def eager_steps(step: Step, *_: object, **__: object) -> Iterator[Step]:
    """Yield the step as it is, never captured."""
    yield step


@contextmanager
def all_threads(*_: object) -> Iterator[None]:
    """Leave the number of threads as it is."""
    yield


def whole_model(whole: Feed, *_: object, **__: object) -> Feed:
    """Return the feed of the whole model, without a cached prefix."""
    return whole


class Patch(NamedTuple):
    """One attribute that is replaced while a technique is off."""

    owner: object
    name: str
    value: object


@dataclass(frozen=True, kw_only=True)
class Technique:
    """One technique of the cached engine.

    Attributes:
        patches: What switches it off.
        devices: Types of the devices on which it does something.
    """

    patches: tuple[Patch, ...]
    devices: tuple[str, ...] = ("cpu", "cuda")


TECHNIQUES = {
    "prefix cache": Technique(patches=(Patch(cached, "_with_prefix", whole_model),)),
    "[CLS]-only last layer": Technique(patches=(Patch(cached, "check_cls_only", lambda *_: False),)),
    "bucketing by length": Technique(patches=(Patch(Protocol, "order_of_batches", "shuffled"),)),
    "CPU dropout and attention": Technique(patches=(Patch(cached, "CpuOperations", EmbeddingOnly),), devices=("cpu",)),
    "rows of the word embedding": Technique(
        patches=(Patch(cached, "find_used_rows", lambda *_: None),), devices=("cpu",)
    ),
    "one thread where little is computed": Technique(patches=(Patch(loop, "limited_threads", all_threads),)),
    "captured steps": Technique(patches=(Patch(loop, "captured_if_faster", eager_steps),), devices=("cuda",)),
}


@dataclass(kw_only=True)
class Arm:
    """Runs with a technique on or off; each arm has prefixes of its own.

    Attributes:
        patches: What is switched off.
        data_cache: The arm's data and prefixes.
        wall_s: Training seconds per configuration, in the order of the runs.
        cpu_s: CPU seconds of the same.
    """

    patches: tuple[Patch, ...] = ()
    data_cache: DataCache = field(default_factory=DataCache)
    wall_s: dict[str, list[float]] = field(default_factory=dict)
    cpu_s: dict[str, list[float]] = field(default_factory=dict)

    def train(self, spec: RunSpec, *, is_recorded: bool = True) -> None:
        """Train one run and keep its seconds.

        Raises:
            SystemExit: If the run is invalid.
        """
        clock = CpuClock()
        with ExitStack() as stack:
            for part in self.patches:
                stack.enter_context(patch.object(part.owner, part.name, part.value))
            record = run(spec, emit=clock.emit, data_cache=self.data_cache)
        train_s = record.value("train_s")
        if train_s is None:
            raise SystemExit(f"{spec.freeze}: {record.reason or record.readings['train_s'].reason}")
        if is_recorded:
            self.wall_s.setdefault(spec.freeze, []).append(train_s)
            self.cpu_s.setdefault(spec.freeze, []).append(clock.seconds)


class CpuClock:
    """Adds up the CPU seconds of this process between the beginning and the end of every epoch's training."""

    def __init__(self) -> None:
        self.seconds = self._began = 0.0

    def emit(self, event: Event) -> None:
        """Receive an event of the run."""
        if isinstance(event, TrainingStarted):
            self._began = time.process_time()
        elif isinstance(event, TrainingPaused):
            self.seconds += time.process_time() - self._began


def main() -> None:
    """Parse the command line, run every technique, print after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--techniques", help=f"of {', '.join(TECHNIQUES)} (default: all that this device uses)")
    parser.add_argument("--pairs", type=int, default=4, help="pairs of runs per configuration (default: 4)")
    parser.add_argument("--max-train", type=int, default=320, help="training sentences (default: 320)")
    parser.add_argument("--grid", default="all", help="freeze specs (default: all)")
    parser.add_argument("--data", help="another data set than the embedded preset's, as --freeze-data takes it")
    parser.add_argument("--model", help="another model than the embedded one, such as random_encoders:distilbert_base")
    parser.add_argument("--precision", choices=("float32", "bf16"), help="default: every one that the device has")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))  # where the factories of random encoders are
    device = resolve_device("auto")
    print(f"{device_name(device)} ({device}), torch {torch.__version__}, {torch.get_num_threads()} threads")
    names = options.techniques.split(",") if options.techniques else list(TECHNIQUES)
    native: list[Precision] = ["float32"]
    if resolve_precision("auto", device) == "bf16":
        native.append("bf16")
    for precision in [options.precision] if options.precision else native:
        for name in names:
            if device.type in TECHNIQUES[name].devices:
                print(f"\n{precision}, {name}\n{measured(TECHNIQUES[name], options, precision)}", flush=True)


def measured(technique: Technique, options: argparse.Namespace, precision: Precision) -> str:
    """Return the table of one technique."""
    specs = run_specs(options, precision)
    arms = {"A": Arm(), "B": Arm(patches=technique.patches)}
    for arm in arms.values():
        arm.data_cache.expect(spec.freeze for spec in specs)
        for spec in specs:  # computes the prefixes and checks the techniques, once per configuration
            arm.train(spec, is_recorded=False)
    for spec in specs:
        for side in interleaved(options.pairs):
            arms[side].train(spec)
    rows = [[spec.freeze, *gains(arms, [spec.freeze])] for spec in specs]
    rows.append(["whole ladder", *gains(arms, [spec.freeze for spec in specs])])
    headers = ["frozen", "with, s", "without, s", "gain, wall", "[min, max]", "gain, CPU", "[min, max]"]
    return tabulate(rows, headers=headers, disable_numparse=True)


def run_specs(options: argparse.Namespace, precision: Precision) -> list[RunSpec]:
    """Return one run per configuration of the embedded ladder."""
    base = preset("embedded")
    data = replace(base.data, source=options.data or base.data.source, max_train=options.max_train)
    protocol = replace(base.protocol, precision=precision)
    return [
        RunSpec(
            model=options.model or base.model,
            data=data,
            freeze=str(spec),
            protocol=replace(protocol, learning_rate=base.learning_rates.get(str(spec)) or protocol.learning_rate),
        )
        for spec in parse_grid(options.grid, 6, base.model)
    ]


def gains(arms: dict[str, Arm], freezes: list[str]) -> list[str]:
    """Return seconds with and without the technique, and how many times as long it takes without, with its spread."""
    wall, cpu = (ratios(arms, freezes, seconds) for seconds in (lambda arm: arm.wall_s, lambda arm: arm.cpu_s))
    totals = [sum(statistics.median(arms[side].wall_s[freeze]) for freeze in freezes) for side in "AB"]
    return [*(f"{total:.3f}" for total in totals), *summary(wall), *summary(cpu)]


def ratios(arms: dict[str, Arm], freezes: list[str], seconds: Callable[[Arm], dict[str, list[float]]]) -> list[float]:
    """Return for every pair of runs the seconds without the technique divided by those with it."""
    with_it, without = (
        [sum(runs) for runs in zip(*(seconds(arms[side])[freeze] for freeze in freezes), strict=True)] for side in "AB"
    )
    return [off / on for on, off in zip(with_it, without, strict=True)]


def summary(values: list[float]) -> list[str]:
    """Return the geometric mean of ratios, marked where it is worth a technique, and their range."""
    mean = math.exp(statistics.fmean(map(math.log, values)))
    mark = " *" if mean >= _WORTH_KEEPING else ""
    return [f"{mean:.3f}{mark}", f"[{min(values):.3f}, {max(values):.3f}]"]


if __name__ == "__main__":
    main()
