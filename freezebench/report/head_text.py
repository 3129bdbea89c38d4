"""Sentences on the head: whether the checkpoint has one for the task and data, or the seed makes a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.data_text import outputs_text
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.data_facts import DataFacts
    from freezebench.specs.names import TaskName
    from freezebench.verdicts.judge import ConfigurationResult

HEAD = "Head: "
# How a note of the data begins on classes that the model does not name.
_SORTED = "Labels became class numbers in sorted order"
_SHOWN = 4  # names of parameters
_MOST_CLASSES = 10


def head_line(
    model: str,
    stored: int,
    num_classes: int,
    task: TaskName = "sequence-classification",
    stored_task: TaskName | None = None,
) -> str:
    """Return the plan's line on the head, by the configuration file of the model.

    Args:
        model: Name of the model.
        stored: Number of classes of the head in its checkpoint; 0: it has none.
        num_classes: Number of classes or labels of the data; 1 in regression.
        task: What is learned.
        stored_task: What the head in its checkpoint is for; ``None``: the same, or it has none.
    """
    if stored_task not in {None, task}:
        return (
            f"freezebench: the head is new, initialized by the seed of each run, since the head of {model} is for "
            f"{stored_task}, and the task is {task}"
        )
    if stored == num_classes:
        return f"freezebench: the head is that of {model}, which was fine-tuned for {outputs_text(stored, task)}"
    of_others = (
        f"the head of {model} has {outputs_text(stored, task)}, and the data have {num_classes}"
        if stored
        else f"{model} has none"
    )
    return f"freezebench: the head is new, initialized by the seed of each run, since {of_others}"


def order_line(model: str, stored: int, facts: DataFacts) -> str | None:
    """Return the plan's warning of a head whose classes may have another order than those of the data.

    Args:
        model: Name of the model.
        stored: Number of classes of the head in its checkpoint; 0: it has none.
        facts: The data.

    Returns:
        The warning; ``None`` if the head is new, or the order of its classes is known.
    """
    names = facts.label_names
    if stored != len(names) or not any(note.startswith(_SORTED) for note in facts.notes):
        return None
    outputs = listed([f"{number} is {name}" for number, name in enumerate(names)], _MOST_CLASSES)
    return (
        f"freezebench: warning: the config.json of {model} does not name these classes, so that its head is trained on "
        f"in their sorted order: {outputs}. If it learned another order, write the names in its order into id2label of "
        "config.json, or give the encoder alone, which gets a new head"
    )


def head_sentence(results: Sequence[ConfigurationResult], *, is_new: bool) -> str | None:
    """Return the sentence on a new head, or that on one from the checkpoint; ``None`` if it is not so or not known.

    Args:
        results: The results of one experiment.
        is_new: Whether the sentence on a new head is requested.
    """
    records = (record for result in results for record in result.records)
    record = next((record for record in records if record.new_parameters is not None and record.data), None)
    if record is None or record.new_parameters is None or record.data is None or bool(record.new_parameters) != is_new:
        return None
    if not is_new:
        return f"{HEAD}all of its parameters are from the checkpoint of {record.spec.model}."
    names = listed(record.new_parameters, _SHOWN)
    return (
        f"{HEAD}new, initialized by the seed of each run: {names}. The checkpoint of {record.spec.model} has no such "
        f"parameters for {outputs_text(len(record.data.label_names), record.data.task)}."
    )
