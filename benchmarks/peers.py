"""freezebench's cached engine against the Transformers Trainer: same data, checkpoint, batch size, epochs, machine.

The Trainer runs as the notebook runs it (float32, its defaults) and tuned (bf16, sentences grouped by length), in this
process and its environment, as a person would run it. freezebench runs in its own process, as it does under pytest,
which sets how threads wait and how many kernels oneDNN keeps; set ``OMP_WAIT_POLICY``, ``GOMP_SPINCOUNT`` and
``ONEDNN_PRIMITIVE_CACHE_CAPACITY``, and all sides have the same. The side ``train-mode`` is the cached engine with
dropout left on in what is frozen, so that nothing is cached. Sides run in turn, configuration by configuration.
Printed: wall time of every run (model loading, training, evaluation after every epoch, test), the ratios, the
accuracies with intervals, and the machine's own limit.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from isolation import trained
from scipy.stats import binomtest
from tabulate import tabulate

import freezebench
from freezebench.executors.base import ExecutorOptions
from freezebench.executors.worker import WorkerExecutor
from freezebench.models.source import ModelSource
from freezebench.runs.data_cache import DataCache
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from freezebench.strategies.freeze import fixed_parameters
from freezebench.training.batches.loader import nearest_to_mean
from freezebench.training.batches.order import BucketedBatches
from freezebench.training.device import length_multiple, resolve_device, resolve_precision

if TYPE_CHECKING:
    from freezebench.training.batches.encoding import Encoded

SIDES = ("cached", "tuned", "notebook")
_TIMEOUT_S = 86_400.0


def main() -> None:
    """Parse the command line, run all sides interleaved, print after every configuration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--data", default="reviews", help="reviews, a folder, or a Hub data set")
    parser.add_argument("--grid", default="all")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=5e-5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--max-train", type=int, default=800, help="training sentences (default: 800)")
    parser.add_argument("--sides", default=",".join(SIDES), help=f"of {', '.join((*SIDES, 'train-mode'))}")
    parser.add_argument("--output", type=Path, help="write every finished run to this JSON file")
    options = parser.parse_args()
    options.sides = options.sides.split(",")
    peers = Peers(options)
    try:
        peers.run_all()
    finally:
        peers.worker.close()
    print(peers.summary())


