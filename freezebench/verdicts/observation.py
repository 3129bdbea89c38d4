"""One quantity of a configuration in a saved run and in a new one; how time, energy and memory are compared."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.records.contention import contention_reason
from freezebench.verdicts.gate import resource_standing
from freezebench.verdicts.resources import MIN_RUNS, compare_peak, compare_runs

if TYPE_CHECKING:
    from freezebench.records.saved import SavedConfiguration
    from freezebench.verdicts.gate import Standing

_TOO_FEW = f"at least {MIN_RUNS} on both sides are needed: --freeze-num-seeds={MIN_RUNS}"


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One quantity of a configuration in the old and in the new run.

    Attributes:
        quantity: ``accuracy``, ``train time``, ``peak memory`` or ``energy``.
        old: The saved figure: mean accuracy (0 to 1), median seconds or joules, largest bytes; ``None``: not measured.
        new: The same figure of the run that is judged.
        standing: Standing at its limit; ``None`` where no limit is asserted.
        sentence: Limit and observation; where there is no limit, why the figures cannot be compared, or nothing.
        is_comparable: Whether the two figures may be compared.
    """

    quantity: str
    old: float | None
    new: float | None
    standing: Standing | None = None
    sentence: str = ""
    is_comparable: bool = True


def compare_repeated(
    quantity: str, metric: str, old: SavedConfiguration, new: SavedConfiguration, limit: float | None
) -> Observation:
    """Return the observation of time or energy: medians, and a rank test against the limit.

    Figures of different devices are not comparable, nor are those of runs that other work disturbed: these are left
    out, and a limit that the others do not suffice for is broken.
    """
    saved, measured = old.quiet.values(metric), new.quiet.values(metric)
    # Disturbed figures are still shown where there are no others.
    shown = (saved or old.values(metric), measured or new.values(metric))
    before, after = (statistics.median(values) if values else None for values in shown)
    if old.device_name != new.device_name or old.is_gpu != new.is_gpu:
        device = f"device {old.device_name} → {new.device_name}"
        return _not_comparable(quantity, before, after, limit, device)
    if contended := _contended(old, new, num_left=min(len(saved), len(measured)), is_limited=limit is not None):
        # Too few runs would have decided nothing on a quiet machine, either.
        is_broken = min(len(old.runs), len(new.runs)) >= MIN_RUNS
        few = "" if limit is None or is_broken else f"; {_TOO_FEW}"
        standing: Standing = "broken" if is_broken else "undecided"
        return _not_comparable(quantity, before, after, limit, contended + few, standing=standing)
    if limit is None or before is None or after is None:
        return _without_verdict(quantity, before, after, limit)
    verdict = compare_runs(saved, measured, quantity=metric, limit=limit)
    observation = f"{quantity}: {after / before:.3f}× the saved run's, at most {limit:g}× allowed"
    counts = f"{len(measured)} against {len(saved)} saved runs"
    noise = "" if verdict.p_value is None else f", p = {verdict.p_value:.3f}"
    if min(len(measured), len(saved)) < MIN_RUNS:
        noise = f", {_TOO_FEW}"
    return Observation(
        quantity=quantity,
        old=before,
        new=after,
        standing=resource_standing(verdict),
        sentence=f"{observation}, {counts}{noise}",
    )


def _contended(old: SavedConfiguration, new: SavedConfiguration, *, num_left: int, is_limited: bool) -> str:
    """Return which side's runs were disturbed, if too few are left to compare; empty if enough are.

    Args:
        old: The saved configuration.
        new: The configuration that is judged.
        num_left: Number of undisturbed runs of the side that has fewer.
        is_limited: Whether a limit has to be judged, which needs several runs.
    """
    if num_left >= (MIN_RUNS if is_limited else 1):
        return ""
    return "; ".join(
        f"{name}: {contention_reason(side.contended_shares, len(side.runs), runs='runs')}"
        for name, side in (("saved run", old), ("this run", new))
        if side.contended_shares
    )


def compare_memory(metric: str, old: SavedConfiguration, new: SavedConfiguration, limit: float | None) -> Observation:
    """Return the observation of peak memory, by plain tolerance; a GPU's and a process's are not comparable."""
    quantity = "peak memory"
    if old.is_gpu != new.is_gpu:
        return _not_comparable(
            quantity,
            _largest(old, old.headline_metrics[0]),
            _largest(new, metric),
            limit,
            f"{old.device} → {new.device}",
        )
    before, after = _largest(old, metric), _largest(new, metric)
    if limit is None or before is None or after is None:
        return _without_verdict(quantity, before, after, limit)
    standing = resource_standing(compare_peak(before, after, quantity=metric, limit=limit))
    sentence = f"{quantity}: {after / before:.3f}× the saved run's, at most {limit:g}× allowed"
    return Observation(quantity=quantity, old=before, new=after, standing=standing, sentence=sentence)


def _largest(side: SavedConfiguration, metric: str) -> float | None:
    return max(side.values(metric), default=None)


def _not_comparable(
    quantity: str,
    before: float | None,
    after: float | None,
    limit: float | None,
    why: str,
    *,
    standing: Standing = "undecided",
) -> Observation:
    allowed = "" if limit is None else f"at most {limit:g}× the saved run's allowed, "
    return Observation(
        quantity=quantity,
        old=before,
        new=after,
        standing=None if limit is None else standing,
        sentence=f"{quantity}: {allowed}not comparable: {why}",
        is_comparable=False,
    )


def _without_verdict(quantity: str, before: float | None, after: float | None, limit: float | None) -> Observation:
    """Return figures that are not judged; with a limit they are undecided, since one of them was not measured."""
    if limit is None:
        return Observation(quantity=quantity, old=before, new=after)
    side = "the saved run" if before is None else "this run"
    sentence = f"{quantity}: at most {limit:g}× the saved run's allowed, not measured in {side}"
    return Observation(quantity=quantity, old=before, new=after, standing="undecided", sentence=sentence)
