"""The protocol of tasks: what a model's scores are compared with, and what is predicted from them.

A row of scores is what is evaluated as a whole: a sentence, or a word at its first sub-word token::

    tokens    [CLS]   Ada   Love   ##lace   sings   [SEP]   [PAD]
    labels    -100     1     2      -100      0     -100    -100        as batches of token classification have them
    rows               0     1                2

The labels of a split are what ``data.splits.Split`` describes; the models' heads are in ``models.task_heads``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from freezebench.scoring.examples import Examples
    from freezebench.specs.names import TaskName

IGNORED = -100  # label of tokens that no loss counts, which torch and transformers agree on


class Task(Protocol):
    """What is learned.

    Attributes:
        name: Its name.
        by_word: Whether every word has scores, so that the state of every token is needed, not only of the first.
        has_classes: Whether predictions are classes, which can be right or wrong.
        scores_text: The scores that a model has to return, for messages.
    """

    name: ClassVar[TaskName]
    by_word: ClassVar[bool]
    has_classes: ClassVar[bool]
    scores_text: ClassVar[str]

    def loss(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of a batch, or of all rows of a split, in the number format of the scores.

        Args:
            scores: Shape (batch or rows, outputs), or (batch, tokens, outputs) for words.
            labels: As batches have them, or as ``targets`` returns them.
        """
        ...

    def batch_label(self, label: Any) -> Any:
        """Return the label of a sentence as batches have it.

        Args:
            label: The label of one sentence, as ``data.splits.Split`` describes it.
        """
        ...

    def targets(self, labels: Sequence[Any]) -> torch.Tensor:
        """Return the labels of a split, one for each row of scores: shape (rows,), or (rows, labels).

        Args:
            labels: The labels of all sentences.
        """
        ...

    def rows(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the rows of a batch's scores that are evaluated, shape (rows, outputs).

        Args:
            scores: Scores of the batch.
            labels: Labels of the batch.
        """
        ...

    def predictions(self, scores: torch.Tensor) -> torch.Tensor:
        """Return what rows of scores predict: a class each, 0 or 1 for each of several labels, or the number.

        Args:
            scores: Shape (rows, outputs).
        """
        ...

    def strata(self, labels: Sequence[Any]) -> torch.Tensor:
        """Return a whole number for each sentence, shape (sentences,); batches get about equal shares of each.

        Args:
            labels: The labels of all sentences.
        """
        ...

    def f1(self, examples: Examples) -> float | None:
        """Return what records call F1; ``None`` if these classes have none.

        Args:
            examples: Labels, predictions and scores of a test set.
        """
        ...


def rarest(labels: Sequence[Sequence[int]], num_labels: int) -> list[int]:
    """Return the class or label of every sentence that is the rarest in the data; ``num_labels`` for none.

    Args:
        labels: The classes or labels of every sentence.
        num_labels: Number of all of them.
    """
    counts = [0] * num_labels
    for own in labels:
        for label in set(own):
            counts[label] += 1
    return [min(own, key=lambda label: (counts[label], label), default=num_labels) for own in labels]
