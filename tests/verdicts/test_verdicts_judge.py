"""Results of configurations from their records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import made_up
import made_up_scores
from freezebench.records.run_record import Evaluation, RunRecord
from freezebench.records.scores import pack_scores
from freezebench.scoring.metric import Metric
from freezebench.scoring.metrics import METRICS
from freezebench.specs.names import TaskName
from freezebench.verdicts.arms import pooled_over
from freezebench.verdicts.contradictions import contradiction
from freezebench.verdicts.judge import ConfigurationResult, judge
from freezebench.verdicts.metric_values import metric_value, too_few

LIMITS: dict[str, Any] = {"margin_pp": 2.0, "limit_pp": 5.0}


def test_one_interval_is_judged_at_margin_and_limit() -> None:
    """A drop between margin and limit is inferior at the margin and non-inferior at the limit."""
    result = judge("emb", made_up.seeds("emb", accuracy=0.87), made_up.seeds("none", accuracy=0.9), **LIMITS)
    assert result.verdict is not None
    assert result.gate is not None
    assert (result.verdict.margin_pp, result.gate.margin_pp) == (2.0, 5.0)
    assert result.verdict.upper_pp == result.gate.upper_pp
    assert (result.verdict.outcome, result.gate.outcome) == ("inconclusive", "non_inferior")
    assert result.standing == "ok"


def test_a_large_drop_is_worse() -> None:
    """The whole interval is past the limit, so the test fails."""
    result = judge("emb", made_up.seeds("emb", accuracy=0.7), made_up.seeds("none", accuracy=0.9), **LIMITS)
    assert result.standing == "worse"


def test_without_a_limit_nothing_is_asserted() -> None:
    """The verdict at the margin is shown, and only broken runs fail a test."""
    arms = made_up.seeds("emb", accuracy=0.7), made_up.seeds("none", accuracy=0.9)
    result = judge("emb", *arms, margin_pp=2.0, limit_pp=None)
    assert result.gate is None
    assert result.standing == "no_limit"
    assert not result.is_asserted


def test_one_seed_is_undecided() -> None:
    """One seed cannot tell noise from freezing, however clear the figures look."""
    result = judge("emb", made_up.seeds("emb", num=1), made_up.seeds("none", num=1), **LIMITS)
    assert result.standing == "undecided"


def test_an_invalid_run_invalidates_its_configuration() -> None:
    """An invalid run is never part of an average."""
    records = [*made_up.seeds("emb", num=2), made_up.broken("emb", 44)]
    result = judge("emb", records, made_up.seeds("none"), **LIMITS)
    assert result.standing == "broken"
    assert result.broken == "seed 44: non-finite loss: at step 3"


def test_an_invalid_baseline_invalidates_every_candidate() -> None:
    """Nothing can be compared with an invalid baseline, even if no candidate was trained."""
    for records in (made_up.seeds("emb"), []):
        result = judge("emb", records, [made_up.broken("none")], **LIMITS)
        assert result.standing == "broken"
        assert str(result.broken) == "the unfrozen baseline is invalid"


def _constant(freeze: str, seed: int) -> RunRecord:
    record = made_up.record(freeze, seed)
    test = Evaluation(loss=0.7, accuracy=0.5, f1=0.0, predictions=(0,) * 400)
    return replace(record, test=test)


def test_constant_predictions_break_the_baseline() -> None:
    """A baseline that predicts one class is invalid."""
    constant = [_constant("none", 42 + index) for index in range(3)]
    assert judge("none", constant, constant, **LIMITS).standing == "broken"


@pytest.mark.parametrize("num_constant", [1, 3])
def test_a_candidate_of_one_class_fails_whatever_its_limit(num_constant: int) -> None:
    """On 97/3 data the drop is below the limit, and still the candidate is not safe and its test fails."""
    baseline = made_up.lopsided("none", 1)
    records = [*made_up.lopsided("emb", 0)[:num_constant], *made_up.lopsided("emb", 1)[num_constant:]]
    result = judge("emb", records, baseline, margin_pp=5.0, limit_pp=5.0)
    assert result.verdict is not None
    assert result.gate is not None
    assert (result.verdict.outcome, result.gate.outcome, result.standing) == ("inferior", "non_inferior", "worse")
    seeds = "seed 42 predicts" if num_constant == 1 else "seeds 42, 43 and 44 predict"
    assert result.class_loss == f"{seeds} one class for every test sentence (class negative)"
    (part,) = result.parts
    assert part.sentence == f"{result.class_loss}, and the unfrozen baseline predicts several"


def test_a_constant_candidate_without_a_limit_fails_no_test() -> None:
    """Nothing is asserted of it; it is not safe, though."""
    arms = made_up.lopsided("emb", 0), made_up.lopsided("none", 1)
    result = judge("emb", *arms, margin_pp=5.0, limit_pp=None)
    assert result.standing == "no_limit"
    assert result.verdict is not None
    assert result.verdict.outcome == "inferior"


def test_a_lost_class_is_not_safe_but_within_its_limit() -> None:
    """A limit on the accuracy accepts that a rare class disappears; the margin does not."""
    arms = made_up.three_classes("emb", (0, 1)), made_up.three_classes("none", (0, 1, 2))
    result = judge("emb", *arms, margin_pp=5.0, limit_pp=5.0)
    assert result.class_loss == "hardly recognised: class rare (recall 0.0 %, without freezing 100 %)"
    assert result.verdict is not None
    assert (result.verdict.outcome, result.standing) == ("inferior", "ok")


def test_a_class_of_two_sentences_may_be_missed() -> None:
    """Two sentences do not show that the unfrozen runs recognise the class."""
    arms = (
        made_up.three_classes("emb", (0, 1), num_rare=2),
        made_up.three_classes("none", (0, 1, 2), num_rare=2),
    )
    assert judge("emb", *arms, margin_pp=5.0, limit_pp=5.0).class_loss is None


def test_seeds_without_an_effect_break_the_baseline() -> None:
    """With identical predictions and losses the spread over seeds means nothing."""
    same = made_up.alike("none", 42, 43)
    assert "seeds 42 and 43 give identical predictions and losses" in str(judge("none", same, same, **LIMITS).broken)


def test_seeds_that_agree_on_every_sentence_are_no_fault() -> None:
    """Five sound seeds may predict alike on 90 sentences, right or wrong: their losses differ."""
    for accuracy in (0.9, 2.0):
        first = made_up.record("none", accuracy=accuracy, num_test=90)
        same = [replace(made_up.record("none", seed, num_test=90), test=first.test) for seed in range(42, 47)]
        assert judge("none", same, same, **LIMITS).standing == "no_limit"


def test_a_baseline_that_guesses_breaks_all() -> None:
    """A drop of nothing from nothing certifies no freeze."""
    baseline, candidate = made_up.seeds("none", accuracy=0.47), made_up.seeds("emb", accuracy=0.47)
    assert "is not shown to be above" in str(judge("none", baseline, baseline, **LIMITS).broken)
    assert judge("emb", candidate, baseline, **LIMITS).broken == "the unfrozen baseline is invalid"


def test_arms_that_cannot_be_paired_are_invalid() -> None:
    """Other test sentences or other seeds cannot be paired."""
    other_test = judge("emb", made_up.seeds("emb", num_test=300), made_up.seeds("none"), **LIMITS)
    assert "test sentences are not those" in str(other_test.broken)
    other_seeds = judge("emb", made_up.seeds("emb")[::-1], made_up.seeds("none"), **LIMITS)
    assert "seeds are not those" in str(other_seeds.broken)


def test_a_sound_baseline_is_compared_with_nothing() -> None:
    """Its test asserts nothing but that it is sound."""
    result = judge("none", made_up.seeds("none"), made_up.seeds("none"), **LIMITS)
    assert (result.verdict, result.gate, result.standing) == (None, None, "no_limit")


def test_undertrained_configurations_are_marked() -> None:
    """A best epoch that is the last one suggests that more training would help."""
    records = [replace(record, best_epoch=2) for record in made_up.seeds("emb")]
    result = judge("emb", records, made_up.seeds("none"), **LIMITS)
    assert result.undertrained
    assert not judge("emb", made_up.seeds("emb"), made_up.seeds("none"), **LIMITS).undertrained


def test_the_interval_counts_distinct_texts() -> None:
    """Four copies of every sentence leave the interval of one, pooled or not; an early record may lack the texts."""
    arms = {freeze: made_up.seeds(freeze, accuracy=accuracy) for freeze, accuracy in (("none", 0.9), ("emb", 0.89))}
    copies = {freeze: [_copied(record, 4) for record in records] for freeze, records in arms.items()}
    options: dict[str, Any] = {"margin_pp": 2.0, "limit_pp": 5.0}
    once = judge("emb", arms["emb"], arms["none"], **options)
    often = judge("emb", copies["emb"], copies["none"], **options)
    assert often.verdict == once.verdict
    assert often.verdict is not None
    assert often.verdict.num_sentences == 400
    without = [
        replace(record, data=record.data and replace(record.data, test_groups=None)) for record in copies["none"]
    ]
    assert judge("emb", copies["emb"], without, **options).verdict == once.verdict
    pooled = [pooled_over(each, each["none"]) for each in (arms, copies)]
    judged = [
        judge("emb", each["emb"], each["none"], pooled=variance, **options)
        for each, variance in zip((arms, copies), pooled, strict=True)
    ]
    assert judged[0].verdict == judged[1].verdict


def _copied(record: RunRecord, times: int) -> RunRecord:
    """Return a run on a test set that has every sentence several times."""
    assert record.test is not None
    assert record.data is not None
    num_test, labels = record.data.num_test, record.data.test_labels
    groups = tuple(range(num_test)) * times
    data = replace(record.data, num_test=num_test * times, test_labels=labels * times, test_groups=groups)
    return replace(record, data=data, test=replace(record.test, predictions=record.test.predictions * times))


def test_the_share_that_trains_counts_from_what_trains_without_freezing() -> None:
    """What the model itself has fixed trains in no configuration; without valid runs no share is known."""
    unfrozen = [replace(record, num_trainable_params=800) for record in made_up.seeds("none")]
    assert judge("emb", made_up.seeds("emb"), unfrozen, **LIMITS).trainable_fraction == 700 / 800
    assert judge("none", unfrozen, unfrozen, **LIMITS).trainable_fraction == 1
    assert judge("emb", made_up.seeds("emb"), made_up.seeds("none"), **LIMITS).trainable_fraction == 0.7
    assert judge("emb", [made_up.broken("emb")], unfrozen, **LIMITS).trainable_fraction is None


def test_what_was_not_run_has_nothing_that_could_be_counted() -> None:
    """Neither runs nor a verdict, and it is not broken."""
    for result in (
        ConfigurationResult.not_run("emb", same_as="none"),
        ConfigurationResult.not_run("emb", left_out="nothing would be left to train"),
    ):
        assert not result.was_run
        assert (result.records, result.verdict, result.gate, result.broken) == ((), None, None, None)
        assert (result.trainable_fraction, result.undertrained, result.is_asserted) == (None, False, False)


CASES = [
    (task, metric)
    for task in made_up_scores.NAMES
    for metric in METRICS.values()
    if task in metric.tasks and metric.num_classes is None
]


@pytest.mark.parametrize(("task", "metric"), CASES, ids=lambda value: getattr(value, "name", value))
def test_every_metric_is_judged_in_its_unit(task: TaskName, metric: Metric) -> None:
    """The drop is the difference of the means over seeds, positive where the candidate is worse."""
    baseline, records = made_up_scores.runs(task), made_up_scores.runs(task, "emb", noise=1.5)
    result = judge("emb", records, baseline, margin_pp=0.001, limit_pp=1000.0, metric=metric)
    assert result.metric == metric.name
    assert contradiction(result, limit_pp=1000.0, num_seeds=3) is None
    assert result.verdict is not None
    assert result.verdict.drop_pp is not None
    before, after = (np.mean([metric_value(run, metric) or 0.0 for run in arm]) for arm in (baseline, records))
    drop = metric.scale * (before - after) * (1 if metric.higher_is_better else -1)
    assert result.verdict.drop_pp == pytest.approx(drop)
    assert result.verdict.unit == metric.drop_unit
    few = too_few([*baseline, *records], metric)
    if few is not None:  # calibration and rankings that hardly err rest on few of the examples
        assert (result.verdict.outcome, result.verdict.reason) == ("inconclusive", f"too few examples: {few}")
        return
    # More noise makes every metric worse, but for scores that are less sure of what is wrong.
    assert result.verdict.outcome == ("non_inferior" if metric.name == "ece" else "inferior")
    assert f"0.001 {metric.drop_unit}" in result.verdict.reason
    assert result.gate is not None
    assert result.gate.outcome == "non_inferior"


@pytest.mark.parametrize(("task", "metric"), CASES, ids=lambda value: getattr(value, "name", value))
def test_equal_runs_are_not_proven_equal(task: TaskName, metric: Metric) -> None:
    """Identical predictions and scores leave an interval of some width, in every metric."""
    baseline = made_up_scores.runs(task)
    copies = [replace(run, spec=replace(run.spec, freeze="emb")) for run in baseline]
    verdict = judge("emb", copies, baseline, margin_pp=50.0, limit_pp=None, metric=metric).verdict
    assert verdict is not None
    assert verdict.drop_pp == 0
    assert verdict.lower_pp is not None
    assert verdict.upper_pp is not None
    width = (verdict.upper_pp - verdict.lower_pp) / metric.scale
    assert 1e-4 < width < 0.1


def test_too_few_examples_are_never_non_inferior_nor_inferior() -> None:
    """Neither at the margin nor at the limit, and no further seeds are trained."""
    metric = replace(METRICS["mcc"], too_few_labels=lambda examples: f"{len(examples)} examples")
    for noise in (0.5, 2.0):
        baseline = made_up_scores.runs("sequence-classification")
        records = made_up_scores.runs("sequence-classification", "emb", noise=noise)
        result = judge("emb", records, baseline, margin_pp=1.0, limit_pp=90.0, metric=metric)
        assert contradiction(result, limit_pp=90.0, num_seeds=3) is None
        for verdict in (result.verdict, result.gate):
            assert verdict is not None
            assert (verdict.outcome, verdict.reason) == ("inconclusive", "too few examples: 300 examples")
            assert verdict.is_decided


def test_a_metric_of_scores_needs_recorded_scores() -> None:
    """Runs of earlier versions have predictions alone: the result is broken and says what to do."""
    arms = made_up.seeds("emb"), made_up.seeds("none")
    result = judge("emb", *arms, margin_pp=1.0, limit_pp=None, metric=METRICS["auroc"])
    assert result.standing == "broken"
    assert result.broken is not None
    assert result.broken.startswith("seed 42: the metric needs scores")
    assert judge("none", arms[1], arms[1], margin_pp=1.0, limit_pp=None, metric=METRICS["auroc"]).broken is not None


def test_a_lead_within_the_margin_is_a_warning_in_every_metric() -> None:
    """A model that learned nothing would be within a margin of a whole nat."""
    baseline = made_up_scores.runs("sequence-classification")
    (warning,) = judge("none", baseline, baseline, margin_pp=1.0, limit_pp=None, metric=METRICS["log-loss"]).warnings
    assert warning.startswith("without freezing, log loss is 0.5")
    assert "nats better than that of a constant prediction, and the margin is 1 nats" in warning


def test_a_correlation_that_is_not_defined_is_broken() -> None:
    """A run that predicts one number throughout has none: the cause is named, and nothing passes."""
    baseline, records = made_up_scores.runs("regression"), made_up_scores.runs("regression", "emb")
    assert records[0].test is not None
    scores = pack_scores(np.full((300, 1), 3.0, dtype=np.float32))
    records[0] = replace(records[0], test=replace(records[0].test, scores=scores))
    for metric in (METRICS["pearson"], METRICS["spearman"]):
        result = judge("emb", records, baseline, margin_pp=50.0, limit_pp=90.0, metric=metric)
        assert result.broken == (
            f"seed 42 predicts one number for every test sentence (3): its {metric.label} is not defined"
        )
        assert result.standing == "broken"
    # An error is defined, and still the configuration is not safe.
    result = judge("emb", records, baseline, margin_pp=50.0, limit_pp=90.0, metric=METRICS["rmse"])
    assert result.verdict is not None
    assert (result.broken, result.verdict.outcome, result.standing) == (None, "inferior", "worse")


def test_a_class_that_the_baseline_never_recognises_is_a_warning() -> None:
    """It stays valid: the others can be compared."""
    runs = made_up.three_classes("none", (0, 1))
    (warning,) = judge("none", runs, runs, margin_pp=2.0, limit_pp=None).warnings
    assert warning.startswith("without freezing, no run recognises any test example of class rare, ")
