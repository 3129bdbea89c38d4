"""Sequence classification: class scores of a model's output, and F1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    import numpy.typing as npt


def logits_of(output: object) -> torch.Tensor:
    """Return the class scores of a model's output, float32 of shape (batch, classes).

    A transformers model returns an object with ``logits``, or a tuple that begins with them (``return_dict=False``). A
    plain module may also return a dictionary, or the tensor itself.

    Raises:
        TypeError: If the output has no class scores.
    """
    # The outputs of transformers are mappings, too.
    if isinstance(output, Mapping):
        logits = output["logits"]
    elif isinstance(output, tuple):
        logits = output[0]
    else:
        logits = getattr(output, "logits", output)
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"the model returns a {type(output).__name__} without a tensor of logits")
    return logits.float()


def f1_score(labels: npt.NDArray[np.int64], predictions: npt.NDArray[np.int64], num_labels: int) -> float:
    """Return F1 of class 1 for two classes, else the unweighted mean of every class's F1 (macro).

    F1 = 2 TP / (2 TP + FP + FN); a class that neither occurs nor is predicted counts 0.

    Args:
        labels: True class numbers, shape (sentences,).
        predictions: Predicted class numbers, shape (sentences,).
        num_labels: Number of classes.
    """
    classes = range(num_labels) if num_labels > 2 else (1,)  # noqa: PLR2004 - binary or not
    scores = []
    for label in classes:
        hits = int(((labels == label) & (predictions == label)).sum())
        claimed_or_true = int((labels == label).sum() + (predictions == label).sum())
        scores.append(2 * hits / claimed_or_true if claimed_or_true else 0.0)
    return float(np.mean(scores))
