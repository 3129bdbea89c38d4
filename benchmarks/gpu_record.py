"""The record of one GPU: every engine with its steps eager, captured by hand, captured by PyTorch, and compiled.

Encoders of MiniLM-L6's and DistilBERT-base's shape with random weights train on sentences as long as SST-2's. Printed
as one Markdown table: milliseconds per step, seconds and joules of a whole ladder (with the interval of its seeds), and
peak memory. The script takes at most ``--minutes``; the row of an arm that had no time left states it.

On a machine without a GPU, ``--device=cpu`` tries the script itself; only eager steps run there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

import torch
from random_encoders import write_sentences
from scipy.stats import t
from tabulate import tabulate

from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.grid import parse_grid
from freezebench.specs.run import Engine, Protocol, RunSpec
from freezebench.tasks.scores import logits_of
from freezebench.training.device import device_name, resolve_device, resolve_precision
from freezebench.training.engines import loop
from freezebench.training.engines.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.training.batches.encoding import Batch
    from freezebench.training.engines.events import Emit
    from freezebench.training.engines.job import Job
    from freezebench.training.engines.log import TrainingResult

MODELS = {"MiniLM-L6": "random_encoders:minilm_l6", "DistilBERT-base": "random_encoders:distilbert_base"}
ENGINES: tuple[Engine, ...] = ("cached", "standard", "trainer")
_TYPICAL = "emb+L0-1"


class GraphedStep(Step):
    """A step whose forward and backward pass are captured by ``torch.cuda.make_graphed_callables``, once per shape."""

    def __init__(self, job: Job, optimizer: torch.optim.AdamW) -> None:
        super().__init__(job, optimizer)
        self._graphed: dict[tuple[tuple[str, torch.Size], ...], torch.nn.Module] = {}

    def forward(self) -> torch.Tensor:
        """Return the mean cross-entropy of the batch, in nats."""
        inputs = {name: tensor for name, tensor in self._batch.items() if name != "labels"}
        shape = tuple((name, tensor.shape) for name, tensor in inputs.items())
        if shape not in self._graphed:
            scores = _Scores(self, tuple(inputs))
            graphed = torch.cuda.make_graphed_callables(scores, tuple(inputs.values()))
            self._graphed[shape] = graphed  # type: ignore[assignment]  # a module for a module
        self.logits = self._graphed[shape](*inputs.values())
        self._loss = torch.nn.functional.cross_entropy(self.logits, self._batch["labels"])
        return self._loss


class _Scores(torch.nn.Module):
    """Class scores as a function of a batch's tensors, in the order of their names."""

    def __init__(self, step: Step, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self._job, self._names = step.job.model, step.job, names

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        """Return the class scores, shape (batch, classes)."""
        batch: Batch = dict(zip(self._names, tensors, strict=True))
        with torch.autocast("cuda", torch.bfloat16, enabled=self._job.precision == "bf16", cache_enabled=False):
            return logits_of(self._job.logits(batch))


class CompiledStep(Step):
    """A step whose model is compiled with CUDA graphs by ``torch.compile``."""

    def __init__(self, job: Job, optimizer: torch.optim.AdamW) -> None:
        super().__init__(job, optimizer)
        job.model.compile(mode="reduce-overhead", dynamic=True)

    def forward(self) -> torch.Tensor:
        """Return the mean cross-entropy of the batch, in nats."""
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return super().forward()


@contextmanager
def eager(step: Step, *_: object, **__: object) -> Iterator[Step]:
    """Yield the step as it is."""
    yield step


class Steps(NamedTuple):
    """One way to run the steps of freezebench's own loop; ``None`` leaves that part as it is."""

    step: type[Step] | None
    chosen: object | None


STEPS = {
    "eager": Steps(None, eager),
    "captured by hand": Steps(None, None),
    "make_graphed_callables": Steps(GraphedStep, eager),
    "torch.compile": Steps(CompiledStep, eager),
}


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One row of the table."""

    model: str
    engine: Engine
    steps: str

    def why_not(self, device: torch.device) -> str | None:
        """Return why this arm cannot run; ``None`` if it can."""
        if self.steps != "eager" and device.type != "cuda":
            return "no GPU"
        if self.engine == "trainer" and self.steps in ("captured by hand", "make_graphed_callables"):
            return "the Trainer runs its own steps"
        if self.engine == "standard" and self.steps == "captured by hand":
            return "only the cached engine captures its steps"
        return None

    def ladder(self, options: argparse.Namespace, data: Path, seed: int, deadline: float) -> list[RunRecord]:
        """Return the records of one seed's ladder.

        Raises:
            TimeoutError: If the time is up.
        """
        protocol = Protocol(engine=self.engine, num_epochs=options.epochs, batch_size=32, prefix_mode="eval")
        spec = RunSpec(
            model=MODELS[self.model],
            data=DataSpec(source=str(data)),
            device=options.device,
            protocol=protocol,
            seed=seed,
        )
        grid = [str(part) for part in parse_grid(options.grid, 6, self.model)]
        data_cache, records = DataCache(), []
        data_cache.expect(grid)
        with ExitStack() as stack:
            steps = STEPS[self.steps]
            if self.engine == "trainer" and self.steps == "torch.compile":
                stack.enter_context(_compiled_trainer())
            elif steps.step is not None:
                stack.enter_context(patch.object(loop, "Step", steps.step))
            if steps.chosen is not None:
                stack.enter_context(patch.object(loop, "captured_if_faster", steps.chosen))
            for freeze in grid:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not finished within {options.minutes:g} minutes")
                records.append(run(replace(spec, freeze=freeze), data_cache=data_cache))
                if not records[-1].is_valid:
                    raise RuntimeError(records[-1].reason)
        return records


@contextmanager
def _compiled_trainer() -> Iterator[None]:
    """Compile every model before the Transformers Trainer trains it."""
    from freezebench.training.engines import trainer

    train = trainer.train

    def compile_and_train(jobs: Sequence[Job], emit: Emit) -> TrainingResult:
        jobs[0].model.compile(mode="reduce-overhead", dynamic=True)
        return train(jobs, emit)

    with patch.object(trainer, "train", compile_and_train):
        yield


def main() -> None:
    """Parse the command line, run every arm, print the table after each of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--grid", default="all", help="freeze specs (default: all)")
    parser.add_argument("--models", default=",".join(MODELS), help=f"of {', '.join(MODELS)} (default: all)")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--num-train", type=int, default=2000, help="training sentences (default: 2000)")
    parser.add_argument("--seeds", type=int, default=2, help="ladders per arm (default: 2)")
    parser.add_argument("--minutes", type=float, default=8.0, help="time limit (default: 8)")
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    device = resolve_device(options.device)
    precision = resolve_precision("auto", device)
    sys.path.insert(0, str(Path(__file__).parent))  # where the factories are
    print(
        f"{device_name(device)}, torch {torch.__version__}, {precision}, batch 32, {options.epochs} epochs of "
        f"{options.num_train} sentences, {options.seeds} seeds; step time of {_TYPICAL}; frozen part in eval mode\n"
    )
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = write_sentences(Path(folder), num_train=options.num_train, num_test=200)
        for arm in [
            Arm(model=model, engine=engine, steps=steps)
            for steps in STEPS
            for model in options.models.split(",")
            for engine in ENGINES
        ]:
            rows.append([arm.model, arm.engine, arm.steps, *measured(arm, options, data, device, deadline)])
            print(" | ".join(rows[-1]), flush=True)
    headers = ["encoder", "engine", "steps", "step, ms", "ladder, s", "ladder, J", "peak, MiB"]
    print("\n" + tabulate(sorted(rows), headers=headers, tablefmt="github", disable_numparse=True))


def measured(arm: Arm, options: argparse.Namespace, data: Path, device: torch.device, deadline: float) -> list[str]:
    """Return an arm's figures as text; what was not measured is a dash, with the reason in the first cell."""
    reason = arm.why_not(device)
    ladders: list[list[RunRecord]] = []
    try:
        while reason is None and len(ladders) < options.seeds:
            ladders.append(arm.ladder(options, data, 42 + len(ladders), deadline))
    except Exception as error:  # noqa: BLE001 - an arm that fails is a row of the table, and the others go on
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:100]
    if not ladders:
        return [f"– ({reason})", "–", "–", "–"]
    peak = "peak_allocated_bytes" if device.type == "cuda" else "peak_rss_bytes"
    typical = [record for records in ladders for record in records if record.spec.freeze == _TYPICAL]
    steps = [seconds for record in typical if (seconds := record.value("step_s")) is not None]
    peaks = [value for records in ladders for record in records if (value := record.value(peak)) is not None]
    return [
        f"{1000 * statistics.median(steps):.2f}" if steps else "–",
        with_interval([total(records, "train_s") for records in ladders]),
        with_interval([total(records, "energy_j") for records in ladders]),
        f"{max(peaks) / 2**20:.0f}" if peaks else "–",
    ]


def total(records: list[RunRecord], metric: str) -> float | None:
    """Return the sum of a figure over a ladder; ``None`` if it is missing in a run."""
    values = [record.value(metric) for record in records]
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def with_interval(values: list[float | None]) -> str:
    """Return the mean over seeds with the half-width of its 95 % t interval."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "–"
    if len(known) == 1:
        return f"{known[0]:.2f} (1 seed)"
    half = t.ppf(0.975, len(known) - 1) * statistics.stdev(known) / len(known) ** 0.5
    return f"{statistics.fmean(known):.2f} ± {half:.2f}"


if __name__ == "__main__":
    main()
