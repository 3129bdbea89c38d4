"""How much the meters slow training down: paired, interleaved runs of the embedded training with and without them.

Prints the ratio of every pair, their median and spread. Both sides run in one process, in the order A B B A.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace

import torch

from freezebench.models.load import load_model
from freezebench.runs.costs import CostWindows
from freezebench.runs.data_cache import DataCache
from freezebench.specs.presets import preset
from freezebench.specs.run import RunSpec
from freezebench.strategies.freeze import freeze
from freezebench.training.device import resolve_device, resolve_precision
from freezebench.training.engines import loop
from freezebench.training.engines.evaluate import evaluate
from freezebench.training.engines.job import Job
from freezebench.verdicts.resources import interleaved


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10, help="pairs of runs (default: 10)")
    parser.add_argument("--max-train", type=int, default=256, help="training sentences per run (default: 256)")
    parser.add_argument("--freeze", default="none", help="freeze spec (default: none)")
    options = parser.parse_args()
    train_s: dict[str, list[float]] = {"without": [], "with": []}
    run_once("without", options)  # warms caches up, counts for nothing
    for arm in interleaved(options.pairs):
        side = "without" if arm == "A" else "with"
        train_s[side].append(run_once(side, options))
    ratios = [measured / plain for measured, plain in zip(train_s["with"], train_s["without"], strict=True)]
    for number, ratio in enumerate(ratios, start=1):
        print(f"pair {number}: {ratio:.4f}")
    spread = statistics.stdev(ratios) if len(ratios) > 1 else float("nan")
    print(f"median ratio with/without meters: {statistics.median(ratios):.4f}, SD of the pairs {spread:.4f}")
    medians = {side: f"{statistics.median(seconds):.2f} s {side}" for side, seconds in train_s.items()}
    print(f"median train time: {', '.join(medians.values())}")


def run_once(side: str, options: argparse.Namespace) -> float:
    """Return the seconds that one training run takes, with or without meters around it."""
    base = preset("embedded")
    data = replace(base.data, max_train=options.max_train)
    device = resolve_device("auto")
    torch.manual_seed(42)
    data_cache = DataCache()
    spec = RunSpec(model=base.model, data=data)
    model, tokenizer = load_model(base.model, data_cache.data(spec).num_labels)
    freeze(model, options.freeze)
    model.to(device)
    splits = data_cache.tokenized(spec, tokenizer, model).splits
    precision = resolve_precision("auto", device)
    validation = evaluate(model, splits["validation"], tokenizer, num_labels=2, precision=precision)
    job = Job(
        model=model,
        tokenizer=tokenizer,
        train=splits["train"],
        protocol=replace(base.protocol, num_epochs=1),
        precision=precision,
        seed=42,
        names=frozenset(name for name, parameter in model.named_parameters() if parameter.requires_grad),
        epochs=range(1),
        evaluate=lambda: validation,
    )
    if side == "without":
        return loop.train([job], lambda _: None).train_s
    with CostWindows(lambda _: None, model=model, device=device) as costs:
        return loop.train([job], costs.emit).train_s


if __name__ == "__main__":
    main()
