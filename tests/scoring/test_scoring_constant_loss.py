"""The loss of the best constant prediction."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from freezebench.scoring.constant_loss import constant_loss


def test_of_classes_it_is_the_cross_entropy_of_their_shares() -> None:
    """As torch computes it from the logarithms of the shares."""
    train, labels = [0, 0, 1, 2], [0, 1, 1]
    scores = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64).log().expand(3, 3)
    expected = cross_entropy(scores, torch.tensor(labels)).item()
    assert constant_loss("sequence-classification", train, labels) == pytest.approx(expected, rel=1e-12)
    words = constant_loss("token-classification", [(0, 0), (1, 2)], [(0,), (1, 1)])
    assert words == pytest.approx(expected, rel=1e-12)


def test_of_several_labels_it_is_the_mean_over_labels() -> None:
    """As torch computes it from the logits of the shares."""
    train, labels = [(1, 0), (1, 1), (0, 0), (1, 0)], [(1, 1), (0, 0)]
    logits = torch.tensor([0.75, 0.25], dtype=torch.float64).logit().expand(2, 2)
    expected = binary_cross_entropy_with_logits(logits, torch.tensor(labels, dtype=torch.float64)).item()
    assert constant_loss("multi-label", train, labels) == pytest.approx(expected, rel=1e-12)


def test_of_numbers_it_is_the_squared_error_of_the_mean() -> None:
    """The mean is that of training."""
    train, labels = [1.0, 2.0, 6.0], [3.0, 5.0]
    expected = mse_loss(torch.full((2,), 3.0), torch.tensor(labels)).item()
    assert constant_loss("regression", train, labels) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("task", "train", "labels"),
    [
        ("sequence-classification", [0, 0], [0, 1]),
        ("token-classification", [(0, 0)], [(0, 1)]),
        ("multi-label", [(1, 0), (1, 1)], [(0, 0)]),
        ("multi-label", [(0, 0), (0, 1)], [(1, 0)]),
    ],
)
def test_what_training_lacks_has_an_infinite_loss(task: Any, train: list[Any], labels: list[Any]) -> None:
    """A share of 0 allows no example; one of 1 allows none without the label."""
    assert constant_loss(task, train, labels) == math.inf
    assert math.isfinite(constant_loss(task, train, train))
