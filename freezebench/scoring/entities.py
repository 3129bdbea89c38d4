"""F1 of named entities: an entity is right if its words and its type are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from freezebench.scoring.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from freezebench.scoring.examples import Examples

_TAG = re.compile(r"O|[BIES](-.+)?", re.DOTALL)


def are_entity_tags(label_names: Sequence[str]) -> bool:
    """Return whether classes of words are tags of entities, such as ``O``, ``B-PER`` and ``I-PER``."""
    return all(_TAG.fullmatch(name) for name in label_names) and set(label_names) != {"O"}


def _entity_f1(examples: Examples) -> float:
    from seqeval.metrics import f1_score

    return float(f1_score(_tags(examples, examples.labels), _tags(examples, examples.predictions), zero_division=0))


def _tags(examples: Examples, classes: NDArray[np.int64]) -> list[list[str]]:
    """Return the tags of every sentence."""
    lengths = np.ones(len(examples), dtype=np.int64) if examples.lengths is None else examples.lengths
    tags = np.array(examples.label_names, dtype=object)[classes].tolist()
    ends = np.cumsum(lengths).tolist()
    return [tags[start:end] for start, end in zip([0, *ends], ends, strict=False)]


ENTITY_F1 = Metric(
    name="entity-f1",
    label="entity F1",
    tasks=("token-classification",),
    value=_entity_f1,
    source="seqeval.metrics.f1_score",
)
