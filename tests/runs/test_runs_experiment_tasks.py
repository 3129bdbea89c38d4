"""Whole runs of every task: strategies, further test sets, words that are cut off, and what is recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cached_runs import PROTOCOL, write_encoder
from freezebench.records.consistency import read_record
from freezebench.records.evaluated import examples_of
from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec, NamedSource
from freezebench.specs.names import TASKS, TaskName
from freezebench.specs.run import RunSpec
from task_data import NAMES, write_task_data
from tiny import write_model

pytestmark = pytest.mark.usefixtures("one_thread")
_PROTOCOL = replace(PROTOCOL, batch_order="bucketed", prefix_mode="eval")


def _spec(folder: Path, task: TaskName, freeze: str = "emb", **changes: Any) -> RunSpec:
    """Return a run on a new encoder and made-up data."""
    data = write_task_data(folder / "data", task)
    model = write_encoder("distilbert", folder / "model", "AutoModel")
    return RunSpec(
        model=str(model), data=DataSpec(source=str(data)), freeze=freeze, device="cpu", protocol=_PROTOCOL, **changes
    )


@pytest.mark.parametrize("task", TASKS)
def test_a_record_holds_what_verdicts_need(tmp_path: Path, task: TaskName) -> None:
    """Scores of all test sets, none of validation, and predictions that follow from them; it agrees with itself."""
    other = write_task_data(tmp_path / "other", task, (8, 8, 12))
    spec = _spec(tmp_path, task)
    further = (NamedSource(name="other", source=str(other / "test.jsonl")),)
    protocol = replace(_PROTOCOL, evaluate_before=True)
    record = run(replace(spec, data=replace(spec.data, test_sets=further), protocol=protocol))
    assert record.is_valid, record.reason
    assert record.test is not None
    assert record.test_before is not None
    assert set(record.tests) == {"other"}
    assert all(evaluation.scores for evaluation in (record.test, record.test_before, record.tests["other"]))
    assert {epoch.validation.scores for epoch in record.epochs} == {None}
    assert record.data is not None
    assert (record.data.task, record.data.label_names) == (task, NAMES[task])
    assert read_record(record.to_json()) == record
    for name, num in (("", record.data.num_test), ("other", 12)):
        examples = examples_of(record, name)
        assert len(examples) == num
        assert examples.scores is not None
        if task == "regression":
            assert np.array_equal(examples.predictions, examples.scores[:, 0])


def test_a_further_test_set_changes_nothing_else(tmp_path: Path) -> None:
    """It is evaluated beside the own one."""
    spec = _spec(tmp_path, "token-classification")
    further = (NamedSource(name="again", source=str(Path(spec.data.source) / "test.jsonl")),)
    plain, with_set = run(spec), run(replace(spec, data=replace(spec.data, test_sets=further)))
    assert with_set.tests["again"] == with_set.test == plain.test
    assert with_set.step_losses == plain.step_losses


@pytest.mark.parametrize("freeze", ["emb+bitfit", "emb+lora(r=2)", "lpft", "emb+L0+unfreeze", "emb+llrd"])
def test_strategies_train_classifiers_of_words(tmp_path: Path, freeze: str) -> None:
    """The cached engine does so as the standard one."""
    if "lora" in freeze:
        pytest.importorskip("peft", reason="the extra `peft` is not installed")
    spec = _spec(tmp_path, "token-classification", freeze)
    cached, standard = run(spec), run(replace(spec, protocol=replace(_PROTOCOL, engine="standard")))
    assert cached.is_valid, cached.reason
    assert cached.test is not None
    assert standard.test is not None
    assert cached.step_losses == pytest.approx(standard.step_losses, abs=1e-4)
    assert cached.test.predictions == standard.test.predictions
    assert cached.new_parameters == ("classifier.weight", "classifier.bias")


def test_words_beyond_the_longest_input_are_warned_of(tmp_path: Path) -> None:
    """They count as predicted outside, with every engine."""
    spec = _spec(tmp_path, "token-classification")
    records = [
        run(replace(spec, protocol=replace(_PROTOCOL, max_length=5, engine=engine)))
        for engine in ("standard", "cached")
    ]
    for record in records:
        assert record.is_valid, record.reason
        assert record.data is not None
        (warning,) = (text for text in record.warnings if "have no token" in text)
        assert " words of test have no token, since inputs are cut to 5 tokens" in warning
        examples = examples_of(record)
        assert examples.scores is not None
        is_filled = (np.sort(examples.scores, axis=1)[:, :-1] == 0).all(axis=1)
        assert 0 < int(is_filled.sum()) < len(is_filled)
        assert set(examples.predictions[is_filled]) == {record.data.label_names.index("O")}
    assert records[0].test is not None
    assert records[1].test is not None
    assert records[0].test.predictions == records[1].test.predictions


def test_a_fine_tuned_head_of_the_task_is_kept(tmp_path: Path) -> None:
    """Its classes are in the order of its configuration, and nothing of it is new."""
    spec = _spec(tmp_path, "token-classification")
    saved = tmp_path / "saved"
    saved.mkdir()
    first = run(spec, save_to=saved)
    again = run(replace(spec, model=str(saved), protocol=replace(_PROTOCOL, evaluate_before=True)))
    assert again.new_parameters == ()
    assert again.test_before is not None
    assert first.test is not None
    assert again.test_before.predictions == first.test.predictions


def test_a_stated_task_wins_over_the_head(tmp_path: Path) -> None:
    """The head is new then, although the checkpoint has one of the same shape."""
    model, data = write_model(tmp_path / "model"), write_task_data(tmp_path / "data", "regression")
    source = DataSpec(source=str(data), task="regression")
    record = run(RunSpec(model=str(model), data=source, freeze="emb", device="cpu", protocol=_PROTOCOL))
    assert record.is_valid, record.reason
    assert record.new_parameters is not None
    assert "pre_classifier.weight" in record.new_parameters
