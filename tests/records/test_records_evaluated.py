"""Tests of the evaluated examples of a record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from freezebench.errors import RecordError, UnknownNameError
from freezebench.records.evaluated import examples_of
from freezebench.records.scores import pack_scores
from made_up import record


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
