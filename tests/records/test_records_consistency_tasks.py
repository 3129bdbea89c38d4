"""Records of every task that contradict themselves."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from freezebench.errors import RecordError
from freezebench.records.consistency import read_record
from freezebench.records.data_facts import SetFacts
from freezebench.records.run_record import RunRecord
from task_records import OTHER_TASKS, record_of_task


def _read(record: RunRecord) -> RunRecord:
    return read_record(json.loads(json.dumps(record.to_json())))


@pytest.mark.parametrize("task", OTHER_TASKS)
def test_a_record_that_agrees_with_itself_is_read(task: str) -> None:
    """Of every task, with a further test set."""
    record = record_of_task(task)
    assert _read(record) == record


def _evaluated(record: RunRecord, **changes: Any) -> RunRecord:
    assert record.test is not None
    return replace(record, test=replace(record.test, **changes))


def _with_data(record: RunRecord, **changes: Any) -> RunRecord:
    assert record.data is not None
    return replace(record, data=replace(record.data, **changes))


@pytest.mark.parametrize(
    ("task", "changes", "contradiction"),
    [
        ("regression", {"accuracy": 0.5}, "test has classes, accuracy or F1, and numbers have none"),
        ("regression", {"scores": "AAAA"}, "the scores of test: 4 characters of scores do not fit 3 rows"),
        ("regression", {"loss": math.nan}, "the loss of test is nan"),
        ("multi-label", {"predictions": (1, 0, 0, 1, 1, 0)}, "predictions of test are not those that its scores give"),
        ("multi-label", {"accuracy": 1.0}, r"the accuracy of test is 1\.0000, and its predictions give 0\.6667"),
        ("multi-label", {"f1": 0.5}, r"the F1 of test is 0\.5000, and its predictions give 0\.8333"),
        ("multi-label", {"scores": None, "predictions": (2,) * 6}, "a prediction of test that is none of the 2"),
        ("token-classification", {"scores": None, "predictions": (1, 2)}, "2 predictions of test for 4 test words"),
        ("token-classification", {"f1": 0.9}, r"the F1 of test is 0\.9000, and its predictions give 0\.6667"),
        ("token-classification", {"f1": None}, r"the F1 of test is –, and its predictions give 0\.6667"),
        ("token-classification", {"accuracy": 0.5}, r"the accuracy of test is 0\.5000, and its .* give 0\.7500"),
    ],
)  # fmt: skip
def test_an_evaluation_that_contradicts_itself_is_refused(task: str, changes: Any, contradiction: str) -> None:
    """Figures follow from predictions, and these from scores."""
    with pytest.raises(RecordError, match=contradiction):
        _read(_evaluated(record_of_task(task), **changes))


@pytest.mark.parametrize(
    ("task", "changes", "contradiction"),
    [
        ("regression", {"test_values": (1.0, 2.0)}, "2 numbers of 3 test sentences"),
        ("regression", {"test_labels": (1, 0, 1)}, "numbers of 3 test sentences"),
        ("multi-label", {"test_labels": (1, 0, 0)}, "3 labels of 6 test sentences and labels"),
        ("multi-label", {"test_labels": (2,) * 6}, "a test label that is none of the 2 classes"),
        ("multi-label", {"test_labels": (1, 1, 0, 1, 1, 0)}, "the class counts of test are not those of its labels"),
        ("multi-label", {"test_lengths": (1, 1)}, "6 labels of 4 test sentences and labels"),
        ("multi-label", {"test_lengths": (1, 1, 1)}, "words of test sentences, which token classification alone has"),
        ("token-classification", {"test_lengths": (2, 2)}, "numbers of words of 2 of 3 test sentences"),
        ("token-classification", {"test_lengths": (4, 0, 0)}, "numbers of words of 3 of 3 test sentences"),
        ("token-classification", {"test_slices": (0, 1)}, "slices of 2 of 3 test sentences"),
        ("token-classification", {"test_slices": (0, 1, 2)}, "a slice of test that is none of the 2 slices"),
        ("token-classification", {"test_sets": ()}, "it was evaluated on 'tweets', which is none of its test sets"),
    ],
)
def test_facts_that_contradict_themselves_are_refused(task: str, changes: Any, contradiction: str) -> None:
    """Of the data set's own test set."""
    with pytest.raises(RecordError, match=contradiction):
        _read(_with_data(record_of_task(task), **changes))


def test_further_test_sets_are_checked_too() -> None:
    """Their facts, and the evaluations on them."""
    record = record_of_task("multi-label")
    assert record.data is not None
    (tweets,) = record.data.test_sets
    wrong: SetFacts = replace(tweets, test_groups=(0, 0))
    with pytest.raises(RecordError, match="texts of 2 of 3 test set tweets sentences"):
        _read(_with_data(record, test_sets=(wrong,)))
    forged = replace(record.tests["tweets"], accuracy=0.9)
    with pytest.raises(RecordError, match=r"the accuracy of test set tweets is 0\.9000"):
        _read(replace(record, tests={"tweets": forged}))
