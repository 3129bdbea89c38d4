"""Which learning rate to try next."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest

from experiments import judged, trained
from freezebench.report.rate_search import FAR, NEAR, Attempt, attempts, next_rate, rate_option, tried_text
from freezebench.specs.grid import PerSpec
from freezebench.verdicts.judge import judge
from freezebench.verdicts.tuned_rate import RateTrial, TunedRate

if TYPE_CHECKING:
    from collections.abc import Sequence

_OUTCOMES: dict[str, Literal["flat", "learned", "risen"]] = {"f": "flat", "r": "risen"}
_USUAL = 5e-5


def _tried(text: str) -> list[Attempt]:
    """Return attempts: ``5e-5 f``: flat, ``0.1 r``: risen, ``0.001 0.4``: learned with this validation loss."""
    pairs = [entry.split() for entry in text.split(", ")]
    return [
        Attempt(
            rate=float(rate), outcome=_OUTCOMES.get(word, "learned"), loss=0.69 if word in _OUTCOMES else float(word)
        )
        for rate, word in pairs
    ]


@pytest.mark.parametrize(
    ("tried", "present", "rate"),
    [
        ("1e-6 f", 1e-6, 5e-5),
        ("5e-5 f", 5e-5, 5e-4),
        ("5e-5 f, 5e-4 f", 5e-4, 5e-3),
        ("5e-5 f, 5e-4 f", 5e-5, 5e-3),
        ("1e-3 f, 3e-2 r", 1e-3, 5e-3),
        ("0.01 f, 0.03 r", 0.01, None),
        ("0.5 f, 0.4 f", 0.5, None),
        ("0.01 r", 0.01, 7e-4),
        ("1 r", 1.0, 7e-3),
        ("1e-3 0.5", 1e-3, 1e-2),
        ("1e-3 0.5, 3e-3 0.4", 1e-3, 3e-3),
        ("1e-3 0.5, 3e-3 0.4, 0.01 0.6", 3e-3, None),
        ("3e-3 0.4, 0.03 r", 3e-3, 9e-3),
        ("3e-3 0.4, 6e-3 0.6", 3e-3, None),
        ("1e-3 f, 3e-3 0.4, 6e-3 0.6", 3e-3, None),
        ("1e-3 0.400, 3e-3 0.395", 1e-3, None),
    ],
)
def test_the_next_rate_follows_from_all_that_were_tried(tried: str, present: float, rate: float | None) -> None:
    """It goes up or down by large steps, halves what is between, and ends."""
    assert next_rate(_tried(tried), present, _USUAL) == (None if rate is None else pytest.approx(rate))


def test_a_rate_that_may_be_too_high_is_not_raised() -> None:
    """Far above the usual rate, one flat loss tells no direction; two do."""
    assert next_rate(_tried("1e-2 f"), 1e-2, _USUAL) == pytest.approx(7e-4)
    assert next_rate(_tried("7e-4 f, 1e-2 f"), 1e-2, _USUAL) == pytest.approx(0.1)


def test_a_rate_is_not_raised_without_a_reason() -> None:
    """Where training fits as well as without freezing, only a better rate that is known is advised."""
    assert next_rate(_tried("1e-3 0.5"), 1e-3, _USUAL, may_rise=False) is None
    assert next_rate(_tried("1e-3 0.5, 3e-3 0.4"), 1e-3, _USUAL, may_rise=False) == pytest.approx(3e-3)


def _obeyed(best: float, present: float, most: int = 12) -> Sequence[float]:
    """Return the rates of sessions that do what the last one advised, for a model that is best at some rate."""
    tried: dict[float, Attempt] = {}
    rates = [present]
    for _ in range(most):
        distance = rates[-1] / best
        outcome: Literal["flat", "learned", "risen"] = (
            "flat" if distance < 1 / 8 else "risen" if distance > 8 else "learned"
        )
        loss = 0.3 + 0.1 * max(distance, 1 / distance) / 8 if outcome == "learned" else 0.69
        tried[rates[-1]] = Attempt(rate=rates[-1], outcome=outcome, loss=loss)
        step = NEAR if outcome == "learned" else FAR
        rate = next_rate([tried[key] for key in sorted(tried)], rates[-1], _USUAL, step=step)
        if rate is None:
            return rates
        rates.append(rate)
    return rates


@pytest.mark.parametrize("best", [2e-6, 2e-5, 1e-4, 2e-3, 0.02])
@pytest.mark.parametrize("present", [1e-6, 5e-5, 1e-3, 0.1])
def test_obeying_ends_at_a_rate_that_learns(best: float, present: float) -> None:
    """It takes few sessions to learn, even from far away, returns to no rate but the best, and ends."""
    rates = _obeyed(best, present)
    num_decades = abs(math.log10(present / best))
    assert any(1 / 8 <= rate / best <= 8 for rate in rates[: 2 + round(num_decades)])
    assert 1 / 8 <= rates[-1] / best <= 8
    assert len(rates) < 12
    assert all(rates.count(rate) == 1 for rate in set(rates) - {rates[-1]})


def test_runs_and_further_runs_are_attempts() -> None:
    """Those of earlier sessions and of trials count like those that are judged."""
    result = trained("emb", 0.54, 0.69, rate=1e-3)
    earlier = trained("emb", 0.54, 0.69, rate=1e-2, step_losses=(0.69, *(1.5,) * 50)).records
    tried = attempts(replace(result, tried=earlier))
    assert [(attempt.rate, attempt.outcome) for attempt in tried] == [(1e-3, "flat"), (1e-2, "risen")]
    assert tried_text(tried, 1e-3) == "; tried before: 0.01 (the loss rose)"
    assert tried_text(tried[:1], 1e-3) == ""


def test_the_option_keeps_all_other_rates() -> None:
    """Pasted in place of what is set, it changes one configuration; a strategy has its multiple unless named."""
    result = replace(judged("emb", 0.54), rates=PerSpec.parse("1e-3,emb+L0:2e-3,emb:5e-3"))
    assert rate_option(result, 0.01) == "--freeze-lr=0.001,emb:0.01,emb+L0:0.002"
    unfrozen = judged("none", 0.9)
    assert rate_option(replace(unfrozen, rates=PerSpec.parse("1e-3,emb:5e-3")), 0.01) == "--freeze-lr=0.01,emb:0.005"
    own = replace(unfrozen, rates=PerSpec.parse("1e-3,none:2e-3"))
    assert rate_option(own, 0.01) == "--freeze-lr=0.001,none:0.01"
    # A shell would not take parentheses as text.
    assert rate_option(judged("lora(r=4)", 0.54), 1e-4) == '"--freeze-lr=5e-05,lora(r=4):0.0001"'


def test_tuned_rates_get_one_more_factor() -> None:
    """The usual rate stays, and the trials are those of before with one beyond them."""
    result = trained("emb", 0.54, 0.69, rate=3e-3, unfrozen_rate=1e-3)
    trials = tuple(RateTrial(rate=rate, loss=0.69) for rate in (1e-3, 3e-3))
    tuned = replace(result, tuned_rate=TunedRate(trials=trials, seed=41), rates=PerSpec.parse("1e-3"))
    assert rate_option(tuned, 0.03) == "--freeze-tune-lr=1,3,30"


def test_an_invalid_run_without_a_loss_is_no_attempt() -> None:
    """A crash says nothing about its rate; a loss that is not finite does."""
    runs = judged("emb", 0.9).records
    crash = replace(runs[0], status="invalid", cause="crash", reason="it broke", epochs=())
    result = judge("emb", [crash], runs, margin_pp=2.0, limit_pp=None)
    assert attempts(result) == []
    infinite = replace(crash, cause="non_finite_loss")
    for records in ((infinite,), (*runs[1:], infinite)):
        assert [attempt.outcome for attempt in attempts(replace(result, records=records))] == ["risen"]
