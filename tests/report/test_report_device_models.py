"""Tables whose seeds trained on devices of several models."""

from __future__ import annotations

from dataclasses import replace

import pytest

import made_up
from experiments import summary_settings
from freezebench.records.device_models import OTHER_MODEL
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.report.breakdown import breakdowns
from freezebench.report.device_models import device_models_sentence
from freezebench.report.experiment import Experiment
from freezebench.report.markdown import results_table
from freezebench.report.notebook_metrics import NOTEBOOK_METRICS, mean_of
from freezebench.report.rows import rows_of, table_model
from freezebench.report.summary import summarize
from freezebench.verdicts.judge import ConfigurationResult, judge
from freezebench.verdicts.notebook_claims import conclusions

# Each seed trained all arms on one device. The T4 takes ten times as long, most of all without freezing.
DEVICES = ("T4", "A100", "A100", "L4")
SECONDS = {"T4": (900.0, 100.0), "A100": (20.0, 10.0), "L4": (60.0, 50.0)}
GIB = {"T4": 9.0, "A100": 2.0, "L4": 5.0}


def _run(freeze: str, index: int) -> RunRecord:
    model = DEVICES[index]
    seconds = SECONDS[model][freeze != "none"]
    costs = {
        "train_s": (seconds, "s"),
        "samples_per_s": (200 / seconds, "1/s"),
        "energy_j": (100 * seconds, "J"),
        "peak_allocated_bytes": (GIB[model] * 2**30, "B"),
    }
    readings = {name: Reading(value=value, unit=unit, source="made up") for name, (value, unit) in costs.items()}
    # The seed on the L4 is the least accurate one, and counts all the same.
    accuracy = 0.8 if model == "L4" else 0.9
    run = made_up.record(freeze, 42 + index, accuracy=accuracy, device="cuda:0", device_name=model)
    return replace(run, readings=readings, precision="bf16")


@pytest.fixture
def results() -> list[ConfigurationResult]:
    """Return the results of none and emb, and of a configuration that trained on the T4 alone."""
    arms = {freeze: [_run(freeze, index) for index in range(len(DEVICES))] for freeze in ("none", "emb")}
    arms["emb+L0"] = [_run("emb+L0", 0)]
    pairs = {"emb+L0": arms["none"][:1]}
    return [
        judge(freeze, runs, pairs.get(freeze, arms["none"]), margin_pp=2.0, limit_pp=None)
        for freeze, runs in arms.items()
    ]


def test_the_costs_of_a_table_are_of_the_model_of_most_runs(results: list[ConfigurationResult]) -> None:
    """Time, throughput, energy, memory and speed-up leave the other models out; accuracy counts every seed."""
    none, emb, deep = rows_of(results)
    assert table_model(results) == "A100"
    assert (none.train_s, emb.train_s, emb.energy_j, emb.peak_memory_bytes) == (20.0, 10.0, 1000.0, 2.0**31)
    assert [emb.speedup, emb.energy_saving, emb.num_seeds] == pytest.approx([2.0, 0.5, 4])
    assert emb.accuracy == pytest.approx(sum(run.value("accuracy") or 0.0 for run in results[1].records) / 4)
    assert (deep.device_name, deep.train_s, deep.peak_memory_bytes, deep.speedup) == ("A100", None, None, None)
    assert (deep.speedup_reason, deep.accuracy is not None) == (OTHER_MODEL, True)


def test_the_seeds_on_other_models_are_named(results: list[ConfigurationResult]) -> None:
    """The title has every model, the sentence the seeds that count for accuracy alone."""
    summary = summarize(results, summary_settings())
    assert "; T4 and A100 and L4 (cuda:0, bf16); " in summary.title
    sentence = device_models_sentence(summary.rows)
    assert sentence in summary.lines
    assert sentence == (
        "Devices: time, energy and memory are those of A100 only, since models of devices are not compared. "
        "These runs count for accuracy only: seed 42 on T4; seed 45 on L4."
    )
    assert device_models_sentence(rows_of(results[2:])) is None
    assert "20.0" in results_table(summary)
    assert "900" not in results_table(summary)


def test_nothing_ranks_times_across_models(results: list[ConfigurationResult]) -> None:
    """Breakdown, pictures, notebook metrics and the notebook's claims take the same runs."""
    experiment = Experiment.of(summary_settings(), summarize(results, summary_settings()))
    assert {record.device_name for record in experiment.cost_records} == {"A100"}
    assert [part.warm for part in breakdowns(results)] == [pytest.approx(1.0), pytest.approx(2.0)]
    model = table_model(results)
    assert mean_of(results[0].records, NOTEBOOK_METRICS["train time (s)"], model) == 20.0
    assert mean_of(results[0].records, NOTEBOOK_METRICS["test accuracy (%)"], model) == pytest.approx(87.5, abs=1)
    # Over all models the median of emb would be 30 s, more than the 20 s of no freezing on an A100.
    sweet_spot = conclusions(results[:2], 2.0)[2]
    assert "was not faster" not in sweet_spot.sentence
