"""Tests of the evaluated examples of a record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from freezebench.errors import RecordError, UnknownNameError
from freezebench.records.evaluated import examples_of
from freezebench.records.scores import pack_scores
from made_up import record
from task_records import OTHER_TASKS, record_of_task


def test_classes_and_predictions_are_those_of_the_record() -> None:
    """A run of classification has one row per sentence."""
    run = record()
    assert run.data is not None
    assert run.test is not None
    examples = examples_of(run)
    assert tuple(examples.labels) == run.data.test_labels
    assert tuple(examples.predictions) == run.test.predictions
    assert examples.scores is None


def test_scores_are_unpacked() -> None:
    """They have one row per sentence, and one column per class."""
    run = record()
    assert run.data is not None
    assert run.test is not None
    shape = len(run.data.test_labels), len(run.data.label_names)
    scores = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    run = replace(run, test=replace(run.test, scores=pack_scores(scores)))
    unpacked = examples_of(run).scores
    assert unpacked is not None
    assert np.array_equal(unpacked, scores)


def test_another_test_set_is_looked_up_by_name() -> None:
    """One that does not exist, or on which the run was not evaluated, is an error."""
    with pytest.raises(RecordError, match="was not evaluated on the test set 'tweets'"):
        examples_of(record(), "tweets")
    run = record()
    assert run.test is not None
    with pytest.raises(UnknownNameError, match="there is no test set 'tweets'"):
        examples_of(replace(run, tests={"tweets": run.test}), "tweets")


@pytest.mark.parametrize("test_set", ["", "tweets"])
def test_other_tasks_have_labels_of_their_own(test_set: str) -> None:
    """Numbers, 0 or 1 for each label, or a class for each word."""
    numbers = examples_of(record_of_task("regression"), test_set)
    assert numbers.labels.tolist() == [0.5, 1.0, 2.5]
    assert numbers.predictions.tolist() == [0.5, 1.5, 2.0]
    several = examples_of(record_of_task("multi-label"), test_set)
    assert several.labels.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert several.predictions.tolist() == [[1, 0], [0, 1], [1, 1]]
    words = examples_of(record_of_task("token-classification"), test_set)
    assert (words.labels.tolist(), words.predictions.tolist()) == ([1, 2, 0, 0], [1, 2, 0, 1])
    assert words.lengths is not None
    assert (words.lengths.tolist(), len(words)) == ([2, 1, 1], 3)


@pytest.mark.parametrize("task", OTHER_TASKS)
def test_scores_of_another_test_set_are_refused(task: str) -> None:
    """They have to fit the number of rows and outputs; numbers need them."""
    run = record_of_task(task)
    assert run.test is not None
    with pytest.raises(RecordError, match="characters of scores do not fit"):
        examples_of(replace(run, test=replace(run.test, scores="AAAA")))
    without = replace(run, test=replace(run.test, scores=None))
    if task == "regression":
        with pytest.raises(RecordError, match="has no scores or values"):
            examples_of(without)
    else:
        assert examples_of(without).scores is None
