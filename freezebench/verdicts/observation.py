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
        quantity: The label of the metric, such as ``accuracy``, or ``train time``, ``peak memory`` or ``energy``.
        old: The saved figure: the mean metric in its own scale (accuracy: 0 to 1), median seconds or joules, largest
            bytes; ``None``: not measured.
        new: The same figure of the run that is judged.
        standing: Standing at its limit; ``None`` where no limit is asserted.
        sentence: Limit and observation; where there is no limit, why the figures cannot be compared, or nothing.
        is_comparable: Whether the two figures may be compared.
        scale: What the metric's figures are multiplied by to be in the unit of its drop: 100 for points; ``None``: the
            quantity is a cost.
    """

    quantity: str
    old: float | None
    new: float | None
    standing: Standing | None = None
    sentence: str = ""
    is_comparable: bool = True
    scale: float | None = None

    @property
    def is_metric(self) -> bool:
        """Whether the quantity is the metric that judges, and no cost."""
        return self.scale is not None


def compare_repeated(
    quantity: str, metric: str, old: SavedConfiguration, new: SavedConfiguration, limit: float | None
) -> Observation:
    """Return the observation of time or energy: medians, and a rank test against the limit.

    Figures of different device models are not comparable, nor are those of runs that other work disturbed: these are
    left out, and a limit that the others do not suffice for is broken.
    """
    old, new, left_out = _on_one_model(old, new)
    saved, measured = old.quiet.values(metric), new.quiet.values(metric)
    # Disturbed figures are still shown where there are no others.
    shown = (saved or old.values(metric), measured or new.values(metric))
    before, after = (statistics.median(values) if values else None for values in shown)
    if device := _other_device(old, new):
        return _not_comparable(quantity, before, after, limit, device)
    num_left = min(len(saved), len(measured))
    # A figure that no run has, such as the energy of a machine without counters, is not missing for contention.
    is_measured = before is not None and after is not None
    if is_measured and (contended := _contended(old, new, num_left=num_left, is_limited=limit is not None)):
        # Too few runs would have decided nothing on a quiet machine, either.
        is_broken = min(len(old.runs), len(new.runs)) >= MIN_RUNS
        few = "" if limit is None or is_broken else f"; {_TOO_FEW}"
        standing: Standing = "broken" if is_broken else "undecided"
        return _not_comparable(quantity, before, after, limit, contended + few, standing=standing)
    if limit is None or before is None or after is None:
        return _without_verdict(quantity, before, after, limit, left_out)
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
        sentence=f"{observation}, {counts}{noise}{left_out}",
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
    """Return the observation of peak memory, by plain tolerance; that of two device models is not comparable.

    Their kernels and libraries take workspaces of other sizes, by more than the tolerance.
    """
    quantity = "peak memory"
    old, new, left_out = _on_one_model(old, new)
    if device := _other_device(old, new):
        shown = _largest(old, old.headline_metrics[0]), _largest(new, metric)
        return _not_comparable(quantity, *shown, limit, device)
    before, after = _largest(old, metric), _largest(new, metric)
    if limit is None or before is None or after is None:
        return _without_verdict(quantity, before, after, limit, left_out)
    standing = resource_standing(compare_peak(before, after, quantity=metric, limit=limit))
    sentence = f"{quantity}: {after / before:.3f}× the saved run's, at most {limit:g}× allowed{left_out}"
    return Observation(quantity=quantity, old=before, new=after, standing=standing, sentence=sentence)


def _other_device(old: SavedConfiguration, new: SavedConfiguration) -> str:
    """Return the two devices if they are not of one model, so that no cost is comparable; empty if they are."""
    if old.is_gpu != new.is_gpu:
        return f"device {old.device} → {new.device}"
    return f"device {old.device_name} → {new.device_name}" if old.device_name != new.device_name else ""


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
    allowed = "" if limit is None else f"allowed: {limit:g}× the saved run's, "
    return Observation(
        quantity=quantity,
        old=before,
        new=after,
        standing=None if limit is None else standing,
        sentence=f"{quantity}: {allowed}not comparable: {why}",
        is_comparable=False,
    )


def _without_verdict(
    quantity: str, before: float | None, after: float | None, limit: float | None, left_out: str
) -> Observation:
    """Return figures that are not judged; with a limit they are undecided, since one of them was not measured."""
    if limit is None:
        return Observation(quantity=quantity, old=before, new=after, sentence=left_out and f"{quantity}{left_out}")
    side = "the saved run" if before is None else "this run"
    sentence = f"{quantity}: allowed: {limit:g}× the saved run's, not measured in {side}{left_out}"
    return Observation(quantity=quantity, old=before, new=after, standing="undecided", sentence=sentence)


def _on_one_model(
    old: SavedConfiguration, new: SavedConfiguration
) -> tuple[SavedConfiguration, SavedConfiguration, str]:
    """Return both sides with their runs on one model of device, and the end of a sentence on the models left out.

    Of the models on which both sides trained, the one with most runs counts, of several the first. If they have none in
    common, each side keeps the one of most of its runs.
    """
    before, after = old.num_runs_by_model, new.num_runs_by_model
    common = [model for model in after if model in before]
    best = max(common, key=lambda model: min(before[model], after[model]), default=None)
    sides = [side.on_model(best if common else side.device_name) for side in (old, new)]
    others = [str(model) for model in {**before, **after} if model not in (side.device_name for side in sides)]
    return sides[0], sides[1], f"; without the runs on {', '.join(others)}" if others else ""
