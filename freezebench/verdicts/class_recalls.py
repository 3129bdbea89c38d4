"""What the runs of a configuration recall of each class, each label, or each type of entities.

sequence classification   sentences of each class; recalled if it is predicted
multi-label               sentences that have each label; recalled if it is predicted
token classification      entities of each type; recalled if their words and type are, or words of each class where
the tags are not those of entities
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from freezebench.records.evaluated import computed_once, examples_of
from freezebench.records.run_record import data_of
from freezebench.scoring.entities import are_entity_tags, entity_counts, entity_types
from freezebench.units import listed
from freezebench.verdicts.classes import label_name
from freezebench.verdicts.metric_values import text_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.examples import Examples
    from freezebench.specs.names import TaskName

    # The rows of a class, or the sentences of entities, as numbers that increase, and whether each is recalled.
    Items = tuple[NDArray[np.int64], NDArray[np.bool_]]

_MOST_NAMED = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Recalled:
    """What runs of one test set recall of one class.

    Attributes:
        name: Name of the class, the label or the type of entities.
        text: The same as sentences call it: ``class positive``, ``label toxic``, ``entities PER``.
        is_right: Whether each of its items was recalled, shape (runs, items).
        groups: The unit of the interval that each item belongs to; ``None``: each is a unit by itself.
    """

    name: str
    text: str
    is_right: NDArray[np.bool_]
    groups: NDArray[np.int64] | None

    @property
    def recall(self) -> float:
        """Share of the items that were recalled, mean over runs."""
        return float(self.is_right.mean())


def recalled(records: Sequence[RunRecord]) -> list[Recalled]:
    """Return what valid runs of one test set recall of every class that the test set has, in the order of the classes.

    It is empty in regression, which has no classes.
    """
    data = data_of(records)
    if data is None or data.task == "regression":
        return []
    by_run = [_items(record) for record in records if record.test is not None]
    has_entities = _has_entities(data.task, data.label_names)
    groups = _groups_of_items(records, by_sentence=has_entities)
    noun = "entities" if has_entities else "label" if data.task == "multi-label" else "class"
    classes = []
    for key, (rows, _) in by_run[0].items():
        name = key if isinstance(key, str) else label_name(data, key)
        classes.append(
            Recalled(
                name=name,
                text=f"{noun} {name}",
                is_right=np.stack([items[key][1] for items in by_run]),
                groups=None if groups is None else groups[rows],
            )
        )
    return classes


def missed_classes_warning(records: Sequence[RunRecord]) -> str | None:
    """Return a warning on classes that valid unfrozen runs never recall, which freezing cannot lose; ``None``: none."""
    missed = [own.text for own in recalled(records) if not own.is_right.any()]
    if not missed:
        return None
    them = "it" if len(missed) == 1 else "them"
    return (
        f"without freezing, no run recognises any test example of {listed(missed, _MOST_NAMED)}, so that a loss of "
        f"{them} cannot be seen. Train for longer, at another rate, or on more examples of {them}."
    )


def _items(record: RunRecord) -> dict[int | str, Items]:
    """Return the items of every class that the test set of a run has, which are computed once."""

    def compute() -> dict[int | str, Items]:
        evaluated = examples_of(record)
        return _entities(evaluated) if _has_entities(evaluated.task, evaluated.label_names) else _rows(evaluated)

    return computed_once(record, ("recalled",), compute)


def _has_entities(task: TaskName, label_names: Sequence[str]) -> bool:
    """Return whether entities are recalled, not single words."""
    return task == "token-classification" and are_entity_tags(label_names)


def _rows(evaluated: Examples) -> dict[int | str, Items]:
    """Return the rows of every class or label, and whether it is predicted for them."""
    labels, predictions = evaluated.labels, evaluated.predictions
    if evaluated.task == "multi-label":
        columns = enumerate(zip(labels.T, predictions.T, strict=True))
        found = {number: (np.flatnonzero(own), predicted[own > 0] > 0) for number, (own, predicted) in columns}
    else:
        found = {
            number: (np.flatnonzero(labels == number), predictions[labels == number] == number)
            for number in np.unique(labels).tolist()
        }
    return {number: items for number, items in found.items() if items[0].size}


def _entities(evaluated: Examples) -> dict[int | str, Items]:
    """Return the sentences of the entities of every type, and whether the same words are predicted to be one.

    Which of several entities of one sentence are recalled makes no difference, since they are of one unit: the first.
    """
    counts = entity_counts(evaluated)
    found: dict[int | str, Items] = {}
    for number, kind in enumerate(entity_types(evaluated.label_names)):
        true, right = counts.true[:, number], counts.right[:, number]
        sentences = np.repeat(np.arange(len(true)), true)
        position = np.arange(len(sentences)) - np.repeat(np.cumsum(true) - true, true)
        if sentences.size:
            found[kind] = sentences, position < right[sentences]
    return found


def _groups_of_items(records: Sequence[RunRecord], *, by_sentence: bool) -> NDArray[np.int64] | None:
    """Return the unit of the interval of every row: a sentence is one, with all its words, entities and labels.

    Args:
        records: The runs.
        by_sentence: Whether items are numbered by their sentences, not by words.
    """
    groups, evaluated = text_groups(records), examples_of(records[0])
    if evaluated.task == "sequence-classification":
        return groups
    units = np.arange(len(evaluated)) if groups is None else groups
    return units if by_sentence or evaluated.lengths is None else np.repeat(units, evaluated.lengths)
