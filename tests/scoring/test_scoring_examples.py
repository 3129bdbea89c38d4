"""Tests of evaluated examples."""

from __future__ import annotations

import numpy as np

from freezebench.scoring.examples import Examples


def test_an_example_may_have_several_rows() -> None:
    """In token classification a sentence is left out with all its words."""
    examples = Examples(
        task="token-classification",
        labels=np.array([0, 1, 2, 0, 1]),
        predictions=np.array([0, 1, 1, 0, 0]),
        scores=np.arange(10, dtype=np.float32).reshape(5, 2),
        label_names=("O", "B-PER", "I-PER"),
        lengths=np.array([3, 2]),
    )
    assert len(examples) == 2
    second = examples.without(0)
    assert (len(second), second.labels.tolist(), second.predictions.tolist()) == (1, [0, 1], [0, 0])
    assert second.scores is not None
    assert second.scores.tolist() == [[6, 7], [8, 9]]
