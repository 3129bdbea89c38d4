"""How hard the generated sentences are: measures it and exits 1 if a target is missed.

A bag of words stays at or below 75 %; full fine-tuning of the embedded checkpoint lands between 88 % and 97 %;
freezing the embeddings stays within 1.5 points of it, the embeddings and three layers within 8, and training the head
alone falls 5 to 30 points behind.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from typing import TYPE_CHECKING

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

import freezebench
from freezebench.config.settings import Settings, resolve
from freezebench.runs.data_cache import DataCache

if TYPE_CHECKING:
    from freezebench.records.run_record import RunRecord


def main() -> int:
    """Parse the command line, measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-seeds", type=int, default=3, help="seeds per configuration (default: 3)")
    num_seeds = parser.parse_args().num_seeds
    settings = resolve([], lambda: ("embedded", "this script"))
    data_cache = DataCache()
    accuracies = {
        freeze: statistics.fmean(
            _accuracy(freezebench.run(settings.run_spec(freeze, seed), data_cache=data_cache))
            for seed in range(settings.seed, settings.seed + num_seeds)
        )
        for freeze in ("none", "emb", "emb+L0-2", "emb+L0-5")
    }
    full = accuracies["none"]
    figures: list[tuple[str, float, float, float]] = [
        (f"bag of {name}, accuracy %", value, 0, 75) for name, value in bag_of_words(data_cache, settings).items()
    ]
    figures += [
        ("full fine-tuning, accuracy %", full, 88, 97),
        ("emb, points away", abs(full - accuracies["emb"]), 0, 1.5),
        ("emb+L0-2, points away", abs(full - accuracies["emb+L0-2"]), 0, 8),
        ("head only (emb+L0-5), points behind", full - accuracies["emb+L0-5"], 5, 30),
    ]
    missed = 0
    for name, value, low, high in figures:
        is_met = low <= value <= high
        missed += not is_met
        print(f"{'met   ' if is_met else 'MISSED'} {name}: {value:.1f} (target {low:g} to {high:g})")
    return 1 if missed else 0


def _accuracy(record: RunRecord) -> float:
    if record.test is None:
        raise SystemExit(f"{record.spec.freeze} seed {record.spec.seed} is invalid: {record.reason}")
    return 100 * record.test.accuracy


def bag_of_words(data_cache: DataCache, settings: Settings) -> dict[str, float]:
    """Return the test accuracy in per cent of logistic regression on counted words, and on words and pairs."""
    data = data_cache.data(settings.experiment)
    found = {}
    for name, ngrams in (("words", (1, 1)), ("words and pairs", (1, 2))):
        counter = CountVectorizer(ngram_range=ngrams)
        counts = counter.fit_transform([text for (text,) in data.train.texts])
        classifier = LogisticRegression(max_iter=2000).fit(counts, data.train.labels)
        tested = counter.transform([text for (text,) in data.test.texts])
        found[name] = 100 * float(classifier.score(tested, data.test.labels))
    return found


if __name__ == "__main__":
    sys.exit(main())
