"""Whether a baseline has learned anything."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

import made_up
import made_up_scores
from freezebench.records.data_facts import DataFacts, SplitFacts
from freezebench.records.run_record import RunRecord
from freezebench.scoring.metrics import METRICS
from freezebench.specs.names import TaskName
from freezebench.verdicts.baseline import baseline_fault, constant_loss, frequencies_loss, lead_pp, one_class_fault


def _split(*class_counts: int) -> SplitFacts:
    return SplitFacts(class_counts=class_counts, word_counts=(sum(class_counts),), num_in_train=0, num_repeated=0)


def _data(record: RunRecord, **class_counts: tuple[int, ...]) -> DataFacts:
    assert record.data is not None
    return replace(record.data, splits={name: _split(*counts) for name, counts in class_counts.items()})


def _validated(record: RunRecord, *losses: float) -> RunRecord:
    """Return a run on balanced training and validation data with these validation losses."""
    epochs = tuple(
        replace(record.epochs[0], epoch=number, validation=replace(record.epochs[0].validation, loss=loss))
        for number, loss in enumerate(losses, 1)
    )
    return replace(record, epochs=epochs, data=_data(record, train=(50, 50), validation=(25, 25)))


def _kind(records: list[RunRecord], alpha: float = 0.05) -> str | None:
    fault = baseline_fault(records, alpha=alpha)
    return None if fault is None else fault.kind


@pytest.mark.parametrize("num", [1, 3])
def test_a_sound_baseline_has_no_fault(num: int) -> None:
    """One seed suffices where the sentences show it."""
    assert _kind(made_up.seeds("none", num=num)) is None
    assert baseline_fault([], alpha=0.05) is None


@pytest.mark.parametrize("accuracy", [0.3, 0.47, 0.52])
def test_accuracy_not_above_the_majority_class_is_a_fault(accuracy: float) -> None:
    """Below, at, or above it by no more than chance; the sentence has the figures and how it was trained."""
    fault = baseline_fault(made_up.seeds("none", accuracy=accuracy), alpha=0.05)
    assert fault is not None
    assert fault.kind == "not_above_majority"
    assert "over 3 seeds is not shown to be above that of always predicting one class" in fault.sentence
    assert "class negative has 50.0 % of the test sentences; trained for 2 epochs at the rate 5e-05" in fault.sentence


def test_a_nearly_constant_baseline_is_a_fault() -> None:
    """997 sentences of one class and 3 of the other are no better than 1000."""
    labels = [0, 1] * 500
    predictions = [0] * 1000
    for index in (1, 3, 5):
        predictions[index] = 1
    assert _kind(made_up.predicting("none", labels, predictions)) == "not_above_majority"
    # Where the other class is rare, three of its sentences are shown no more.
    rare = [1] * 30 + [0] * 970
    assert _kind(made_up.predicting("none", rare, [1] * 1 + [0] * 999)) == "not_above_majority"
    assert _kind(made_up.predicting("none", rare, [1] * 20 + [0] * 980)) is None


def test_the_error_rate_of_guessing_is_that_of_the_look() -> None:
    """Runs that guess pass at most about as often as the bound may err."""
    draw = np.random.default_rng(3)
    labels = [0, 1] * 100
    passed = 0
    for _ in range(300):
        runs = [made_up.predicting("none", labels, draw.integers(0, 2, 200).tolist())[index] for index in range(3)]
        passed += _kind(runs) is None
    assert passed <= 300 * 0.05 + 3 * math.sqrt(300 * 0.05)


def test_one_class_is_a_fault_of_a_single_run() -> None:
    """No further run repairs it; the sentence says it once, with the share of the most frequent class."""
    fault = one_class_fault([made_up.record(), made_up.one_class("none", 43)])
    assert fault is not None
    assert fault.sentence == (
        "seed 43 predicts one class for every test sentence (class negative); "
        "class negative has 50.0 % of the test sentences; trained for 2 epochs at the rate 5e-05"
    )
    assert one_class_fault(made_up.seeds("none")) is None


def test_a_validation_loss_that_never_fell_is_a_fault() -> None:
    """In no epoch of any seed; one epoch below that of the frequencies suffices."""
    records = [_validated(record, 0.72, 0.70) for record in made_up.seeds("none")]
    fault = baseline_fault(records, alpha=0.05)
    assert fault is not None
    assert fault.kind == "loss_not_below_frequencies"
    assert "never fell below 0.693" in fault.sentence
    assert "the lowest is 0.700" in fault.sentence
    assert _kind([*records[:2], _validated(records[2], 0.68, 0.9)]) is None
    assert _kind([_validated(record, math.nan, 0.9) for record in records]) == "loss_not_below_frequencies"


def test_old_records_without_counts_are_not_judged_by_their_loss() -> None:
    """Their accuracy is."""
    records = [replace(_validated(record, 0.9), data=made_up.record().data) for record in made_up.seeds("none")]
    assert _kind(records) is None


def test_the_loss_of_the_frequencies_is_a_cross_entropy() -> None:
    """Of the split's labels under the frequencies in training."""
    data = _data(made_up.record(), train=(75, 25), validation=(10, 30), test=(5, 5))
    assert frequencies_loss(data, "train") == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    assert frequencies_loss(data, "validation") == pytest.approx(-0.25 * math.log(0.75) - 0.75 * math.log(0.25))
    assert frequencies_loss(_data(made_up.record(), train=(9, 0), validation=(1, 1)), "validation") == math.inf
    plain = made_up.record().data
    assert plain is not None
    assert frequencies_loss(plain, "validation") is None


