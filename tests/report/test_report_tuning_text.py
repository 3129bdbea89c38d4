"""Sentences on learning rates that were chosen by trials."""

from __future__ import annotations

from dataclasses import replace

import made_up
from freezebench.report.tuning_text import trial_sentences, tuning_sentences
from freezebench.verdicts.judge import ConfigurationResult, judge
from freezebench.verdicts.tuned_rate import RateTrial, TunedRate


def _result(freeze: str, *losses: float | None) -> ConfigurationResult:
    result = judge(freeze, made_up.seeds(freeze), made_up.seeds("none"), margin_pp=2, limit_pp=None)
    trials = tuple(RateTrial(rate=10.0**-power, loss=loss) for power, loss in zip((5, 4, 3), losses, strict=False))
    return replace(result, tuned_rate=TunedRate(trials=trials, seed=41) if trials else None)


def test_rates_chosen_and_tried_are_stated_with_the_number_of_trials() -> None:
    """A rate at an end is said to be one; what failed has no loss."""
    results = [_result("none", 0.3, 0.2, 0.4), _result("emb", 0.1, 0.2, None), _result("emb+L0", 0.3, 0.2, 0.125)]
    assert tuning_sentences(results) == [
        (
            "Learning rates: 3 were tried for each configuration, one run each with seed 41 (9 trials); the lowest "
            "validation loss chose none 0.0001, emb 1e-05, emb+L0 0.001."
        ),
        (
            "The chosen rate is the smallest or the largest one that was tried: emb (the smallest), emb+L0 (the "
            "largest). A rate beyond it may be better: give --freeze-tune-lr other factors."
        ),
    ]
    assert trial_sentences(results)[1:] == [
        "Rates tried for emb: 1e-05 (validation loss 0.100), 0.0001 (validation loss 0.200), 0.001 (failed).",
        (
            "Rates tried for emb+L0: 1e-05 (validation loss 0.300), 0.0001 (validation loss 0.200), 0.001 (validation "
            "loss 0.125)."
        ),
    ]


def test_nothing_is_said_of_rates_that_were_not_tuned() -> None:
    """And no choice where all trials failed."""
    assert tuning_sentences([_result("none"), _result("emb")]) == trial_sentences([_result("emb")]) == []
    (sentence,) = tuning_sentences([_result("emb", None, None)])
    assert sentence.endswith("one run each with seed 41 (2 trials).")
