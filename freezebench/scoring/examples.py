"""The evaluated examples of one run and test set: labels, and what the model returned for them.

Most tasks have one row of labels and scores per example. In token classification an example is a sentence, and its rows
are its words::

    lengths   [3, 2]              sentence 0: rows 0 to 2, sentence 1: rows 3 and 4
    labels    [0, 4, 5, 0, 0]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from freezebench.errors import RecordError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freezebench.specs.names import TaskName


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Labels and outputs of one run on one test set.

    Attributes:
        task: What was learned.
        labels: True classes, shape (rows,); of several labels 0 or 1 for each, shape (rows, labels); numbers in
            regression, shape (rows,).
        predictions: The same as the model predicts them.
        scores: What the model returned, float32 of shape (rows, outputs): logits, or the number in regression;
            ``None``: not recorded.
        label_names: Name of every class or label.
        lengths: Number of rows of every example; ``None``: one each.
        units: Number of the unit of the interval that every example belongs to: its text, or its group; ``None``: each
            is a unit by itself.
    """

    task: TaskName
    labels: NDArray[Any]
    predictions: NDArray[Any]
    scores: NDArray[np.float32] | None
    label_names: tuple[str, ...]
    lengths: NDArray[np.int64] | None = None
    units: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.labels) if self.lengths is None else len(self.lengths)

    @property
    def required_scores(self) -> NDArray[np.float64]:
        """The scores in double precision.

        Raises:
            RecordError: If they were not recorded.
        """
        if self.scores is None:
            raise RecordError(
                "the metric needs scores, and a run has recorded predictions alone. Train it again with "
                "--freeze-resume=no, or choose a metric of predictions, such as macro-f1."
            )
        return self.scores.astype(np.float64)

    @cached_property
    def by_example(self) -> dict[str, NDArray[Any]]:
        """What metrics have computed of every example by itself, by name: arrays whose first axis is that of examples.

        Parts of the examples have the same, so that it is computed once.
        """
        return {}

    def without(self, number: int) -> Examples:
        """Return all examples but one, which is counted from 0."""
        is_kept = np.ones(len(self), dtype=np.bool_)
        is_kept[number] = False
        return self.only(is_kept)

    def only(self, is_kept: NDArray[np.bool_]) -> Examples:
        """Return some of the examples.

        Args:
            is_kept: Whether each example is one of them, shape (examples,).
        """
        rows = is_kept if self.lengths is None else np.repeat(is_kept, self.lengths)
        kept = Examples(
            task=self.task,
            labels=self.labels[rows],
            predictions=self.predictions[rows],
            scores=None if self.scores is None else self.scores[rows],
            label_names=self.label_names,
            lengths=None if self.lengths is None else self.lengths[is_kept],
            units=None if self.units is None else self.units[is_kept],
        )
        kept.by_example.update({name: array[is_kept] for name, array in self.by_example.items()})
        return kept
