"""Results that contradict their runs, bounds or limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import made_up
import made_up_scores
from freezebench.records.run_record import RunRecord
from freezebench.scoring.metrics import METRICS
from freezebench.verdicts.contradictions import contradiction
from freezebench.verdicts.judge import ConfigurationResult, judge
from made_up_strategies import Lpft, registered

LIMIT_PP = 5.0


def _result(freeze: str = "emb", accuracy: float = 0.88) -> ConfigurationResult:
    baseline = made_up.seeds("none", accuracy=0.9)
    records = baseline if freeze == "none" else made_up.seeds(freeze, accuracy=accuracy)
    return judge(freeze, records, baseline, margin_pp=2.0, limit_pp=LIMIT_PP)


def _with_verdict(result: ConfigurationResult, **changes: object) -> ConfigurationResult:
    assert result.verdict is not None
    return replace(result, verdict=replace(result.verdict, **changes))  # type: ignore[arg-type]


def _with_first(result: ConfigurationResult, change: Callable[[RunRecord], RunRecord]) -> ConfigurationResult:
    return replace(result, records=(change(result.records[0]), *result.records[1:]))


def _other_accuracy(record: RunRecord) -> RunRecord:
    assert record.test is not None
    return replace(record, test=replace(record.test, accuracy=0.5))


@pytest.mark.parametrize("accuracy", [0.9, 0.88, 0.7])
@pytest.mark.parametrize("freeze", ["none", "emb"])
def test_what_judge_returns_contradicts_nothing(freeze: str, accuracy: float) -> None:
    """Whatever the verdict is, and for the baseline, which has no limit."""
    assert contradiction(_result(freeze, accuracy), limit_pp=LIMIT_PP, num_seeds=3) is None


def test_an_invalid_result_is_not_checked() -> None:
    """Its cause says more."""
    result = replace(_result(), broken="out of memory", records=())
    assert contradiction(result, limit_pp=LIMIT_PP, num_seeds=3) is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda result: replace(result, records=result.records[:2]), "3 seeds of emb had to be judged, not 2"),
        (lambda result: replace(result, baseline=result.baseline * 2), "3 seeds of none had to be judged, not 6"),
        (
            lambda result: replace(result, records=result.records[:1] * 3),
            "3 seeds of emb had to be judged, not 3",
        ),
        (
            lambda result: _with_first(result, lambda record: replace(record, spec=replace(record.spec, freeze="L0"))),
            "seed 42 of emb is a run of L0",
        ),
        (
            lambda result: _with_first(result, lambda _: made_up.broken("emb")),
            "seed 42 of emb was judged although it is invalid: non-finite loss: at step 3",
        ),
        (
            lambda result: _with_first(result, _other_accuracy),
            "seed 42 of emb has the accuracy 0.5000, and 0.8850 of its predictions are right",
        ),
        (
            lambda result: _with_first(result, lambda record: replace(record, num_trainable_params=1000)),
            "emb trained 1,000 parameters, as many as no freezing",
        ),
        (lambda result: replace(result, verdict=None), "emb has no verdict"),
        (lambda result: replace(result, gate=None), "the limit of emb is 5 points, and it was judged by none"),
        (
            lambda result: replace(result, gate=result.verdict.at_margin(50.0)),
            "the limit of emb is 5 points, and it was judged by 50 points",
        ),
        (lambda result: _with_verdict(result, lower_pp=3.0), "the drop 1.00 is not between its bounds 3.00 and 1.39"),
        (
            lambda result: _with_verdict(result, upper_pp=2.5),
            "non_inferior at 2 points does not follow from the bounds 0.61 to 2.50",
        ),
        (
            lambda result: _with_verdict(result, outcome="inferior"),
            "inferior at 2 points does not follow from the bounds 0.61 to 1.39",
        ),
        (
            lambda result: _with_verdict(result, drop_pp=-2.0, lower_pp=-3.0, outcome="inconclusive"),
            "the drop is given as -2.00 points; no freezing has an accuracy of 89.33 %, emb 88.33 %",
        ),
    ],
)
def test_each_contradiction_is_named(
    change: Callable[[ConfigurationResult], ConfigurationResult], sentence: str
) -> None:
    """The sentence has both figures."""
    assert contradiction(change(_result()), limit_pp=LIMIT_PP, num_seeds=3) == sentence


def test_a_schedule_trains_as_many_parameters_as_no_freezing() -> None:
    """All of them train at some time; above a frozen prefix fewer do."""
    with registered(Lpft):
        runs = made_up.seeds("lpft", num_trainable_params=1000)
        result = judge("lpft", runs, made_up.seeds("none"), margin_pp=2, limit_pp=None)
        assert contradiction(result, limit_pp=None, num_seeds=3) is None
        runs = made_up.seeds("emb+lpft", num_trainable_params=1000)
        result = judge("emb+lpft", runs, made_up.seeds("none"), margin_pp=2, limit_pp=None)
        found = contradiction(result, limit_pp=None, num_seeds=3)
    assert found == "emb+lpft trained 1,000 parameters, as many as no freezing"


def test_a_verdict_on_a_part_follows_from_its_bounds() -> None:
    """That of a class, a slice or a test set, too."""
    baseline = made_up_scores.runs("sequence-classification")
    records = made_up_scores.runs("sequence-classification", "emb", noise=1.5)
    result = judge("emb", records, baseline, margin_pp=2.0, limit_pp=None)
    assert contradiction(result, limit_pp=None, num_seeds=3) is None
    first = result.classes[0]
    assert first.verdict is not None
    verdict = replace(first.verdict, outcome="non_inferior", lower_pp=1.0, drop_pp=2.0, upper_pp=3.0)
    sentence = contradiction(replace(result, classes=(replace(first, verdict=verdict),)), limit_pp=None, num_seeds=3)
    assert sentence == (
        "class negative: non_inferior at 2 points of recall does not follow from the bounds 1.00 to 3.00"
    )


def test_too_few_examples_decide_nothing_else() -> None:
    """A verdict that is decided in spite of them is wrong."""
    metric = replace(METRICS["mcc"], too_few_labels=lambda _: "3 examples of class b")
    baseline = made_up_scores.runs("sequence-classification")
    records = made_up_scores.runs("sequence-classification", "emb")
    result = judge("emb", records, baseline, margin_pp=90.0, limit_pp=None, metric=metric)
    assert result.verdict is not None
    passed = replace(result, verdict=replace(result.verdict, outcome="non_inferior"))
    sentence = contradiction(passed, limit_pp=None, num_seeds=3)
    assert sentence == "non_inferior does not follow from too few examples (3 examples of class b)"


def test_the_drop_of_a_metric_is_computed_of_whole_runs() -> None:
    """In its own unit, and with its direction: a drop of the wrong sign is found."""
    baseline, records = made_up_scores.runs("regression"), made_up_scores.runs("regression", "emb", noise=1.5)
    result = judge("emb", records, baseline, margin_pp=0.2, limit_pp=None, metric=METRICS["rmse"])
    verdict = result.verdict
    assert verdict is not None
    assert verdict.drop_pp is not None
    assert verdict.lower_pp is not None
    assert verdict.upper_pp is not None
    swapped = replace(verdict, drop_pp=-verdict.drop_pp, lower_pp=-verdict.upper_pp, upper_pp=-verdict.lower_pp)
    sentence = contradiction(
        replace(result, verdict=replace(swapped, outcome="non_inferior")), limit_pp=None, num_seeds=3
    )
    assert sentence is not None
    assert "units of the label; RMSE without freezing is 0." in sentence
