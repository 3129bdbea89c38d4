"""One class per word."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, ClassVar

import torch
from torch.nn.functional import cross_entropy

from freezebench.scoring.entities import ENTITY_F1, are_entity_tags
from freezebench.tasks.base import IGNORED, rarest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.scoring.examples import Examples
    from freezebench.specs.names import TaskName


class TokenClassification:
    """Cross-entropy of one class per word, at its first sub-word token; all other tokens are ignored."""

    name: ClassVar[TaskName] = "token-classification"
    by_word: ClassVar[bool] = True
    has_classes: ClassVar[bool] = True
    scores_text: ClassVar[str] = "one score per sentence, token and class"

    def loss(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy over words, in nats."""
        return cross_entropy(scores.flatten(0, -2), labels.flatten(), ignore_index=IGNORED)

    def batch_label(self, label: tuple[int, ...]) -> tuple[int, ...]:
        """Return the class numbers of a sentence's words."""
        return label

    def targets(self, labels: Sequence[tuple[int, ...]]) -> torch.Tensor:
        """Return the class numbers of all words, sentence after sentence, shape (words,)."""
        return torch.tensor(list(chain.from_iterable(labels)))

    def rows(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the scores of words at their first tokens, sentence after sentence."""
        return scores[(labels != IGNORED).to(scores.device)]

    def predictions(self, scores: torch.Tensor) -> torch.Tensor:
        """Return the class with the highest score, the first one of equal scores."""
        return scores.argmax(dim=-1)

    def strata(self, labels: Sequence[tuple[int, ...]]) -> torch.Tensor:
        """Return the class of every sentence's words that is in the fewest sentences."""
        return torch.tensor(rarest(labels, 1 + max(map(max, labels))))

    def f1(self, examples: Examples) -> float | None:
        """Return F1 of entities if the classes are tags of entities."""
        return ENTITY_F1.value(examples) if are_entity_tags(examples.label_names) else None
