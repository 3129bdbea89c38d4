"""F1 of evaluations: the same as that of the metrics."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.scoring.examples import Examples
from freezebench.scoring.metrics import METRICS
from freezebench.tasks.registry import TASKS


@given(st.integers(2, 4), st.data())
def test_f1_of_classes_equals_that_of_scikit_learn(num_labels: int, data: st.DataObject) -> None:
    """Of class 1 for two classes, and the mean over all for more; also where a class is missing."""
    number = st.integers(0, num_labels - 1)
    pairs = data.draw(st.lists(st.tuples(number, number), min_size=1, max_size=40))
    labels, predictions = (np.array(column) for column in zip(*pairs, strict=True))
    examples = Examples(
        task="sequence-classification",
        labels=labels,
        predictions=predictions,
        scores=None,
        label_names=tuple(map(str, range(num_labels))),
    )
    metric = METRICS["f1" if num_labels == 2 else "macro-f1"]
    assert TASKS["sequence-classification"].f1(examples) == pytest.approx(metric.value(examples))


@given(st.lists(st.tuples(*[st.integers(0, 1)] * 6), min_size=1, max_size=40))
def test_f1_of_several_labels_equals_that_of_scikit_learn(rows: list[tuple[int, ...]]) -> None:
    """The mean over labels."""
    both = np.array(rows)
    examples = Examples(
        task="multi-label", labels=both[:, :3], predictions=both[:, 3:], scores=None, label_names=("a", "b", "c")
    )
    assert TASKS["multi-label"].f1(examples) == pytest.approx(METRICS["macro-f1"].value(examples))


def test_evaluations_do_not_import_scikit_learn() -> None:
    """Its memory would be a part of that of every run."""
    code = """
import sys
import torch
from freezebench.training.batches.encoding import Encoded
from freezebench.training.engines.evaluate import evaluation_of

evaluation = evaluation_of(torch.eye(2), Encoded(examples=({}, {}), labels=(0, 1)), ("a", "b"), keep_scores=True)
sys.exit(evaluation.f1 != 1.0 or "sklearn" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
