"""Sentences on the head."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freezebench.report.head_text import head_line, head_sentence, order_line
from freezebench.verdicts.judge import ConfigurationResult
from made_up import facts, record

_NEW = "freezebench: the head is new, initialized by the seed of each run, since"


def results(*new_parameters: tuple[str, ...] | None) -> list[ConfigurationResult]:
    """Return results of one run each."""
    return [
        ConfigurationResult(
            freeze="none",
            records=(replace(record("none", 42), new_parameters=names),),
            baseline=(),
            verdict=None,
            gate=None,
            broken=None,
            warnings=(),
        )
        for names in new_parameters
    ]


@pytest.mark.parametrize(
    ("stored", "line"),
    [
        (2, "freezebench: the head is that of m, which was fine-tuned for 2 classes"),
        (0, f"{_NEW} m has none"),
        (
            3,
            f"{_NEW} the head of m has 3 classes, and the data have 2",
        ),
    ],
)
def test_the_plan_says_where_the_head_comes_from(stored: int, line: str) -> None:
    """By the number of classes in the configuration file."""
    assert head_line("m", stored, 2) == line


def test_the_plan_says_that_a_head_of_another_task_is_replaced() -> None:
    """Although it has as many outputs."""
    line = head_line("m", 3, 3, "multi-label", "sequence-classification")
    assert line == f"{_NEW} the head of m is for sequence-classification, and the task is multi-label"
    assert head_line("m", 3, 3, "multi-label", "multi-label").startswith("freezebench: the head is that of m, which")


def test_a_new_head_is_announced_with_its_parameters() -> None:
    """By what loading showed, not by the configuration file."""
    runs = results(None, ("classifier.weight", "classifier.bias"))
    sentence = head_sentence(runs, is_new=True)
    assert str(sentence).startswith(
        "Head: new, initialized by the seed of each run: classifier.weight, classifier.bias."
    )
    assert head_sentence(runs, is_new=False) is None


def test_a_head_of_the_checkpoint_is_a_note() -> None:
    """Nothing of it is new."""
    assert head_sentence(results(()), is_new=True) is None
    assert str(head_sentence(results(()), is_new=False)).startswith(
        "Head: all of its parameters are from the checkpoint"
    )


def test_nothing_is_said_of_a_head_that_is_not_known() -> None:
    """A factory, or a record of an earlier version."""
    assert {head_sentence(results(None), is_new=is_new) for is_new in (True, False)} == {None}


def test_an_unknown_order_of_classes_is_a_warning() -> None:
    """Where the head stays, and neither its names nor numbers in the data say which class is which."""
    sorted_names = replace(facts(4), notes=("Labels became class numbers in sorted order: neg, pos.",))
    line = order_line("m", 2, sorted_names)
    assert line is not None
    assert line.startswith("freezebench: warning: the config.json of m does not name these classes, so that its head")
    assert f"sorted order: 0 is {sorted_names.label_names[0]}, 1 is {sorted_names.label_names[1]}. If it" in line
    assert [order_line("m", 0, sorted_names), order_line("m", 2, facts(4))] == [None, None]
