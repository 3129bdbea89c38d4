"""Metric, task and test sets of saved runs."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freezebench.errors import RecordError
from freezebench.records.data_facts import SetFacts
from freezebench.records.run_record import RunRecord
from freezebench.records.saved import SavedConfiguration, from_records
from freezebench.records.saved_files import read_saved_run
from freezebench.records.saved_info import from_info, to_info
from freezebench.records.scores import pack_scores
from freezebench.scoring.metric import Metric
from freezebench.scoring.metrics import METRICS
from made_up import record, seeds
from saved_runs import write


def _read(saved: SavedConfiguration) -> SavedConfiguration:
    """Return a configuration as a file keeps it."""
    return from_info(json.loads(json.dumps(to_info(saved), allow_nan=False)), saved.node_id)


def _regression(seed: int = 42) -> RunRecord:
    """Return a run of regression."""
    run = record("emb", seed, num_test=40)
    assert run.test is not None
    assert run.data is not None
    values = np.linspace(1, 5, 40)
    scores = (values + np.random.default_rng(seed).normal(size=40)).astype(np.float32)[:, np.newaxis]
    facts = replace(run.data, task="regression", test_labels=(), test_values=tuple(values), label_names=("stars",))
    test = replace(run.test, accuracy=None, f1=None, predictions=(), scores=pack_scores(scores))
    return replace(run, data=facts, test=test)


def test_outcomes_of_another_metric_come_back() -> None:
    """Their mean is the metric of every run, to the precision of float32."""
    before = from_records("emb", seeds("emb", num_test=40), metric=METRICS["f1"], node_id="t.py::test_it[emb]")
    after = _read(before)
    assert (after.metric.name, after.task, after.too_few) == ("f1", "sequence-classification", None)
    for run, own, old in zip(seeds("emb", num_test=40), after.runs, before.runs, strict=True):
        assert run.test is not None
        assert own.outcomes.mean() == pytest.approx(run.test.f1, abs=1e-6)
        assert np.allclose(own.outcomes, old.outcomes, atol=1e-5)


def test_accuracy_of_classification_is_saved_as_before() -> None:
    """Files of this version can be read by earlier ones, and the other way round."""
    info = to_info(from_records("emb", seeds("emb")))
    assert not {"metric", "task", "test_sets", "too_few", "metric_unit"} & set(info)
    assert _read(from_records("emb", seeds("emb"))).metric.name == "accuracy"


def test_a_unit_of_its_own_and_the_direction_come_back() -> None:
    """Of regression, the usual metric is saved, or the one that judged."""
    runs = [_regression(seed) for seed in (1, 2)]
    assert from_records("emb", runs).metric.name == "pearson"
    after = _read(from_records("emb", runs, metric=METRICS["rmse"]))
    assert (after.metric, after.task) == (METRICS["rmse"], "regression")
    assert [run.outcomes.mean() for run in after.runs] == pytest.approx([1.0, 1.0], abs=0.3)


def test_a_function_of_another_project_is_not_imported() -> None:
    """Its name, unit and direction are read from the file."""
    own = Metric(
        name="no_such_module:loss",
        label="loss",
        tasks=("sequence-classification",),
        value=lambda _: 0.5,
        contributions=lambda examples: np.full(len(examples), 0.5),
        unit="nats",
        higher_is_better=False,
    )
    metric = _read(from_records("emb", seeds("emb", num_test=40), metric=own)).metric
    assert (metric.name, metric.unit, metric.higher_is_better) == ("no_such_module:loss", "nats", False)


def test_test_sets_come_back_by_name() -> None:
    """Each with its content hash."""
    run = record("emb")
    assert run.data is not None
    further = SetFacts(name="tweets", source="x", num_test=2, test_sha256="ff", test_labels=(0, 1))
    saved = from_records("emb", [replace(run, data=replace(run.data, test_sets=(further,)))])
    assert _read(saved).test_sets == {"tweets": "ff"}


def test_too_few_examples_are_kept() -> None:
    """A comparison with such a run must decide nothing."""
    own = replace(METRICS["macro-f1"], too_few_labels=lambda _: "9 examples of class b")
    assert _read(from_records("emb", seeds("emb", num_test=40), metric=own)).too_few == "9 examples of class b"


def test_a_metric_without_a_value_breaks_the_configuration() -> None:
    """Nothing can be compared with it."""
    own = replace(METRICS["mcc"], value=lambda _: float("nan"), leave_one_out=lambda examples: np.zeros(len(examples)))
    saved = from_records("emb", seeds("emb", num_test=40), metric=own)
    assert saved.broken == f"{own.label} has no value in some run"
    assert _read(saved).broken == saved.broken


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": 5}, "is none that can be compared"),
        ({"task": "ner"}, "is none that can be compared"),
        ({"metric_unit": "miles"}, "is none that can be compared"),
        ({"higher_is_better": "yes"}, "is none that can be compared"),
        ({"test_sets": ["tweets"]}, "no names with hashes"),
        ({"test_sets": {"tweets": 3}}, "no names with hashes"),
        ({"too_few": 9}, "'too_few' is missing or no str"),
    ],
    ids=str,
)
def test_damaged_properties_are_refused(changes: dict[str, Any], message: str) -> None:
    """One sentence says which entry is damaged."""
    info = copy.deepcopy(to_info(from_records("emb", seeds("emb", num_test=40), metric=METRICS["macro-f1"])))
    with pytest.raises(RecordError, match=message):
        from_info({**info, **changes}, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": 0.1}, "but 0.1 was saved"),
        ({"value": None}, "but None was saved"),
        ({"num_test": 39}, "do not fit"),
        ({"num_test": 0}, "do not fit|but .* was saved"),
        ({"num_test": 10**12}, "do not fit"),
        ({"outcomes_base64": None}, "is no str"),
        ({"outcomes_base64": "AAAA"}, "do not fit"),
    ],
    ids=str,
)
def test_damaged_outcomes_are_refused(changes: dict[str, Any], message: str) -> None:
    """Lengths are checked before memory is used."""
    info: Any = copy.deepcopy(
        to_info(from_records("emb", seeds("emb", num=1, num_test=40), metric=METRICS["macro-f1"]))
    )
    info["runs"][0] |= changes
    with pytest.raises(RecordError, match=message):
        from_info(info, None)


def _report(metric: str | None) -> dict[str, Any]:
    """Return the content of a report whose experiment has a metric."""
    runs = [json.loads(json.dumps(run.to_json())) for run in seeds("emb", num_test=40)]
    configuration = {"freeze": "emb", "broken": None, "runs": runs}
    return {"schema": 1, "experiments": [{"settings": {"metric": metric}, "configurations": [configuration]}]}


def test_a_report_has_the_metric_of_its_experiment(tmp_path: Path) -> None:
    """One of an earlier version has none, which is accuracy; a function of a project is not imported."""
    for name, expected in (("macro-f1", "macro-f1"), (None, "accuracy")):
        (read,) = read_saved_run(write(tmp_path / "report.json", _report(name))).configurations
        assert read.metric.name == expected
    file = write(tmp_path / "report.json", _report("os:remove"))
    with pytest.raises(RecordError, match=r"judged by 'os:remove', a function that is not imported.*--benchmark-save"):
        read_saved_run(file)
