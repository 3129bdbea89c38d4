"""Records that contradict themselves are not accepted, whatever their checksum."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import made_up
from freezebench.errors import RecordError
from freezebench.records.consistency import f1_score, read_record
from freezebench.records.saved_files import read_saved_run
from freezebench.records.store import Store, encode, record_key
from freezebench.report.experiment import read_experiments
from freezebench.scoring.examples import Examples
from freezebench.tasks.registry import TASKS

WHOLE = json.loads(json.dumps(made_up.record("emb", num_test=40).to_json()))


def _changed(path: tuple[str | int, ...], value: object) -> Any:
    """Return the record's JSON with one entry changed."""
    content = copy.deepcopy(WHOLE)
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return content


def test_a_record_that_agrees_with_itself_is_read() -> None:
    """It is the one that was written; an invalid run has nothing that could disagree."""
    assert read_record(WHOLE) == made_up.record("emb", num_test=40)
    broken = made_up.broken("emb")
    assert read_record(json.loads(json.dumps(broken.to_json()))) == broken


@pytest.mark.parametrize(
    ("path", "value", "contradiction"),
    [
        (("test", "accuracy"), 0.99, r"the accuracy of test is 0\.9900, and its predictions give 0\.\d+"),
        (("test", "f1"), 0.99, r"the F1 of test is 0\.9900, and its predictions give 0\.\d+"),
        (("test", "accuracy"), None, "the accuracy of test is –, and"),
        (("test", "loss"), -0.1, "the loss of test is -0.1"),
        (("test", "predictions"), [0] * 39, "39 predictions of test for 40 test sentences"),
        (("test", "predictions"), [], "0 predictions of test"),
        (("test", "predictions", 0), 2, "a prediction of test that is none of the 2 classes"),
        (("test", "predictions", 0), "1", r"test\.predictions\[0\]: '1' is no whole number"),
        (("test_before",), {"loss": 0.7, "accuracy": 0.5, "f1": 0.5, "predictions": [0, 1] * 20}, "of test_before"),
        (("data", "test_labels"), [0, 1] * 19, "38 labels of 40 test sentences"),
        (("data", "test_labels", 3), -1, "a test label that is none of the 2 classes"),
        (("data", "num_test"), 41, "40 labels of 41 test sentences"),
        (("data", "test_groups"), [0] * 3, "texts of 3 of 40 test sentences"),
        (
            ("data", "splits"),
            {"test": {"class_counts": [39, 1], "word_counts": [], "num_in_train": 0, "num_repeated": 0}},
            "the class counts of test are not those of its labels",
        ),
        (
            ("data", "splits"),
            {"train": {"class_counts": [9, 1], "word_counts": [], "num_in_train": 0, "num_repeated": 0}},
            "classes of 10 of 100 train sentences",
        ),
        (("best_epoch",), 0, "best epoch 0"),
        (("best_epoch",), 3, "best epoch 3"),
        (("best_epoch",), 2, "best epoch 2, and the losses on validation are least after another one"),
        (("best_epoch",), None, "best epoch None"),
        (("epochs", 1, "epoch"), 3, r"epochs \[1, 3\] of 2"),
        (("epochs",), [], r"epochs \[\] of 2"),
        (("epochs", 0, "train_loss"), 0.6, r"the training loss of epoch 1 is 0\.6000, and its steps give 0\.7000"),
        (("epochs", 0, "validation", "loss"), -1.0, "a loss of an epoch is negative"),
        (("epochs", 0, "validation", "accuracy"), 1.5, "an accuracy or F1 on validation is no share"),
        (("step_losses",), [0.7, 0.5, 0.5], "3 steps of 2 epochs"),
        (("step_losses", 1), None, "not finite"),
        (("num_trainable_params",), 1001, "1001 of 1000 parameters train"),
    ],
)
def test_a_contradiction_is_named(path: tuple[str | int, ...], value: object, contradiction: str) -> None:
    """Both figures are given where one follows from the other."""
    with pytest.raises(RecordError, match=contradiction):
        read_record(_changed(path, value))


def test_a_forged_record_in_the_store_is_set_aside(tmp_path: Path) -> None:
    """Its checksum and its name are right, and its accuracy is not that of its predictions."""
    store, record = Store(tmp_path), made_up.record("emb")
    assert record.test is not None
    forged = encode(made_up.record("emb", test=replace(record.test, accuracy=0.999)))
    key = record_key(record)
    assert key is not None
    (tmp_path / f"{key}.json").write_bytes(forged)
    assert store.load(key) is None
    (problem,) = store.problems
    assert "it contradicts itself: the accuracy of test is 0.9990, and its predictions give" in problem
    assert not (tmp_path / f"{key}.json").exists()
    assert len(list(tmp_path.glob("set-aside/*/*.json"))) == 1


def test_a_forged_record_in_a_report_is_refused(tmp_path: Path) -> None:
    """Neither a comparison nor a page is made of it."""
    run = _changed(("test", "accuracy"), 0.999)
    configurations = [{"freeze": "emb", "broken": None, "runs": [run]}]
    settings = {"margin_pp": 2.0}
    experiment = {"settings": settings, "configurations": configurations}
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"schema": 1, "experiments": [experiment]}), encoding="utf-8")
    for read in (read_saved_run, read_experiments):
        with pytest.raises(RecordError, match=r"contradicts itself: the accuracy of test is 0\.9990"):
            read(path)


@given(st.data(), st.integers(2, 4))
def test_f1_is_the_one_that_runs_record(data: st.DataObject, num_labels: int) -> None:
    """Two ways to compute it agree, classes that do not occur included."""
    classes = st.integers(0, num_labels - 1)
    pairs = data.draw(st.lists(st.tuples(classes, classes), min_size=1, max_size=30))
    labels, predictions = [label for label, _ in pairs], [prediction for _, prediction in pairs]
    names = tuple(map(str, range(num_labels)))
    examples = Examples(
        task="sequence-classification",
        labels=np.array(labels),
        predictions=np.array(predictions),
        scores=None,
        label_names=names,
    )
    expected = TASKS["sequence-classification"].f1(examples)
    assert f1_score(labels, predictions, num_labels) == pytest.approx(expected)
