"""Learning rates that were chosen by trials, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.verdicts.judge import ConfigurationResult
    from freezebench.verdicts.tuned_rate import RateTrial, TunedRate

_MOST_NAMED = 12


def tuning_sentences(results: Sequence[ConfigurationResult]) -> list[str]:
    """Return which learning rate was chosen for each configuration, of how many trials; none without trials."""
    tuned = [(result.freeze, result.tuned_rate) for result in results if result.tuned_rate is not None]
    if not tuned:
        return []
    num_each = max(len(rates.trials) for _, rates in tuned)
    num_all = sum(len(rates.trials) for _, rates in tuned)
    chosen = [f"{freeze} {rates.chosen:g}" for freeze, rates in tuned if rates.chosen is not None]
    choices = f"; the lowest validation loss chose {listed(chosen, _MOST_NAMED)}" if chosen else ""
    sentence = (
        f"Learning rates: {num_each} were tried for each configuration, one run each with seed {tuned[0][1].seed} "
        f"({num_all} trials){choices}."
    )
    at_edge = [f"{freeze} ({_end(rates)})" for freeze, rates in tuned if rates.is_at_edge]
    if not at_edge:
        return [sentence]
    return [
        sentence,
        (
            f"The chosen rate is the smallest or the largest one that was tried: {listed(at_edge, _MOST_NAMED)}. A "
            "rate beyond it may be better: give --freeze-tune-lr other factors."
        ),
    ]


def trial_sentences(results: Sequence[ConfigurationResult]) -> list[str]:
    """Return the rates that were tried and their validation losses, one sentence for each configuration."""
    return [
        f"Rates tried for {result.freeze}: {', '.join(map(_trial, result.tuned_rate.trials))}."
        for result in results
        if result.tuned_rate is not None
    ]


def _end(rates: TunedRate) -> str:
    return "the smallest" if rates.chosen == min(trial.rate for trial in rates.trials) else "the largest"


def _trial(trial: RateTrial) -> str:
    return f"{trial.rate:g} ({'failed' if trial.loss is None else f'validation loss {trial.loss:.3f}'})"
