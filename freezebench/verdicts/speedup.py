"""The speed-up of a configuration over no freezing, with its interval, from runs that nothing disturbed."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from freezebench.errors import SettingsError
from freezebench.records.contention import contention_reason
from freezebench.specs.interim_looks import ALPHA_ONE_LOOK
from freezebench.verdicts.crossed import check_alpha

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.records.run_record import RunRecord

SpeedupOutcome = Literal["gain", "loss", "unclear", "unknown"]

_FEWEST_PAIRS = 2
OTHER_SESSION = (
    "the unfrozen runs of the same seeds are of another session, in which the machine may have been faster or slower; "
    "--freeze-resume=no trains all anew"
)


@dataclass(frozen=True, kw_only=True)
class Speedup:
    """How many times as fast as the baseline a configuration trains.

    Attributes:
        ratio: Geometric mean over the pairs of baseline time / candidate time; above 1 the candidate is faster;
            ``None`` without a pair.
        lower: Lower bound of its two-sided interval; ``upper`` is the upper one. ``None`` for fewer than two pairs,
            which have no spread.
        num_pairs: Number of pairs.
        reason: Why there is no ratio; ``None`` if there is one.
    """

    ratio: float | None
    lower: float | None
    upper: float | None
    num_pairs: int
    reason: str | None = None

    @property
    def outcome(self) -> SpeedupOutcome:
        """Whether the interval shows a gain or a loss."""
        return speedup_outcome(self.lower, self.upper)


def speedup_outcome(lower: float | None, upper: float | None) -> SpeedupOutcome:
    """Return ``gain`` or ``loss`` if the interval excludes 1, else ``unclear``; ``unknown`` without an interval."""
    if lower is None or upper is None:
        return "unknown"
    if lower > 1:
        return "gain"
    return "loss" if upper < 1 else "unclear"


def paired_speedup(
    baseline: Mapping[int, float], candidate: Mapping[int, float], *, alpha: float = ALPHA_ONE_LOOK
) -> Speedup:
    """Return the speed-up over the seeds that both arms have, with the interval of Student's t for pairs.

    With ``r_i = log(baseline_i / candidate_i)`` for the seeds ``i`` of ``n`` pairs, their mean ``m`` and their standard
    deviation ``s``, the bounds are ``exp(m - t s / sqrt(n))`` and ``exp(m + t s / sqrt(n))``, where ``t`` is the
    ``1 - alpha`` quantile of Student's t with ``n - 1`` degrees of freedom (Student 1908). Each bound errs with the
    probability ``alpha``, so that the interval has the level ``1 - 2 alpha``, like the bounds of the accuracy drop.

    Logarithms make twice as fast and half as fast equally large, so that exchanging the arms gives the inverse bounds.
    Pairs of a seed have the order of sentences in common, and are neighbours in the order of a session's runs.

    Args:
        baseline: Seconds of training by seed, positive.
        candidate: The same of the other arm.
        alpha: One-sided error rate, between 0 and 0.5.

    Raises:
        SettingsError: If ``alpha`` is out of range, or a time is not positive and finite.
    """
    check_alpha(alpha)
    for seconds in (*baseline.values(), *candidate.values()):
        if not (math.isfinite(seconds) and seconds > 0):
            raise SettingsError(f"{seconds!r} s is no time of training: give a positive number.")
    log_ratios = [math.log(baseline[seed] / candidate[seed]) for seed in baseline if seed in candidate]
    num = len(log_ratios)
    if num == 0:
        return Speedup(ratio=None, lower=None, upper=None, num_pairs=0, reason="no seed has a time in both arms")
    mean = statistics.fmean(log_ratios)
    if num < _FEWEST_PAIRS:
        return Speedup(ratio=math.exp(mean), lower=None, upper=None, num_pairs=num)
    from scipy.special import stdtrit  # scipy.stats would cost a second of start-up

    half = float(stdtrit(num - 1, 1 - alpha)) * statistics.stdev(log_ratios) / math.sqrt(num)
    return Speedup(ratio=math.exp(mean), lower=math.exp(mean - half), upper=math.exp(mean + half), num_pairs=num)


def speedup_of(records: Sequence[RunRecord], baseline: Sequence[RunRecord]) -> Speedup:
    """Return the speed-up of valid runs over the valid unfrozen runs of the same seeds and the same session.

    Contended runs are left out. Another session is another state of the machine (its clock rate, its cooling, its power
    supply), which nothing that is measured shows.

    Args:
        records: Runs of the candidate.
        baseline: The unfrozen runs.
    """
    arms = [{record.spec.seed: record for record in arm} for arm in (baseline, records)]
    pairs = {seed: (arms[0][seed], arms[1][seed]) for seed in arms[0] if seed in arms[1]}
    quiet = {seed: pair for seed, pair in pairs.items() if not any(record.is_contended for record in pair)}
    if pairs and not quiet:
        shares = [max(record.contended_share or 0.0 for record in pair) for pair in pairs.values()]
        reason = contention_reason(shares, len(pairs))
        return Speedup(ratio=None, lower=None, upper=None, num_pairs=0, reason=reason)
    common = {seed: pair for seed, pair in quiet.items() if pair[0].session == pair[1].session}
    if quiet and not common:
        return Speedup(ratio=None, lower=None, upper=None, num_pairs=0, reason=OTHER_SESSION)
    times: list[dict[int, float]] = [{}, {}]
    for seed, pair in common.items():
        for arm, record in zip(times, pair, strict=True):
            # A time of 0 is below the clock's resolution and gives no ratio.
            if seconds := record.value("train_s"):
                arm[seed] = seconds
    return paired_speedup(times[0], times[1])
