"""Results that contradict their runs, bounds or limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import made_up
from freezebench.records.run_record import RunRecord
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
