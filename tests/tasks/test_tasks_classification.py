"""Class scores and F1."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.modeling_outputs import SequenceClassifierOutput

from freezebench.tasks.classification import f1_score, logits_of

SCORES = torch.tensor([[0.5, -0.5]], dtype=torch.bfloat16)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_f1_equals_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    """Macro over all classes, and binary for two classes."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the dev extra")
    labels, predictions = (np.array(column) for column in zip(*pairs, strict=True))
    expected = metrics.f1_score(labels, predictions, labels=range(4), average="macro", zero_division=0)
    assert f1_score(labels, predictions, 4) == pytest.approx(expected)
    two = metrics.f1_score(labels % 2, predictions % 2, zero_division=0)
    assert f1_score(labels % 2, predictions % 2, 2) == pytest.approx(two)


@pytest.mark.parametrize(
    "output",
    [
        SCORES,
        {"logits": SCORES},
        (SCORES, None),
        SimpleNamespace(logits=SCORES),
        SequenceClassifierOutput(logits=SCORES),
    ],
)
def test_logits_are_extracted_from_any_output(output: Any) -> None:
    """The tensor itself, a field of the output, or the first element of a tuple; in float32."""
    assert torch.equal(logits_of(output), SCORES.float())
