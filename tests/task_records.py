"""Records of the other tasks than classification of texts, made up of plain figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import made_up
from freezebench.records.data_facts import DataFacts, SplitFacts
from freezebench.records.run_record import Evaluation, RunRecord
from freezebench.records.scores import pack_scores

OTHER_TASKS = ("regression", "multi-label", "token-classification")
TAGS = ("O", "B-PER", "I-PER")


def _facts(**fields: Any) -> DataFacts:
    base: dict[str, Any] = {"num_train": 100, "num_validation": 10, "train_sha256": "a", "validation_sha256": "b"}
    return DataFacts(**base, test_sha256="c", **fields)


def record_of_task(name: str) -> RunRecord:
    """Return a record of three test sentences that agrees with itself."""
    predictions: tuple[int, ...]
    if name == "regression":
        scores = np.array([[0.5], [1.5], [2.0]], dtype=np.float32)
        data = _facts(task=name, num_test=3, test_labels=(), test_values=(0.5, 1.0, 2.5), label_names=("stars",))
        evaluation = Evaluation(loss=0.25, accuracy=None, f1=None, scores=pack_scores(scores))
    elif name == "multi-label":
        scores = np.array([[0.25, -1.0], [-2.0, 3.0], [1.0, 1.0]], dtype=np.float32)
        counts = SplitFacts(class_counts=(2, 1), word_counts=(0, 3), num_in_train=0, num_repeated=0)
        data = _facts(
            task=name,
            num_test=3,
            test_labels=(1, 0, 0, 1, 1, 0),
            label_names=("sad", "long"),
            splits={"test": counts},
        )
        predictions = (1, 0, 0, 1, 1, 1)
        f1 = (1 + 2 / 3) / 2
        evaluation = Evaluation(loss=0.3, accuracy=2 / 3, f1=f1, predictions=predictions, scores=pack_scores(scores))
    else:
        predictions = (1, 2, 0, 1)
        scores = np.eye(3, dtype=np.float32)[list(predictions)]
        data = _facts(
            task=name,
            num_test=3,
            test_labels=(1, 2, 0, 0),
            test_lengths=(2, 1, 1),
            label_names=TAGS,
            test_slices=(0, 1, 1),
            slice_names=("a", "b"),
        )
        packed = pack_scores(scores)
        evaluation = Evaluation(loss=0.3, accuracy=0.75, f1=2 / 3, predictions=predictions, scores=packed)
    own = data.of_test_set()
    data = replace(data, test_sets=(replace(own, name="tweets", source="tweets"),))
    return replace(made_up.record("emb"), data=data, test=evaluation, tests={"tweets": evaluation})
