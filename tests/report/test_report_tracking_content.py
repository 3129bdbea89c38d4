"""What trackers get: the figures and words of the report, and nothing that was not measured."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import experiments
import made_up
from freezebench.report.experiment import Experiment
from freezebench.report.summary import summarize
from freezebench.report.tracking.base import LoggedExperiment, LoggedRun
from freezebench.report.tracking.content import FIGURES, logged
from freezebench.verdicts.judge import judge


@pytest.fixture(scope="module")
def measured() -> Experiment:
    """An experiment with everything measured."""
    return experiments.experiment()


def _run(content: LoggedExperiment, name: str) -> LoggedRun:
    return next(run for run in content.runs if run.name == name)


def test_every_run_has_its_parameters_figures_and_losses(measured: Experiment) -> None:
    """Named as in ``report.json``; the losses over the training steps."""
    content = logged(measured)
    assert len(content.runs) == len(measured.records) == 12
    run = _run(content, "emb+L0, seed 43")
    record = next(item for item in measured.records if (item.spec.freeze, item.spec.seed) == ("emb+L0", 43))
    expected = {"model": "tiny", "data.source": "made-up", "freeze": "emb+L0", "seed": 43, "learning_rate": 5e-5}
    expected |= {"num_epochs": 2, "device": "cuda:0", "num_params": 1000, "num_train": 100}
    assert expected.items() <= run.parameters.items()
    assert record.test is not None
    figures = {"test/accuracy": record.test.accuracy, "train_s": record.value("train_s"), "energy_j": 243.0}
    assert figures.items() <= run.metrics.items()
    assert run.series["train/loss"] == [(1, 0.7 + 43 / 1e6), (2, 0.5)]
    assert [step for step, _ in run.series["validation/accuracy"]] == [1, 2]
    assert (run.tags["run_id"], run.tags["status"]) == (record.spec.run_id, "completed")
    assert not any("verdict" in name for name in (*run.tags, *run.metrics))


def test_what_was_not_measured_is_not_logged() -> None:
    """Not as zero, and not as text."""
    experiment = experiments.experiment(everything=False)
    content = logged(experiment)
    assert all("cpu_energy_j" in record.readings for record in experiment.records)
    assert not any("cpu_energy_j" in run.metrics for run in content.runs)
    assert not any(name.startswith(("energy_j/", "energy_saving/")) for name in content.metrics)
    assert all(value is not None for run in content.runs for value in (*run.metrics.values(), *run.parameters.values()))


def test_the_experiment_has_verdicts_and_figures_of_every_configuration(measured: Experiment) -> None:
    """Those of the table, the recommendation, and what all runs share."""
    content = logged(measured)
    assert content.tags["verdict/emb"] == "non-inferior"
    assert content.tags["verdict/emb+L0-1"] == "inferior"
    assert content.tags["recommended"] == "emb+L0"
    assert content.tags["answer"] == measured.summary.answer.headline
    assert measured.summary.answer.headline in content.answer
    for row in measured.rows:
        of_row = {name: value for name in FIGURES if (value := row.figures()[name]) is not None}
        assert {name: content.metrics[f"{name}/{row.freeze}"] for name in of_row} == of_row
    assert content.parameters["model"] == "tiny"
    assert content.parameters["margin_pp"] == 2.0
    assert not {"freeze", "seed", "num_trainable_params"} & set(content.parameters)
    assert [entry["freeze"] for entry in content.table] == ["none", "emb", "emb+L0", "emb+L0-1"]


def test_reused_runs_say_so(measured: Experiment) -> None:
    """Where it is known, as in a session; a saved report does not know it."""
    first = measured.records[0].spec.run_id
    tags = {run.tags["run_id"]: run.tags["reused"] for run in logged(measured, reused={first}).runs}
    assert {run_id for run_id, reused in tags.items() if reused == "true"} == {first}
    assert set(tags.values()) == {"true", "false"}
    assert not any("reused" in run.tags for run in logged(measured).runs)


def test_invalid_runs_are_logged_as_such() -> None:
    """With the reason, and without figures of their configuration."""
    content = logged(experiments.broken_experiment())
    assert {(run.is_valid, run.tags["status"]) for run in content.runs} == {(False, "invalid")}
    assert all(run.tags["reason"] for run in content.runs)
    assert content.metrics == {}
    assert content.tags["verdict/emb"] == "invalid"
    assert "recommended" not in content.tags


def test_losses_that_are_not_finite_are_left_out() -> None:
    """JSON has no number for them, and neither have all trackers."""
    record = replace(made_up.broken("none"), step_losses=(0.7, float("nan"), float("inf")))
    requested = experiments.settings()
    result = judge("none", [record], [record], margin_pp=2.0, limit_pp=None)
    content = logged(Experiment.of(requested, summarize([result], requested)))
    assert content.runs[0].series["train/loss"] == [(1, 0.7)]


def test_configurations_that_were_not_run_have_a_verdict_alone() -> None:
    """The one that they are the same as."""
    content = logged(experiments.not_run_experiment())
    assert (content.runs, content.metrics) == ([], {})
    assert content.tags["verdict/emb"] == "same as none"


def test_nothing_of_the_environment_is_logged(measured: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """No value of a variable, and no name of the machine or the user."""
    for name in ("HF_TOKEN", "WANDB_API_KEY", "USER", "LOGNAME", "HOSTNAME"):
        monkeypatch.setenv(name, f"secret-{name}")
    content = logged(measured)
    texts = [content.parameters, content.tags, *(run.parameters | run.tags for run in content.runs)]  # type: ignore[operator]
    assert "secret-" not in json.dumps(texts) + content.markdown + content.answer
