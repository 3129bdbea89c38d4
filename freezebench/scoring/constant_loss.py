"""The loss of the best constant prediction: what a model has to beat to have learned anything from the texts.

The constant is what the training labels give: the share of every class, the share of texts that have a label, or the
mean number. Its loss is computed as the task's own loss is.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.specs.names import TaskName


def constant_loss(task: TaskName, train: Sequence[Any], labels: Sequence[Any]) -> float:
    """Return the mean loss on some labels of the best constant for the training labels.

    It is the cross-entropy in nats, over words in token classification and as a mean over several labels; in regression
    the squared error. It is infinite if a class or label occurs that never occurs in training, or always does.

    Args:
        task: What is learned.
        train: Labels of the training examples, as ``Split`` has them.
        labels: Those of the split that the loss is of; not empty.
    """
    if task == "regression":
        mean = statistics.fmean(train)
        return statistics.fmean((label - mean) ** 2 for label in labels)
    if task == "multi-label":
        pairs = zip(zip(*train, strict=True), zip(*labels, strict=True), strict=True)
        return statistics.fmean(cross_entropy(Counter(trained), Counter(own)) for trained, own in pairs)
    if task == "token-classification":
        return cross_entropy(Counter(chain.from_iterable(train)), Counter(chain.from_iterable(labels)))
    return cross_entropy(Counter(train), Counter(labels))


def cross_entropy(trained: Mapping[int, int], counts: Mapping[int, int]) -> float:
    """Return the mean of -ln p over labels, where p is the share of a label in training.

    It is infinite if a label occurs that never occurs in training.

    Args:
        trained: Number of times that every label occurs in training.
        counts: The same of the labels that the loss is of, at least one of which occurs.
    """
    total, num_trained = sum(counts.values()), sum(trained.values())
    if any(num and not trained.get(label) for label, num in counts.items()):
        return math.inf
    return sum(num * -math.log(trained[label] / num_trained) for label, num in counts.items() if num) / total
