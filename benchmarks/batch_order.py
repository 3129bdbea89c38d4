"""What batches of similar length cost in accuracy, against shuffled batches: same engine, seeds and sentences.

Runs of all orders are interleaved. Printed per data set and number of epochs: the accuracy with shuffled batches, and
per order the drop from it with its 90 % interval (crossed: seeds and sentences are random). Before: the padding of
every order and the mean entropy of the labels of its batches, in nats. Orders:

    shuffled   --freeze-batch-order=shuffled
    bucketed   --freeze-batch-order=bucketed, the default of the cached engine
    sorted     by length alone, without regard to labels: what freezebench did before
    labels     batches of the labels that ``sorted`` gives them, but of random lengths

Each data set is pooled and drawn anew: training, validation and test sentences. Without --data, the movie reviews and
the tweets of freezebench's own data set are used, and questions of six classes made by a grammar in which length and
label are correlated.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import torch
from tabulate import tabulate

from freezebench.data.load import load_data
from freezebench.models.load import load_model
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.presets import preset
from freezebench.specs.run import RunSpec
from freezebench.training.batches.order import BucketedBatches, ShuffledBatches
from freezebench.training.device import device_name, resolve_device, resolve_precision
from freezebench.training.engines import job
from freezebench.verdicts.crossed import Interval, crossed_interval, t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.training.batches.encoding import Encoded
    from freezebench.training.batches.order import BatchOrder

    Sentences = list[tuple[str, int]]
    Outcomes = np.ndarray[Any, np.dtype[np.bool_]]

_ALPHA = 0.05  # of each bound
_NUM_VALIDATION = 100
_MAX_CHUNKS, _MIN_BATCHES_PER_LENGTH = 4, 3


class SortedBatches(BucketedBatches):
    """Shuffled sentences sorted by length in up to four chunks, cut into batches, which are shuffled."""

    def epoch(self, epoch: int) -> Sequence[torch.Tensor]:
        """Return the batches of an epoch, counted from 0."""
        generator = self._generator(epoch)
        order = torch.randperm(len(self._lengths), generator=generator)
        num_per_length = len(self._lengths) / len(set(self._lengths.tolist()))
        num_chunks = min(_MAX_CHUNKS, math.ceil(_MIN_BATCHES_PER_LENGTH * self._batch_size / num_per_length))
        chunks = torch.split(order, self._batch_size * math.ceil(len(self) / num_chunks))
        num_full, rest = divmod(len(order), self._batch_size)
        sizes = [self._batch_size] * num_full
        if rest:
            sizes.insert(int(torch.randint(num_full + 1, (), generator=generator)), rest)
        by_length = torch.cat([chunk[self._lengths[chunk].argsort(stable=True)] for chunk in chunks])
        batches = torch.split(by_length, sizes)
        return [batches[number] for number in torch.randperm(len(batches), generator=generator).tolist()]


class SortedLabels(SortedBatches):
    """The sorted batches, each sentence replaced by a random one of the same label."""

    def epoch(self, epoch: int) -> Sequence[torch.Tensor]:
        """Return the batches of an epoch, counted from 0."""
        generator = torch.Generator().manual_seed(self._seed * 1_000_033 + epoch)
        other = torch.arange(len(self._labels))
        for label in set(self._labels.tolist()):
            same = (self._labels == label).nonzero().squeeze(1)
            other[same] = same[torch.randperm(len(same), generator=generator)]
        return [other[batch] for batch in super().epoch(epoch)]


ORDERS = {"shuffled": BucketedBatches, "bucketed": BucketedBatches, "sorted": SortedBatches, "labels": SortedLabels}

_TEMPLATES = (
    ("What does {a} stand for ?", "What is the full form of {a} ?"),
    ("What is {b} ?", "What does it mean to {v} {b} in the field of {c} ?", "Why do people {v} {b} ?"),
    ("What {c} did people of {p} {v} after the war with the help of {b} ?", "Name a {c} from {p} ."),
    ("Who was the first person to {v} a {c} in {p} ?", "Who {v}s {b} ?", "What is the name of the author of {b} ?"),
    ("Where is {p} ?", "What country is the home of the {c} that people {v} with {b} ?", "What city is near {p} ?"),
    ("How many people {v} {b} ?", "When did {p} begin to {v} the {c} that was made of {b} ?", "How far is {p} ?"),
)
_WORDS = {
    "a": "NASA UNESCO HTML AIDS SCUBA RADAR LASER NATO OPEC IBM BMW DNA SONAR ASCII",
    "b": "salt gold iron wool glass paper steam coffee sugar cotton rubber silk copper ink wheat tin",
    "c": "book film song game engine flag bird flower car bridge poem medicine dance ship language sport",
    "p": "Peru Egypt Norway Kenya Chile Nepal Cuba India Iceland Poland Ghana Fiji Spain Laos Malta Texas",
    "v": "make sell trade paint use collect find study move melt store cut build keep cook test",
}


def questions(num: int) -> Sentences:
    """Return different questions of six classes; class 0 is short, the lengths of the others overlap."""
    generator, made = random.Random(0), dict[str, int]()  # noqa: S311 - no secret
    while len(made) < num:
        label = generator.randrange(len(_TEMPLATES))
        text = generator.choice(_TEMPLATES[label])
        words = {name: generator.choice(choices.split()) for name, choices in _WORDS.items()}
        made[text.format(**words) + generator.choice(("", " Please .", " I would like to know ."))] = label
    return list(made.items())


def drawn(sentences: Sentences, folder: Path, num_train: int, num_test: int) -> str:
    """Write training, validation and test sentences, each once, to a folder and return its path."""
    pool = list(dict.fromkeys(sentences))
    random.Random(0).shuffle(pool)  # noqa: S311 - no secret
    held_out = num_train + _NUM_VALIDATION
    splits = {
        "train": pool[:num_train],
        "validation": pool[num_train:held_out],
        "test": pool[held_out : held_out + num_test],
    }
    folder.mkdir()
    for name, rows in splits.items():
        lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in rows]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return str(folder)


def pooled_sentences(source: str) -> Sentences:
    """Return the sentences of all splits of a data set, as --freeze-data takes it."""
    if source == "questions":
        return questions(4000)
    splits = load_data(DataSpec(source=source)).splits.values()
    return [(texts[0], label) for split in splits for texts, label in zip(split.texts, split.labels, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Study:
    """One data set under all orders.

    Attributes:
        source: The folder of its splits.
        options: The command line.
        data_cache: Inputs that the runs share.
    """

    source: str
    options: argparse.Namespace
    data_cache: DataCache

    def spec(self, order: str, seed: int, num_epochs: int) -> RunSpec:
        """Return one run."""
        base = preset("embedded")
        protocol = replace(
            base.protocol,
            num_epochs=num_epochs,
            batch_size=self.options.batch_size,
            learning_rate=self.options.lr or base.learning_rates.get(self.options.freeze) or 5e-5,
            batch_order="shuffled" if order == "shuffled" else "bucketed",
        )
        data = DataSpec(source=self.source)
        return RunSpec(model=base.model, data=data, freeze=self.options.freeze, seed=seed, protocol=protocol)

    def outcomes(self, num_epochs: int) -> dict[str, Outcomes]:
        """Return per order whether each test sentence was classified rightly, shape (seeds, sentences)."""
        correct: dict[str, list[Outcomes]] = {order: [] for order in self.options.orders}
        for seed in range(42, 42 + self.options.seeds):
            for order in self.options.orders:
                spec = self.spec(order, seed, num_epochs)
                with patch.object(job, "BucketedBatches", ORDERS[order]):
                    record = run(spec, data_cache=self.data_cache)
                if record.test is None:
                    raise SystemExit(f"{order}, seed {seed}: {record.reason}")
                labels = self.data_cache.data(spec).test.labels
                correct[order].append(np.asarray(record.test.predictions) == np.asarray(labels))
        return {order: np.stack(rows) for order, rows in correct.items()}

    def train(self) -> Encoded:
        """Return the tokenized training sentences."""
        spec = self.spec("shuffled", 42, 1)
        data = self.data_cache.data(spec)
        source = self.data_cache.model_source(spec.model)
        model, tokenizer = load_model(source, data.num_labels, label_names=data.label_names)
        return self.data_cache.tokenized(spec, tokenizer, model).splits["train"]


def batch_order(order: str, train: Encoded, batch_size: int) -> BatchOrder:
    """Return the batches that an order gives to one seed."""
    if order == "shuffled":
        return ShuffledBatches(len(train), batch_size, 42)
    return ORDERS[order](train.lengths, torch.tensor(train.labels), batch_size, 42)


def padding_share(train: Encoded, batches: Sequence[torch.Tensor]) -> float:
    """Return the share of the positions of some batches that is padding."""
    return 1 - int(train.lengths.sum()) / sum(int(train.lengths[batch].max()) * len(batch) for batch in batches)


def label_entropy(train: Encoded, batches: Sequence[torch.Tensor]) -> float:
    """Return the mean entropy of the labels of some batches, in nats."""
    labels = torch.tensor(train.labels)
    shares = (torch.bincount(labels[batch]) / len(batch) for batch in batches)
    return float(np.mean([float(torch.special.entr(share).sum()) for share in shares]))


def pooled(intervals: Sequence[Interval]) -> str:
    """Return the mean drop over data sets, with the bounds of a mean of independent drops (Satterthwaite)."""
    drop = float(np.mean([interval.drop_pp for interval in intervals]))
    variances = np.array([interval.se_pp**2 for interval in intervals])
    df = float(variances.sum() ** 2 / (variances**2 / [interval.df for interval in intervals]).sum())
    half_width = float(t_quantile(1 - _ALPHA, df)) * float(np.sqrt(variances.sum())) / len(intervals)
    return f"{drop:.1f} [{drop - half_width:.1f}, {drop + half_width:.1f}]"


def main() -> None:
    """Parse the command line, study every data set, print after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", metavar="SOURCE", default=["reviews", "reviews:tweets", "questions"])
    parser.add_argument("--orders", default="shuffled,bucketed,sorted,labels", help="the first one must be shuffled")
    parser.add_argument("--freeze", default="emb+L0-4")
    parser.add_argument("--epochs", default="1,2,8")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr", type=float, help="default: the embedded preset's for this configuration")
    parser.add_argument("--max-train", type=int, default=500)
    parser.add_argument("--max-test", type=int, default=1500)
    options = parser.parse_args()
    options.orders = options.orders.split(",")
    device = resolve_device("auto")
    print(f"{device_name(device)} ({device}, {resolve_precision('auto', device)}), torch {torch.__version__}")
    intervals: dict[tuple[int, str], list[Interval]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, source in enumerate(options.data):
            path = drawn(pooled_sentences(source), Path(folder) / str(number), options.max_train, options.max_test)
            study(source, Study(source=path, options=options, data_cache=DataCache()), intervals)
    print("\nmean over the data sets")
    rows = [[num, order, pooled(drops)] for (num, order), drops in intervals.items()]
    print(tabulate(sorted(rows), headers=["epochs", "order", "drop, points [90 %]"], disable_numparse=True))


def study(name: str, subject: Study, intervals: dict[tuple[int, str], list[Interval]]) -> None:
    """Print the tables of one data set and add its intervals to those of the others."""
    train = subject.train()
    means = []
    for order in subject.options.orders:
        batches = batch_order(order, train, subject.options.batch_size)
        epochs = [batches.epoch(epoch) for epoch in range(10)]
        figures = (np.mean([figure(train, epoch) for epoch in epochs]) for figure in (padding_share, label_entropy))
        means.append([order, *(f"{figure:.3f}" for figure in figures)])
    print(f"\n{name}\n{tabulate(means, headers=['order', 'padding', 'label entropy'], disable_numparse=True)}")
    for num_epochs in map(int, subject.options.epochs.split(",")):
        correct = subject.outcomes(num_epochs)
        shuffled = correct.pop("shuffled")
        texts = [f"{num_epochs} epochs: shuffled {100 * shuffled.mean():.1f} %"]
        for order, outcomes in correct.items():
            drop = crossed_interval(shuffled, outcomes, alpha=_ALPHA)
            intervals.setdefault((num_epochs, order), []).append(drop)
            texts.append(f"{order} drops {drop.drop_pp:.1f} [{drop.lower_pp:.1f}, {drop.upper_pp:.1f}]")
        print(", ".join(texts), flush=True)


if __name__ == "__main__":
    main()
