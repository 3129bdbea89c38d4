"""The speed-up of a configuration over no freezing, with its interval, from runs that nothing disturbed."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from freezebench.errors import SettingsError
from freezebench.records.contention import contention_reason
from freezebench.records.device_models import OTHER_DEVICES, most_common
from freezebench.specs.interim_looks import ALPHA_ONE_LOOK
from freezebench.verdicts.crossed import check_alpha

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.records.run_record import RunRecord

SpeedupOutcome = Literal["gain", "loss", "unclear", "unknown"]

_FEWEST_PAIRS = 2
OTHER_ENGINE = (
    "the unfrozen runs were trained by another engine, which takes a time of its own; choose an engine that trains all "
    "configurations (--freeze-engine)"
)
_NO_TIMES = "no seed has a time in both arms"
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
        return _unknown(_NO_TIMES)
    mean = statistics.fmean(log_ratios)
    if num < _FEWEST_PAIRS:
        return Speedup(ratio=math.exp(mean), lower=None, upper=None, num_pairs=num)
    from scipy.special import stdtrit  # scipy.stats would cost a second of start-up

    half = float(stdtrit(num - 1, 1 - alpha)) * statistics.stdev(log_ratios) / math.sqrt(num)
    return Speedup(ratio=math.exp(mean), lower=math.exp(mean - half), upper=math.exp(mean + half), num_pairs=num)


def speedup_of(records: Sequence[RunRecord], baseline: Sequence[RunRecord]) -> Speedup:
    """Return the speed-up of valid runs over the valid unfrozen runs of the same seeds, engine, device and session.

    Contended runs are left out. Another session is another state of the machine (its clock rate, its cooling, its power
    supply), which nothing that is measured shows. Another model of device may gain more or less by freezing: all pairs
    are of the model that has most of them, of several the first.

    Args:
        records: Runs of the candidate.
        baseline: The unfrozen runs.
    """
    frozen = {record.spec.seed: record for record in records}
    pairs = [(record, frozen[record.spec.seed]) for record in baseline if record.spec.seed in frozen]
    alike = [pair for pair in pairs if pair[0].device_name == pair[1].device_name]
    if pairs and not alike:
        return _unknown(OTHER_DEVICES)
    if any(unfrozen.spec.engine != record.spec.engine for unfrozen, record in alike):
        return _unknown(OTHER_ENGINE)
    quiet = [pair for pair in alike if not any(record.is_contended for record in pair)]
    if alike and not quiet:
        shares = [max(record.contended_share or 0.0 for record in pair) for pair in alike]
        return _unknown(contention_reason(shares, len(alike)))
    # A time of 0 is below the clock's resolution and gives no ratio.
    timed = [pair for pair in quiet if all(record.value("train_s") for record in pair)]
    if quiet and not timed:
        return _unknown(_why_untimed(quiet) or _NO_TIMES)
    common = [pair for pair in timed if pair[0].session == pair[1].session]
    if timed and not common:
        return _unknown(OTHER_SESSION)
    model = most_common(unfrozen.device_name for unfrozen, _ in common)
    counted = [pair for pair in common if pair[0].device_name == model]
    unfrozen_s, frozen_s = (
        {pair[arm].spec.seed: pair[arm].value("train_s") or 0.0 for pair in counted} for arm in (0, 1)
    )
    return paired_speedup(unfrozen_s, frozen_s)


def _why_untimed(pairs: Sequence[tuple[RunRecord, RunRecord]]) -> str | None:
    """Return why the first run without a time has none; ``None`` if no run says it."""
    readings = (record.readings.get("train_s") for pair in pairs for record in pair)
    return next((reading.reason for reading in readings if reading is not None and reading.value is None), None)


def _unknown(reason: str) -> Speedup:
    return Speedup(ratio=None, lower=None, upper=None, num_pairs=0, reason=reason)
