"""F1 of entities, computed again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score

from freezebench.records.entities import entity_f1

NAMES = ("O", "B-PER", "I-PER", "E-PER", "S-PER", "B-LOC", "I-LOC", "B", "I")


@given(st.data(), st.lists(st.integers(1, 8), min_size=1, max_size=4))
def test_it_is_that_of_seqeval(data: st.DataObject, lengths: list[int]) -> None:
    """Whatever the order of tags, types that change within an entity and tags without a type included."""
    classes = st.lists(st.integers(0, len(NAMES) - 1), min_size=sum(lengths), max_size=sum(lengths))
    labels, predictions = data.draw(classes), data.draw(classes)
    ends = [sum(lengths[: number + 1]) for number in range(len(lengths))]
    true, predicted = (
        [[NAMES[label] for label in own[end - length : end]] for end, length in zip(ends, lengths, strict=True)]
        for own in (labels, predictions)
    )
    expected = f1_score(true, predicted, zero_division=0)
    assert entity_f1(labels, predictions, lengths, NAMES) == pytest.approx(float(expected))


def test_an_entity_does_not_cross_sentences() -> None:
    """``I-PER`` at the beginning of a sentence begins an entity of its own."""
    assert entity_f1([1, 2], [1, 2], [1, 1], NAMES) == 1.0
    assert entity_f1([1, 2], [1, 0], [2], NAMES) == 0.0
    assert entity_f1([1, 2], [1, 0], [1, 1], NAMES) == pytest.approx(2 / 3)
    assert entity_f1([0, 0], [0, 0], [2], NAMES) == 0.0