class Peers:
    """All runs of one comparison."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.data = DataSpec(source=options.data, max_train=options.max_train)
        self.num_layers = ModelSource.resolve(options.model).num_layers
        self.grid = [str(spec) for spec in freezebench.parse_grid(options.grid, num_layers=self.num_layers)]
        self.data_cache = DataCache()
        executor_options = ExecutorOptions(data_cache=self.data_cache, data_cache_options={}, timeout_s=_TIMEOUT_S)
        self.worker = WorkerExecutor(executor_options, keep=True)
        self.worker.expect(self.grid)
        self.results: list[dict[str, Any]] = []

    def run_all(self) -> None:
        """Run every configuration and seed on every side, the order of the sides turning."""
        self.prepare()
        turn = 0
        for seed in range(42, 42 + self.options.seeds):
            for freeze in self.grid:
                sides = self.options.sides
                for side in (*sides[turn % len(sides) :], *sides[: turn % len(sides)]):
                    gc.collect()
                    self.results.append(self.one(side, freeze, seed))
                    print(_line(self.results[-1]), flush=True)
                    if self.options.output:
                        self.options.output.write_text(json.dumps(self.results))
                turn += 1

    def prepare(self) -> None:
        """Read and tokenize the data, and import what is needed, so that no run of the Trainer is charged for it.

        freezebench's process reads the data and imports, too; its first run is charged for tokenizing them.
        """
        import transformers.trainer  # noqa: F401 - imported for its time

        spec = self.spec("none", 42)
        self.worker.preflight(spec, self.grid)
        data = self.data_cache.data(spec)
        model, tokenizer = freezebench.load_model(spec.model, num_labels=data.num_labels)
        self.packed = self.data_cache.tokenized(spec, tokenizer, model).packed

    def one(self, side: str, freeze: str, seed: int) -> dict[str, Any]:
        """Return what one run of one side took and how it did."""
        spec = self.spec(freeze, seed)
        began = time.perf_counter()
        if side in ("cached", "train-mode"):
            mode: Any = "train" if side == "train-mode" else "eval"
            record = trained(self.worker, replace(spec, protocol=replace(spec.protocol, prefix_mode=mode)))
            if record.test is None or record.data is None:
                raise SystemExit(f"{freeze}, seed {seed}: {record.reason}")
            labels, predictions = list(record.data.test_labels), list(record.test.predictions)
            names = ("train_s", "prefix_s", "peak_rss_bytes")
            where = {"started_at": record.started_at, "device_name": record.device_name}
            extra = {**{name: record.value(name) for name in names}, **where, **self.load(record)}
        else:
            labels, predictions, train_s = self.trainer(spec, tuned=side == "tuned")
            extra = {"train_s": train_s}
        return {
            "side": side,
            "freeze": freeze,
            "seed": seed,
            "wall_s": time.perf_counter() - began,
            "correct": [bool(one == other) for one, other in zip(labels, predictions, strict=True)],
            **extra,
        }

    def spec(self, freeze: str, seed: int) -> RunSpec:
        """Return the run of the cached engine."""
        protocol = Protocol(
            engine="cached",
            num_epochs=self.options.epochs,
            batch_size=self.options.batch_size,
            learning_rate=self.options.lr,
        )
        return RunSpec(model=self.options.model, data=self.data, freeze=freeze, seed=seed, protocol=protocol)

    def load(self, record: Any) -> dict[str, Any]:
        """Return the counted operations of a run's steps: those of one batch, scaled by the tokens of all.

        Where the Trainer's process is on the same GPU, a run's own clocks count for nothing, and there are none.
        """
        step_flop = record.value("step_flop")
        if step_flop is None:
            return {"flop": None, "why": record.readings["train_s"].reason, "precision": record.precision}
        split = self.packed["train"]
        # Behind a cached prefix of all layers one vector per sentence is left.
        is_cached = record.value("prefix_bytes") is not None
        is_head = is_cached and record.spec.freeze_spec.num_frozen_layers == self.num_layers
        order = BucketedBatches(split.lengths, split.labels, self.options.batch_size, record.spec.seed)
        multiple = length_multiple(resolve_device(record.device))

        def positions(epoch: int) -> list[int]:
            return [len(batch) * (1 if is_head else split.width(batch, multiple)) for batch in order.epoch(epoch)]

        first = positions(0)
        flop = step_flop * sum(sum(positions(epoch)) for epoch in range(self.options.epochs))
        return {"flop": flop / first[nearest_to_mean(first)], "precision": record.precision}

    def trainer(self, spec: RunSpec, *, tuned: bool) -> tuple[list[int], list[int], float]:
        """Return labels, predictions and training seconds of a plain Transformers Trainer, as a person would run it."""
        from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

        device = resolve_device("auto")
        torch.manual_seed(spec.seed)
        data = self.data_cache.data(spec)
        model, tokenizer = freezebench.load_model(spec.model, num_labels=data.num_labels)
        freezebench.freeze(model, spec.freeze, fixed=fixed_parameters(model))
        splits = self.data_cache.tokenized(spec, tokenizer, model).splits
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder,
                num_train_epochs=spec.protocol.num_epochs,
                per_device_train_batch_size=spec.protocol.batch_size,
                per_device_eval_batch_size=64,
                learning_rate=spec.protocol.learning_rate,
                use_cpu=device.type == "cpu",
                bf16=tuned and resolve_precision("auto", device) == "bf16",
                train_sampling_strategy="group_by_length" if tuned else "random",
                seed=spec.seed,
                eval_strategy="epoch",
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=False,
            )
            keeper = _best_weights()
            trainer = Trainer(
                model=model,
                args=arguments,
                train_dataset=_dataset(splits["train"]),
                eval_dataset=_dataset(splits["validation"]),
                data_collator=DataCollatorWithPadding(tokenizer),
                callbacks=[keeper],
            )
            _quieten(trainer)
            train_s = float(trainer.train().metrics["train_runtime"])
            model.load_state_dict(keeper.best)
            predicted: Any = trainer.predict(_dataset(splits["test"]))
        # Grouped by length, the Trainer predicts in an order of its own; its labels come in the same.
        return predicted.label_ids.tolist(), np.argmax(predicted.predictions, axis=-1).tolist(), train_s

    def summary(self) -> str:
        """Return the tables."""
        rows, totals = [], dict.fromkeys(self.options.sides, 0.0)
        others = [side for side in totals if side != "cached" and "cached" in totals]
        for freeze in self.grid:
            walls = {side: self.mean(side, freeze, "wall_s") for side in self.options.sides}
            for side, wall in walls.items():
                totals[side] += wall
            accuracies = [self.accuracy(side, freeze) for side in self.options.sides]
            rows.append([freeze, *_walls(walls), *accuracies, *(self.difference(side, freeze) for side in others)])
        rows.append(["whole ladder", *_walls(totals), *[""] * (len(totals) + len(others))])
        headers = ["frozen", *(f"{side} s" for side in totals), *(f"{side} / cached" for side in others)]
        headers += [*(f"{side} % [95 %]" for side in totals), *(f"{side} - cached, points [95 %]" for side in others)]
        return f"{tabulate(rows, headers=headers, disable_numparse=True)}\n\n{self.limit()}"

    def of(self, side: str, freeze: str) -> list[dict[str, Any]]:
        """Return the runs of one side and configuration."""
        return [result for result in self.results if (result["side"], result["freeze"]) == (side, freeze)]

    def mean(self, side: str, freeze: str, name: str) -> float:
        """Return the mean of one figure over seeds."""
        return float(np.mean([result[name] for result in self.of(side, freeze)]))

    def accuracy(self, side: str, freeze: str) -> str:
        """Return the mean accuracy; the exact binomial interval is of the first seed."""
        runs = [result["correct"] for result in self.of(side, freeze)]
        interval = binomtest(sum(runs[0]), len(runs[0])).proportion_ci()
        return f"{100 * np.mean(runs):.2f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"

    def difference(self, other: str, freeze: str) -> str:
        """Return how much less accurate the cached engine is than another side, over seeds and sentences."""
        theirs, ours = ([result["correct"] for result in self.of(side, freeze)] for side in (other, "cached"))
        verdict = freezebench.noninferiority(theirs, ours, margin_pp=1.0, alpha=0.025)
        return f"{verdict.drop_pp:+.2f} [{verdict.lower_pp:+.2f}, {verdict.upper_pp:+.2f}]"

    def limit(self) -> str:
        """Return the machine's rate of matrix products and what share of it the cached engine reached."""
        lines = []
        cached = [result for result in self.results if result["side"] == "cached"]
        for precision in sorted({result["precision"] for result in cached}):
            rate = matrix_rate(torch.bfloat16 if precision == "bf16" else torch.float32)
            lines.append(f"matrix products in {precision}: {rate / 1e9:.0f} GFLOP/s (2048 x 2048 x 2048, best of 10)")
            lines += [
                f"  {one['freeze']}, seed {one['seed']}: {_share(one, rate)}"
                for one in cached
                if one["precision"] == precision
            ]
        passes = [result["prefix_s"] for result in cached if result["prefix_s"] is not None]
        lines.append(f"prefix passes: {len(passes)} for {len(cached)} runs, {sum(passes):.1f} s")
        if peaks := [result["peak_rss_bytes"] for result in cached if result["peak_rss_bytes"] is not None]:
            lines.append(f"largest peak of resident memory in training: {max(peaks) / 2**20:.0f} MiB")
        return "\n".join(lines)


