"""One number per text, or per pair of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch.nn.functional import mse_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.scoring.examples import Examples
    from freezebench.specs.names import TaskName

_NUM_STRATA = 4


class Regression:
    """Squared error of one number per sentence."""

    name: ClassVar[TaskName] = "regression"
    by_word: ClassVar[bool] = False
    has_classes: ClassVar[bool] = False
    scores_text: ClassVar[str] = "one number per sentence"

    def loss(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error."""
        return mse_loss(scores.squeeze(-1), labels.to(scores.dtype))

    def batch_label(self, label: float) -> float:
        """Return the number, rounded to float32."""
        return torch.tensor(label, dtype=torch.float32).item()

    def targets(self, labels: Sequence[float]) -> torch.Tensor:
        """Return the numbers in float64, shape (sentences,)."""
        return torch.tensor(labels, dtype=torch.float64)

    def rows(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - all rows
        """Return all scores."""
        return scores

    def predictions(self, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores themselves, shape (sentences,)."""
        return scores.squeeze(-1)

    def strata(self, labels: Sequence[float]) -> torch.Tensor:
        """Return the quarter that each number's rank is in; equal numbers are in one quarter."""
        numbers = self.targets(labels)
        num_below = torch.searchsorted(numbers.sort().values, numbers)
        return num_below * _NUM_STRATA // len(labels)

    def f1(self, examples: Examples) -> None:
        """Return nothing: numbers are no classes."""
