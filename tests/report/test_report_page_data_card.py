"""The data of an experiment on its page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import made_up_tasks
from experiments import SPLITS, experiment
from freezebench.report.experiment import Experiment
from freezebench.report.page.data_card import data_card

if TYPE_CHECKING:
    from freezebench.specs.names import TaskName


def _card(task: TaskName) -> str:
    """Return the card of an experiment whose test split has slices and groups, and that has further test sets."""
    shown = made_up_tasks.experiment(task, **made_up_tasks.divided(task))
    data = {"source": "made-up", "slice_column": "domain", "group_column": "product"}
    return data_card(replace(shown, settings={**shown.settings, "data": data}))


@pytest.mark.parametrize(
    ("task", "classes", "balance"),
    [
        ("sequence-classification", "<dt>classes</dt><dd>negative, neutral, positive</dd>", "Share of every class in"),
        ("multi-label", "<dt>labels</dt><dd>price, service, taste</dd>", "Share of the sentences of the split that"),
        ("token-classification", "<dt>classes of words</dt><dd>O, B-PER", "among the words of the split."),
        ("regression", "<dt>numbers</dt><dd>rating in the test split: mean ", "Sizes of the splits."),
    ],
)
def test_classes_labels_tags_and_numbers(task: TaskName, classes: str, balance: str) -> None:
    """Each task has its own; all have groups, slices, and further test sets."""
    text = _card(task)
    assert classes in text
    assert balance in text
    assert "<dt>groups</dt><dd>300 test sentences in 150 groups (product)</dd>" in text
    assert "<dt>slices by domain</dt><dd>books (100), films (100), music (100)</dd>" in text
    assert "<h3>Further test sets</h3>" in text
    assert ">reviews:tweets</td><td>200</td>" in text


def test_labels_are_shares_of_sentences() -> None:
    """Several labels do not add up to all sentences; classes do."""
    shown = made_up_tasks.experiment("multi-label")
    data = shown.records[0].data
    assert data is not None
    text = data_card(shown)
    num = sum(data.test_labels[:: len(data.label_names)])
    assert f"<td>{num} ({100 * num / data.num_test:.1f} %)</td>" in text


def test_rows_that_were_left_out_are_counted() -> None:
    """Without any the card has no line on them."""
    assert "rows left out" not in data_card(experiment())
    shown = experiment()
    data = shown.records[0].data
    assert data is not None
    changed = replace(data, dropped_rows={"train": {"no_label": 2}}, splits=SPLITS)
    results = tuple(
        replace(result, records=tuple(replace(record, data=changed) for record in result.records))
        for result in shown.results
    )
    text = data_card(Experiment(source="", settings=shown.settings, summary=replace(shown.summary, results=results)))
    assert "<dt>rows left out</dt><dd>train: 2 without a label</dd>" in text


def test_notes_on_further_test_sets_name_them() -> None:
    """Each was read as a data set of its own."""
    noted = made_up_tasks.further_set("multi-label", "tweets", notes=("2 of its sentences also occur in train",))
    text = data_card(made_up_tasks.experiment("multi-label", test_sets=(noted,)))
    assert "<li>tweets: 2 of its sentences also occur in train</li>" in text
