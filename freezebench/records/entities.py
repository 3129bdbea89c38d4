"""F1 of named entities in recorded classes of words, by code of its own.

It is not the function that runs are evaluated with, so that a fault in one of them is found. What an entity is, is that
of the CoNLL script::

    O  B-PER  I-PER  B-PER  O  I-LOC  I-PER          an entity begins with B or S, after O, E or S, and where the type
       └─────────┘  └───┘      └───┘  └───┘          changes; it ends before the next one and before O

L and E say the same, as do M and I, and U, W and S.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def entity_f1(labels: Sequence[int], predictions: Sequence[int], lengths: Sequence[int], names: Sequence[str]) -> float:
    """Return F1 = 2 TP / (2 TP + FP + FN) of entities, which are right if first and last word and type are.

    Args:
        labels: Class of every word, sentence after sentence.
        predictions: The same as predicted.
        lengths: Number of words of every sentence.
        names: Tag of every class.

    Returns:
        0 to 1; 0 if there are no entities.
    """
    num_right = num_all = start = 0
    for length in lengths:
        end = start + length
        true = set(_entities([names[label] for label in labels[start:end]]))
        predicted = set(_entities([names[label] for label in predictions[start:end]]))
        num_right += len(true & predicted)
        num_all += len(true) + len(predicted)
        start = end
    return 2 * num_right / max(num_all, 1)


def _entities(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield first word, last word and type of every entity of a sentence."""
    first, before = 0, "O"
    for number, tag in enumerate([*tags, "O"]):
        is_outside = tag == "O"
        begins = not is_outside and (tag[0] in "BSUW" or before[0] in "OELSUW" or tag[2:] != before[2:])
        if before != "O" and (is_outside or begins):
            yield first, number - 1, before[2:]
        if begins:
            first = number
        before = tag
