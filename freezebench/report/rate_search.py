"""Which learning rate to try next, from all rates that were tried for a configuration.

A rate at which the loss rose is too high. One at which it stayed at that of guessing is probably too low: it may also
be too high if it is far above the usual rate, and no lower one was tried. Any other rate is as good as its validation
loss. So the search goes up or down to where something is learned, halves what is between two rates on a logarithmic
scale, and returns to the best rate where others were worse. It ends where there is nothing left to halve.

          flat             flat          next           risen
    ───────┼────────────────┼──────────────┼──────────────┼──────────► rate
         5e-05            0.0005         0.0016         0.005
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from freezebench.report.learning import has_learned, is_unstable, lowest_loss
from freezebench.specs.grid import PerSpec
from freezebench.specs.numbers import short_number
from freezebench.specs.presets import PRESETS, learning_rate
from freezebench.specs.run import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.verdicts.judge import ConfigurationResult

FAR, NEAR = 10.0, 3.0  # steps between rates
_CLOSEST = 2.5  # rates that are nearer to each other than this factor are hardly different
_LARGEST = 1.0
_CLEARLY_BELOW = 0.95  # of few runs, losses that are nearer to each other may as well have the other order


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A rate that was tried for a configuration.

    Attributes:
        rate: The learning rate.
        outcome: ``flat``: nothing was learned; ``risen``: nothing was, and the loss rose; else ``learned``.
        loss: Mean of the lowest validation losses of its runs; infinite if one has none.
    """

    rate: float
    outcome: Literal["flat", "learned", "risen"]
    loss: float


def attempts(result: ConfigurationResult) -> list[Attempt]:
    """Return the rates that were tried for a configuration, the lowest first: those of its runs and all others."""
    runs: dict[float, list[RunRecord]] = {}
    for record in (*result.records, *result.tried):
        if record.epochs or record.cause == "non_finite_loss":
            runs.setdefault(record.spec.protocol.learning_rate, []).append(record)
    return [_attempt(rate, runs[rate]) for rate in sorted(runs)]


def _attempt(rate: float, records: Sequence[RunRecord]) -> Attempt:
    """Return what the runs at one rate show; it is one that learns if at least half of them have, and none broke."""
    unlearned = [record for record in records if not has_learned(record)]
    outcome: Literal["flat", "learned", "risen"] = "learned"
    if any(record.cause == "non_finite_loss" for record in records):
        outcome = "risen"
    elif 2 * len(unlearned) > len(records):
        outcome = "risen" if any(map(is_unstable, unlearned)) else "flat"
    return Attempt(rate=rate, outcome=outcome, loss=statistics.fmean(map(lowest_loss, records)))


def next_rate(
    tried: Sequence[Attempt], present: float, usual: float, *, may_rise: bool = True, step: float = FAR
) -> float | None:
    """Return the rate to try next; ``None`` if none is likely to be better.

    Args:
        tried: The rates that were tried, the present one among them.
        present: The present rate.
        usual: The rate of the baseline that has learned, or the usual one of the model and the configuration.
        step: Factor between the next rate and the highest one that was tried.
        may_rise: Whether a higher rate than one at which something was learned is worth a try.
    """
    learned = [attempt for attempt in tried if attempt.outcome == "learned"]
    if learned:
        best = min(learned, key=lambda attempt: (attempt.loss, attempt.rate))
        rate = _around_best(tried, best, present, step if may_rise else None)
    else:
        rate = _between(tried, usual, step)
    return None if rate is None else _rounded(rate)


def _between(tried: Sequence[Attempt], usual: float, step: float) -> float | None:
    """Return a rate between those that are too low and too high, or beyond them."""
    low = max((attempt.rate for attempt in tried if attempt.outcome == "flat"), default=None)
    above = [attempt.rate for attempt in tried if attempt.outcome == "risen" and (low is None or attempt.rate > low)]
    if low is None:
        return min(min(above) / FAR, math.sqrt(usual * min(above))) if above else None
    if may_be_too_high(tried, usual):
        return math.sqrt(usual * low)
    if not above:
        return max(step * low, usual) if step * low <= _LARGEST else None
    return _middle(low, min(above))


