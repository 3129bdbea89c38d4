"""One class per text, or per pair of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from freezebench.tasks.f1 import f1_by_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.scoring.examples import Examples
    from freezebench.specs.names import TaskName

_BINARY = 2


class SequenceClassification:
    """Cross-entropy of one class per sentence."""

    name: ClassVar[TaskName] = "sequence-classification"
    by_word: ClassVar[bool] = False
    has_classes: ClassVar[bool] = True
    scores_text: ClassVar[str] = "one score per sentence and class"

    def loss(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy, in nats."""
        return cross_entropy(scores, labels)

    def batch_label(self, label: int) -> int:
        """Return the class number."""
        return label

    def targets(self, labels: Sequence[int]) -> torch.Tensor:
        """Return the class numbers, shape (sentences,)."""
        return torch.tensor(labels)

    def rows(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - all rows
        """Return all scores."""
        return scores

    def predictions(self, scores: torch.Tensor) -> torch.Tensor:
        """Return the class with the highest score, the first one of equal scores."""
        return scores.argmax(dim=-1)

    def strata(self, labels: Sequence[int]) -> torch.Tensor:
        """Return the class numbers."""
        return torch.tensor(labels)

    def f1(self, examples: Examples) -> float:
        """Return F1 of class 1 for two classes, else the mean over all classes."""
        classes = np.arange(len(examples.label_names))
        by_class = f1_by_label(examples.labels[:, None] == classes, examples.predictions[:, None] == classes)
        return float(by_class[1] if len(classes) == _BINARY else by_class.mean())
