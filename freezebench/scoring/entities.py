"""F1 of named entities: an entity is right if its words and its type are."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from freezebench.scoring.counts import Counts
from freezebench.scoring.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Values

_TAG = re.compile(r"O|[BIES](-.+)?", re.DOTALL)


def are_entity_tags(label_names: Sequence[str]) -> bool:
    """Return whether classes of words are tags of entities, such as ``O``, ``B-PER`` and ``I-PER``."""
    return all(_TAG.fullmatch(name) for name in label_names) and set(label_names) != {"O"}


def _entity_f1(examples: Examples) -> float:
    return float(_entity_counts(examples).sum().f1[0])


def _without_each(examples: Examples) -> Values:
    """Return the F1 without one sentence each: no entity reaches from one sentence into another."""
    return _entity_counts(examples).without_each().f1[:, 0]


def _entity_counts(examples: Examples) -> Counts:
    """Return how many entities every sentence has, how many are predicted, and how many of these are right."""
    lengths = np.ones(len(examples), dtype=np.int64) if examples.lengths is None else examples.lengths
    true, predicted = (
        _entities(examples.label_names, classes.astype(np.int64).tobytes(), lengths.tobytes())
        for classes in (examples.labels, examples.predictions)
    )
    ends = np.cumsum(lengths + 1)
    columns = (
        np.bincount(np.searchsorted(ends, [end for _, _, end in entities], "right"), minlength=len(examples))[:, None]
        for entities in (true, predicted, true & predicted)
    )
    true_counts, predicted_counts, right = columns
    return Counts(true=true_counts, predicted=predicted_counts, right=right)


# Finding entities takes longer than all else, and runs on one test set share the true ones.
@lru_cache(maxsize=4)
def _entities(label_names: tuple[str, ...], classes: bytes, lengths: bytes) -> frozenset[tuple[str, int, int]]:
    """Return the entities of all sentences, as type, first and last word; one place is left after every sentence.

    What an entity is, seqeval says: that of the CoNLL script, in which an ``I`` without a ``B`` begins one, too.

    Args:
        label_names: The tag of every class.
        classes: The class of every word, 64-bit integers.
        lengths: The number of words of every sentence, 64-bit integers.
    """
    from seqeval.metrics.sequence_labeling import get_entities

    tags = np.array(label_names, dtype=object)[np.frombuffer(classes, dtype=np.int64)].tolist()
    ends = np.cumsum(np.frombuffer(lengths, dtype=np.int64)).tolist()
    return frozenset(get_entities([tags[start:end] for start, end in zip([0, *ends], ends, strict=False)]))


ENTITY_F1 = Metric(
    name="entity-f1",
    label="entity F1",
    tasks=("token-classification",),
    value=_entity_f1,
    leave_one_out=_without_each,
    source="seqeval.metrics.f1_score",
)