def test_equal_predictions_are_a_fault_only_with_equal_losses() -> None:
    """Two of several seeds suffice."""
    assert _kind([*made_up.alike("none", 42, 43), made_up.record("none", 44)]) == "same_seeds"
    first = made_up.record()
    alike = [replace(run, test=first.test) for run in made_up.seeds("none", num=5)]
    assert _kind(alike) is None


def test_two_seeds_that_both_learned_are_enough_however_they_differ() -> None:
    """With one degree of freedom the bound of their mean is far below guessing, and says nothing of them."""
    assert _kind([made_up.record("none", 42, accuracy=0.95), made_up.record("none", 43, accuracy=0.8)]) is None


def test_more_seeds_may_help_where_the_sentences_suffice() -> None:
    """Seeds that differ much need more of them; seeds that guess do not get better by number."""
    far_apart = [made_up.record("none", 42, accuracy=0.95), made_up.record("none", 43, accuracy=0.52)]
    fault = baseline_fault(far_apart, alpha=0.05)
    assert fault is not None
    assert (fault.kind, fault.more_seeds_may_help) == ("not_above_majority", True)
    guessing = baseline_fault(made_up.seeds("none", accuracy=0.47), alpha=0.05)
    assert guessing is not None
    assert not guessing.more_seeds_may_help


@pytest.mark.parametrize("name", ["macro-f1", "auroc", "mcc", "balanced-accuracy", "ece"])
def test_a_good_model_on_lopsided_data_is_fit_in_metrics_that_show_it(name: str) -> None:
    """With 97 % of one class its accuracy is not above that of the most frequent class, but its metric is."""
    shares = (0.97, 0.0, 0.03)
    records = made_up_scores.runs("sequence-classification", shares=shares, num_test=1000, noise=0.3)
    weak = [
        replace(record, test=record.test)
        for record in made_up_scores.runs(
            "sequence-classification", shares=shares, num_test=1000, noise=0.3, blind={0: 1.2}
        )
    ]
    assert _kind(weak) == "not_above_majority"
    assert baseline_fault(weak, alpha=0.05, metric=METRICS["auroc"]) is None
    assert baseline_fault(records, alpha=0.05, metric=METRICS[name]) is None


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("sequence-classification", "macro-f1"),
        ("sequence-classification", "auroc"),
        ("sequence-classification", "mcc"),
        ("multi-label", "auroc"),
        ("regression", "pearson"),
        ("regression", "rmse"),
    ],
)
def test_a_model_that_guesses_has_a_fault_in_every_metric(task: TaskName, name: str) -> None:
    """Scores without any signal are not shown to be better than a constant prediction."""
    metric = METRICS[name]
    fault = baseline_fault(made_up_scores.runs(task, noise=1e6), alpha=0.05, metric=metric)
    assert fault is not None
    assert fault.kind == "not_above_majority"
    shown = "Matthews correlation" if name == "macro-f1" else metric.label
    assert f"its test {shown} of " in fault.sentence
    assert "over 3 seeds is not shown to be better than that of the best constant prediction" in fault.sentence
    # A signed number in brackets would read as the value of the constant prediction.
    lead = lead_pp(made_up_scores.runs(task, noise=1e6), METRICS["mcc"] if name == "macro-f1" else metric)
    assert lead is not None
    assert re.search(rf"prediction \(it is \d[\d.]* .* {'better' if lead > 0 else 'worse'}\)", fault.sentence)


def test_the_loss_of_the_best_constant_prediction_is_the_recorded_one() -> None:
    """Of a task without classes only the record has it; early records of classes have counts."""
    split = replace(_split(), constant_loss=0.25)
    runs = [
        replace(record, data=record.data and replace(record.data, splits={"train": _split(), "validation": split}))
        for record in made_up_scores.runs("regression")
    ]
    fault = baseline_fault(runs, alpha=0.05, metric=METRICS["pearson"])
    assert fault is not None
    assert fault.sentence.startswith(
        "its validation loss never fell below 0.250, that of the best constant prediction: the lowest is 0.300"
    )
    without = made_up_scores.runs("regression")[0].data
    assert without is not None
    assert constant_loss(without, "validation") is None
    counted = _data(made_up.record(), train=(50, 50), validation=(25, 25))
    assert constant_loss(counted, "validation") == frequencies_loss(counted, "validation")


def test_the_lead_is_in_the_unit_of_the_metric() -> None:
    """Calibration says nothing about what was learned."""
    records = made_up_scores.runs("sequence-classification")
    assert lead_pp(records, METRICS["ece"]) is None
    nats, points = lead_pp(records, METRICS["log-loss"]), lead_pp(records, METRICS["macro-f1"])
    assert nats is not None
    assert points is not None
    assert 0 < nats < 1 < points


def test_too_few_examples_are_no_fault_of_the_baseline() -> None:
    """The verdict says that the examples are too few."""
    metric = replace(METRICS["mcc"], too_few_labels=lambda _: "3 examples of class b")
    assert baseline_fault(made_up_scores.runs("sequence-classification", noise=1e6), alpha=0.05, metric=metric) is None