def may_be_too_high(tried: Sequence[Attempt], usual: float) -> bool:
    """Return whether a loss that stayed at that of guessing does not tell if the rate is too low or too high.

    A pretrained MiniLM in DistilBERT form learned at 0.0001, and at 0.001 its loss stayed at that of guessing without
    having risen clearly.
    """
    return bool(tried) and tried[0].outcome == "flat" and len(tried) == 1 and tried[0].rate > NEAR * usual


def _around_best(tried: Sequence[Attempt], best: Attempt, present: float, step: float | None) -> float | None:
    """Return the best rate if it is clearly better than the present one, else one above that."""
    own = next(attempt for attempt in tried if attempt.rate == present)
    if own.outcome != "learned" or best.loss < _CLEARLY_BELOW * own.loss:
        return best.rate
    above = min((attempt.rate for attempt in tried if attempt.rate > present), default=None)
    if above is None:
        return step * present if step is not None and step * present <= _LARGEST else None
    return _middle(present, above)


def _middle(low: float, high: float) -> float | None:
    """Return the rate halfway between two on a logarithmic scale; ``None`` if that is near to both."""
    return math.sqrt(low * high) if high / low > _CLOSEST**2 else None


def _rounded(rate: float) -> float:
    """Return a rate with one digit, or two where the first one is 1 or 2: 0.0016, 0.0005."""
    return float(f"{rate:.1e}" if f"{rate:e}"[0] in "12" else f"{rate:.0e}")


def usual_rate(record: RunRecord) -> float:
    """Return the rate that a preset gives this model and configuration, else the usual one of fine-tuning."""
    for preset in PRESETS.values():
        if preset.model == record.spec.model:
            return learning_rate(record.spec.freeze, preset.learning_rates, preset.protocol)
    return learning_rate(record.spec.freeze, PerSpec(), Protocol())


def has_tuned_rate(record: RunRecord) -> bool:
    """Return whether a run has the rate that a preset tuned for its model and configuration."""
    rates = (preset.learning_rates.by_spec for preset in PRESETS.values() if preset.model == record.spec.model)
    return any((record.spec.freeze, record.spec.protocol.learning_rate) in by_spec for by_spec in rates)


def rate_option(result: ConfigurationResult, rate: float) -> str:
    """Return the option that gives a configuration another rate and keeps all others, as one word for a shell.

    Where rates are tuned, it is the option of the factors, with one more.

    Args:
        result: The configuration.
        rate: Its new rate.
    """
    record = result.records[0]
    rates = result.rates or _rates_of_runs(result)
    own = dict(rates.by_spec)
    if result.tuned_rate is not None:
        usual = learning_rate(result.freeze, rates, record.spec.protocol)
        factors = {trial.rate / usual for trial in result.tuned_rate.trials} | {rate / usual}
        return f"--freeze-tune-lr={','.join(f'{short_number(_two_digits(factor)):g}' for factor in sorted(factors))}"
    default = record.spec.protocol.learning_rate if rates.default is None else rates.default
    if result.is_baseline and "none" not in own:
        default = rate
    else:
        own[result.freeze] = rate
    text = ",".join([f"{default:g}", *(f"{freeze}:{own[freeze]:g}" for freeze in own)])
    # A shell would not take the parentheses of arguments as text.
    mark = '"' if "(" in text else ""
    return f"{mark}--freeze-lr={text}{mark}"


def _two_digits(number: float) -> float:
    return float(f"{number:.2g}")


def _rates_of_runs(result: ConfigurationResult) -> PerSpec:
    """Return the rates of some runs, where those of their session are not known."""
    rate, unfrozen = (
        next((record.spec.protocol.learning_rate for record in arm), None) for arm in (result.records, result.baseline)
    )
    default = rate if unfrozen is None else unfrozen
    return PerSpec(default=default, by_spec=() if rate in (None, default) else ((result.freeze, rate),))


def tried_text(tried: Iterable[Attempt], present: float) -> str:
    """Return which other rates were tried, as the end of a sentence; empty if there were none."""
    others = [attempt for attempt in tried if attempt.rate != present]
    if not others:
        return ""
    words = {"flat": "learned nothing", "risen": "the loss rose"}
    named = (
        f"{attempt.rate:g} ({words.get(attempt.outcome, f'validation loss {attempt.loss:.2f}')})" for attempt in others
    )
    return f"; tried before: {', '.join(named)}"
