"""Tests of F1 of entities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities

from drawn_examples import TAGS, drawn
from freezebench.records.entities import entity_f1
from freezebench.scoring.entities import ENTITY_F1, are_entity_tags, entity_counts, entity_types
from freezebench.scoring.examples import Examples


def sentences(examples: Examples, classes: np.ndarray) -> list[list[str]]:
    """Return the tags of every sentence."""
    assert examples.lengths is not None
    parts = np.split(classes, np.cumsum(examples.lengths)[:-1])
    return [[TAGS[label] for label in part] for part in parts]


def test_it_is_that_of_seqeval() -> None:
    """Words that continue no entity begin one, and types count."""
    for seed in range(20):
        examples = drawn("token-classification", seed, 15)
        expected = f1_score(sentences(examples, examples.labels), sentences(examples, examples.predictions))
        assert ENTITY_F1.value(examples) == pytest.approx(expected, abs=1e-12)


@given(
    tags=st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=7), min_size=1, max_size=6),
    predicted=st.integers(0, 10**6),
)
def test_entities_are_those_of_seqeval(tags: list[list[int]], predicted: int) -> None:
    """Of all schemes of tags, sentence by sentence and type by type; tags may lack a type."""
    names = ("O", "B-PER", "I-PER", "E-PER", "S-LOC", "I-LOC", "B", "I", "E-A-B")
    lengths = np.array([len(sentence) for sentence in tags])
    labels = np.concatenate([np.array(sentence) for sentence in tags])
    predictions = np.random.default_rng(predicted).choice(9, len(labels))
    examples = Examples(
        task="token-classification",
        labels=labels,
        predictions=predictions,
        scores=None,
        label_names=names,
        lengths=lengths,
    )
    counts = entity_counts(examples)
    types = entity_types(names)
    assert types == ["A-B", "LOC", "PER", "_"]
    for number, (label, prediction) in enumerate(
        zip(*(np.split(classes, np.cumsum(lengths)[:-1]) for classes in (labels, predictions)), strict=True)
    ):
        true, found = ({*get_entities([names[tag] for tag in classes])} for classes in (label, prediction))
        for column, kind in enumerate(types):
            expected = [sum(entity[0] == kind for entity in entities) for entities in (true, found, true & found)]
            assert [part[number, column] for part in (counts.true, counts.predicted, counts.right)] == expected
    # Parts of the examples have the counts of their sentences.
    some = examples.only(lengths > 2)
    assert entity_counts(some).right.tolist() == counts.right[lengths > 2].tolist()


def test_an_entity_ends_with_its_sentence() -> None:
    """An entity at the end of a sentence is not continued in the next one."""
    examples = Examples(
        task="token-classification",
        labels=np.array([0, 1, 2, 0]),
        predictions=np.array([0, 1, 2, 0]),
        scores=None,
        label_names=TAGS,
        lengths=np.array([2, 2]),
    )
    assert ENTITY_F1.value(examples) == 1
    assert ENTITY_F1.leave_one_out is not None
    # The second sentence begins with I-PER, an entity of its own.
    assert ENTITY_F1.leave_one_out(examples).tolist() == [1, 1]


def test_no_entity_at_all() -> None:
    """F1 is 0 then, as elsewhere."""
    examples = drawn("token-classification", 0)
    nothing = Examples(
        task="token-classification",
        labels=np.zeros_like(examples.labels),
        predictions=np.zeros_like(examples.labels),
        scores=None,
        label_names=TAGS,
        lengths=examples.lengths,
    )
    assert ENTITY_F1.value(nothing) == 0


@given(st.sampled_from(["BILOU", "BMEOW"]), st.data())
def test_schemes_with_other_letters_have_the_entities_of_bioes(letters: str, data: st.DataObject) -> None:
    """By both functions, whatever the order of tags."""
    names = [letter if letter == "O" else f"{letter}-{kind}" for letter in letters for kind in ("PER", "LOC")]
    bioes = [name[0].translate(str.maketrans("LMUW", "EISS")) + name[1:] for name in names]
    drawn_classes = st.lists(st.integers(0, len(names) - 1), min_size=8, max_size=8)
    labels, predictions = np.array(data.draw(drawn_classes)), np.array(data.draw(drawn_classes))
    examples = Examples(
        task="token-classification",
        labels=labels,
        predictions=predictions,
        scores=None,
        label_names=tuple(names),
        lengths=np.array([8]),
    )
    true, predicted = ([[bioes[tag] for tag in classes]] for classes in (labels, predictions))
    expected = pytest.approx(float(f1_score(true, predicted, zero_division=0)))
    assert ENTITY_F1.value(examples) == expected
    assert entity_f1(labels.tolist(), predictions.tolist(), [8], names) == expected


def test_tags_of_entities() -> None:
    """They begin with a letter of the scheme; parts of speech do not."""
    assert are_entity_tags(("O", "B-PER", "I-PER", "S-LOC", "E-LOC"))
    assert are_entity_tags(("O", "B", "I"))
    assert are_entity_tags(("O", "B-PER", "I-PER", "L-PER", "U-PER"))
    assert are_entity_tags(("O", "B-PER", "M-PER", "E-PER", "W-PER"))
    assert not are_entity_tags(("O", "L", "U", "M"))
    assert not are_entity_tags(("NOUN", "VERB"))
    assert not are_entity_tags(("O",))
    assert not are_entity_tags(("O", "B-PER", "PER"))
