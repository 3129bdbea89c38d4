"""F1 of named entities: an entity is right if its words and its type are."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from freezebench.scoring.counts import Counts
from freezebench.scoring.few import too_few_entities
from freezebench.scoring.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Values

_TAG = re.compile(r"O|[BIES](-.+)?|[LMUW]-.+", re.DOTALL)
# Last, middle, unit and whole of the schemes BILOU and BMEWO, as end, inside and single of BIOES.
_AS_IN_BIOES = {"L": "E", "M": "I", "U": "S", "W": "S"}


def are_entity_tags(label_names: Sequence[str]) -> bool:
    """Return whether classes of words are tags of entities: BIO, BIOES, BILOU or BMEWO, such as ``O`` and ``B-PER``."""
    return all(_TAG.fullmatch(name) for name in label_names) and set(label_names) != {"O"}


def _entity_f1(examples: Examples) -> float:
    return float(entity_counts(examples).pooled.sum().f1[0])


def _without_each(examples: Examples) -> Values:
    """Return the F1 without one sentence each: no entity reaches from one sentence into another."""
    return entity_counts(examples).pooled.without_each().f1[:, 0]


def entity_types(label_names: Sequence[str]) -> list[str]:
    """Return the types of entities that tags have, in alphabetical order; an entity without one has the type ``_``."""
    return sorted({kind for tag, kind in map(_parsed, label_names) if tag != "O"})


def entity_counts(examples: Examples) -> Counts:
    """Return how many entities of every type every sentence has, how many are predicted, and how many are right.

    The counts are of shape (sentences, types).
    """
    if "entities" not in examples.by_example:
        lengths = np.ones(len(examples), dtype=np.int64) if examples.lengths is None else examples.lengths
        classes = examples.labels, examples.predictions
        true, predicted = (_entities(examples.label_names, rows, lengths) for rows in classes)
        num_types = len(entity_types(examples.label_names))
        num_places = len(examples.labels) + len(examples)
        is_right = np.isin(_keys(true, num_places, num_types), _keys(predicted, num_places, num_types))
        right = np.compress(is_right, true, axis=1)
        examples.by_example["entities"] = np.stack(
            [
                np.bincount(sentences * num_types + types, minlength=len(examples) * num_types).reshape(-1, num_types)
                for types, _, _, sentences in (true, predicted, right)
            ],
            axis=1,
        )
    counts = examples.by_example["entities"]
    return Counts(true=counts[:, 0], predicted=counts[:, 1], right=counts[:, 2])


def _entities(
    label_names: tuple[str, ...], classes: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the entities of all sentences: number of the type, first and last word, and sentence, shape (4, entities).

    One place is left after every sentence. Where an entity begins and ends, seqeval says, as ``get_entities`` applies
    it to every word and the one before: as in the CoNLL script, an ``I`` without a ``B`` begins one, too.
    """
    begins, ends, type_of = _boundaries(label_names)
    outside = len(label_names)
    # The tag before the first word, the words, and one tag outside of entities after every sentence.
    tags = np.full(len(classes) + len(lengths) + 1, outside)
    sentence_of = np.repeat(np.arange(len(lengths)), lengths)
    tags[1 + np.arange(len(classes)) + sentence_of] = classes
    pairs = tags[:-1], tags[1:]
    first = np.maximum.accumulate(np.where(begins[pairs], np.arange(len(pairs[0])), 0))
    after = np.flatnonzero(ends[pairs])
    sentences = np.searchsorted(np.cumsum(lengths + 1), after - 1, "right")
    return np.stack([type_of[tags[after]], first[after - 1], after - 1, sentences])


@lru_cache(maxsize=4)
def _boundaries(label_names: tuple[str, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
    """Return whether a tag after another one begins an entity, whether it ends one, and the type of every tag.

    The first two are of shape (tags, tags), the earlier tag first; the last tag is that outside of entities.
    """
    from seqeval.metrics.sequence_labeling import end_of_chunk, start_of_chunk

    parsed = [_parsed(name) for name in (*label_names, "O")]
    types = entity_types(label_names)
    pairs = [[(tag, after, kind, kind_after) for after, kind_after in parsed] for tag, kind in parsed]
    begins, ends = (
        np.array([[is_boundary(*pair) for pair in row] for row in pairs], dtype=np.bool_)
        for is_boundary in (start_of_chunk, end_of_chunk)
    )
    return begins, ends, np.array([types.index(kind) if tag != "O" else -1 for tag, kind in parsed])


def _parsed(name: str) -> tuple[str, str]:
    """Return the letter of a tag in the scheme BIOES and its type, as seqeval reads them."""
    return _AS_IN_BIOES.get(name[0], name[0]), name[1:].split("-", maxsplit=1)[-1] or "_"


def _keys(entities: NDArray[np.int64], num_places: int, num_types: int) -> NDArray[np.int64]:
    """Return one number for every entity, which is that of no other type, first and last word."""
    types, first, last, _ = entities
    keys: NDArray[np.int64] = (first * num_places + last) * num_types + types
    return keys


ENTITY_F1 = Metric(
    name="entity-f1",
    label="entity F1",
    tasks=("token-classification",),
    value=_entity_f1,
    leave_one_out=_without_each,
    too_few_labels=lambda examples: too_few_entities(examples, entity_counts(examples).true.sum(axis=1)),
    is_share=True,
    source="seqeval.metrics.f1_score",
)