def matrix_rate(dtype: torch.dtype, size: int = 2048) -> float:
    """Return the floating-point operations per second of large matrix products, the best of ten."""
    device = resolve_device("auto")
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    seconds = []
    for _ in range(13):
        began = time.perf_counter()
        float((left @ right)[0, 0])  # reading waits for the device
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 / min(seconds[3:])


def _walls(walls: dict[str, float]) -> list[str]:
    """Return seconds and ratios against the cached engine."""
    ratios = [f"{wall / walls['cached']:.2f}" for side, wall in walls.items() if side != "cached" and "cached" in walls]
    return [*(f"{wall:.1f}" for wall in walls.values()), *ratios]


def _share(result: dict[str, Any], rate: float) -> str:
    """Return what share of the machine's rate a run of the cached engine reached."""
    if result["flop"] is None:
        return f"not measured ({result['why']})"
    return f"{result['flop'] / result['train_s'] / rate:.1%} of it in {result['train_s']:.1f} s"


def _line(result: dict[str, Any]) -> str:
    what = f"{result['side']:>10} {result['freeze']:<10} seed {result['seed']}"
    return f"{what}: {result['wall_s']:8.1f} s, {100 * np.mean(result['correct']):.2f} %"


def _dataset(split: Encoded) -> Any:
    from datasets import Dataset

    return Dataset.from_list(list(split.examples))


def _best_weights() -> Any:
    """Return a callback that keeps the weights of the epoch with the lowest validation loss, in memory."""
    from transformers import TrainerCallback

    class BestWeights(TrainerCallback):
        def __init__(self) -> None:
            self.loss, self.best = float("inf"), dict[str, torch.Tensor]()

        def on_evaluate(self, *_: Any, metrics: Any = None, model: Any = None, **__: Any) -> None:
            if metrics["eval_loss"] < self.loss:
                self.loss = metrics["eval_loss"]
                self.best = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    return BestWeights()


def _quieten(trainer: Any) -> None:
    """Remove the callback that prints."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)


if __name__ == "__main__":
    main()
