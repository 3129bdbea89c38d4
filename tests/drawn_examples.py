"""Random examples of every task, few enough that a class may occur once and that numbers are tied."""

from __future__ import annotations

import numpy as np

from freezebench.scoring.examples import Examples
from freezebench.specs.names import TaskName

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def drawn(task: TaskName, seed: int, num_examples: int = 12, num_classes: int = 3) -> Examples:
    """Return random examples of a task; half of the predictions are right."""
    rng = np.random.default_rng(seed)
    if task == "regression":
        return _of_numbers(rng, num_examples)
    lengths = rng.integers(1, 5, num_examples) if task == "token-classification" else None
    num_rows = num_examples if lengths is None else int(lengths.sum())
    names = TAGS if lengths is not None else tuple("abcdefgh"[:num_classes])
    # Rounded, so that some scores are equal.
    scores = rng.normal(size=(num_rows, len(names))).round(1).astype(np.float32)
    if task == "multi-label":
        predictions = (scores > 0).astype(np.int64)
        labels = np.where(rng.random(scores.shape) < 0.5, predictions, rng.integers(0, 2, scores.shape))
    else:
        predictions = scores.argmax(axis=1)
        shares = np.arange(1, len(names) + 1) / sum(range(1, len(names) + 1))
        labels = np.where(rng.random(num_rows) < 0.5, predictions, rng.choice(len(names), num_rows, p=shares))
    return Examples(
        task=task, labels=labels, predictions=predictions, scores=scores, label_names=names, lengths=lengths
    )


def _of_numbers(rng: np.random.Generator, num_examples: int) -> Examples:
    labels = rng.integers(1, 6, num_examples).astype(float)
    predictions = (labels + rng.normal(size=num_examples)).round(0 if rng.random() < 0.5 else 3)
    return Examples(
        task="regression",
        labels=labels,
        predictions=predictions,
        scores=predictions[:, None].astype(np.float32),
        label_names=("rating",),
    )
