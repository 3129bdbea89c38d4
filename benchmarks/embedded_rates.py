"""Which learning rate each configuration of the preset ``embedded`` needs; the test split is never read.

The rates of the preset are multiplied by a few factors. Each configuration trains with each rate over several seeds,
and is scored on sentences of the training split that the preset does not train on. The best rate of each configuration
is marked; where it is the lowest or the highest one, a wider range of factors has to be tried::

    python benchmarks/embedded_rates.py --factors 0.5,0.7,1,1.4,2 --seeds 5
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tabulate import tabulate

from freezebench.data.reviews import read_domain
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.presets import learning_rate, preset
from freezebench.specs.run import RunSpec
from freezebench.specs.strategies import split_outside_parentheses

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezebench.data.reviews import RatedSentence

GRID = "none,emb,emb+L0,emb+L0-1,emb+L0-2,emb+L0-3,emb+L0-4,emb+L0-5"


def main() -> None:
    """Train every configuration with every rate and print the accuracies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factors", default="0.67,1,1.5", help="of the preset's rates (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (default: %(default)s)")
    parser.add_argument("--grid", default=GRID, help="configurations (default: all)")
    parser.add_argument("--num-held-out", type=int, default=3000, help="sentences to score (default: %(default)s)")
    options = parser.parse_args()
    factors = [float(text) for text in options.factors.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        write_splits(Path(folder), options.num_held_out)
        rows = []
        for freeze in split_outside_parentheses(options.grid, ","):
            rows += compared_rates(freeze, factors, Path(folder), options.seeds)
            print(tabulate(rows[-len(factors) :], tablefmt="plain"), flush=True)
    headers = ("frozen", "rate", "accuracy, %", "SD", "")
    print("\n" + tabulate(rows, headers, disable_numparse=True))


def write_splits(folder: Path, num_held_out: int) -> None:
    """Write training, validation and held-out sentences to a folder, none of them from the test split.

    Raises:
        SystemExit: If the training split is too small.
    """
    splits = read_domain("reviews")
    num_train = (preset("embedded").data.max_train or 0) + num_held_out
    if num_train > len(splits["train"]):
        raise SystemExit(f"{num_train:,} sentences are needed, and the training split has {len(splits['train']):,}.")
    _write(folder / "train.jsonl", splits["train"][num_held_out:])
    _write(folder / "validation.jsonl", splits["validation"])
    _write(folder / "test.jsonl", splits["train"][:num_held_out])


def _write(path: Path, sentences: Iterable[RatedSentence]) -> None:
    lines = [json.dumps({"text": sentence.text, "label": sentence.label}) for sentence in sentences]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def compared_rates(freeze: str, factors: Sequence[float], folder: Path, num_seeds: int) -> list[list[str]]:
    """Return one row per rate of one configuration: its accuracy on the held-out sentences, the best one marked.

    Args:
        freeze: Id of the freeze spec.
        factors: What the preset's rate is multiplied by.
        folder: The splits.
        num_seeds: Number of seeds, from the preset's first one.
    """
    chosen = preset("embedded")
    usual = learning_rate(freeze, chosen.learning_rates, chosen.protocol)
    data, cache = DataSpec(source=str(folder), max_train=chosen.data.max_train), DataCache()
    accuracies: dict[float, list[float]] = {}
    for rate in (usual * factor for factor in factors):
        protocol = replace(chosen.protocol, learning_rate=rate)
        for seed in range(chosen.seed, chosen.seed + num_seeds):
            spec = RunSpec(model=chosen.model, data=data, freeze=freeze, seed=seed, protocol=protocol)
            record = run(spec, data_cache=cache)
            accuracies.setdefault(rate, []).append(record.value("accuracy") or 0.0)
    best = max(accuracies, key=lambda rate: statistics.fmean(accuracies[rate]))
    return [
        [
            freeze,
            f"{rate:.2g}",
            f"{100 * statistics.fmean(values):.1f}",
            f"{100 * statistics.stdev(values):.1f}" if len(values) > 1 else "–",
            "best" if rate == best else "",
        ]
        for rate, values in accuracies.items()
    ]


if __name__ == "__main__":
    main()
