"""Several labels per text, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from freezebench.tasks.base import rarest
from freezebench.tasks.f1 import f1_by_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.scoring.examples import Examples
    from freezebench.specs.names import TaskName


class MultiLabel:
    """Binary cross-entropy of every label, each of which a sentence has or has not."""

    name: ClassVar[TaskName] = "multi-label"
    by_word: ClassVar[bool] = False
    has_classes: ClassVar[bool] = True
    scores_text: ClassVar[str] = "one score per sentence and label"

    def loss(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean binary cross-entropy over sentences and labels, in nats."""
        return binary_cross_entropy_with_logits(scores, labels.to(scores.dtype))

    def batch_label(self, label: tuple[int, ...]) -> tuple[float, ...]:
        """Return 0.0 or 1.0 for each label."""
        return tuple(map(float, label))

    def targets(self, labels: Sequence[tuple[int, ...]]) -> torch.Tensor:
        """Return 0.0 or 1.0 for each sentence and label, shape (sentences, labels)."""
        return torch.tensor(labels, dtype=torch.float32)

    def rows(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - all rows
        """Return all scores."""
        return scores

    def predictions(self, scores: torch.Tensor) -> torch.Tensor:
        """Return 1 for every label with a score above 0, which is a probability above one half."""
        return (scores > 0).long()

    def strata(self, labels: Sequence[tuple[int, ...]]) -> torch.Tensor:
        """Return the label of every sentence that is the rarest in the data; the number of labels for none."""
        own = [[number for number, has in enumerate(label) if has] for label in labels]
        return torch.tensor(rarest(own, len(labels[0])))

    def f1(self, examples: Examples) -> float:
        """Return the mean over all labels."""
        return float(f1_by_label(examples.labels == 1, examples.predictions == 1).mean())
