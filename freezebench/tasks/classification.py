"""Sequence classification: class scores of a model's output, and F1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

if TYPE_CHECKING:
    import numpy.typing as npt


class HasLogits(Protocol):
    """An output with class scores, as transformers models return."""

    logits: torch.Tensor


ModelOutput = torch.Tensor | tuple[torch.Tensor, ...] | Mapping[str, torch.Tensor] | HasLogits


def logits_of(output: ModelOutput) -> torch.Tensor:
    """Return the class scores of a model's output, float32 of shape (batch, classes).

    A transformers model returns an object with ``logits``, or a tuple that begins with them (``return_dict=False``). A
    plain module may also return a dictionary, or the tensor itself.
    """
    if isinstance(output, Mapping):
        output = output["logits"]
    elif isinstance(output, tuple):
        output = output[0]
    return (output if isinstance(output, torch.Tensor) else output.logits).float()


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
