"""Comparison of two saved runs in accuracy, time, memory and energy, configuration by configuration."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from freezebench.records.contention import contention_reason
from freezebench.specs.limits import CostLimits
from freezebench.verdicts.gate import Part, accuracy_standing, resource_standing, worst
from freezebench.verdicts.matching import differences, match
from freezebench.verdicts.noninferiority import noninferiority
from freezebench.verdicts.resources import MIN_RUNS, compare_peak, compare_runs

if TYPE_CHECKING:
    from freezebench.records.saved import SavedConfiguration, SavedRun
    from freezebench.verdicts.gate import Standing
    from freezebench.verdicts.noninferiority import Verdict

_ENOUGH_TO_PAIR = 2


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """One configuration that both runs have.

    Attributes:
        old: The saved configuration.
        new: The configuration that is judged.
        differences: What differs in model, data or protocol; then nothing is compared.
        observations: Accuracy, train time, peak memory and energy; empty where nothing is compared.
    """

    old: SavedConfiguration
    new: SavedConfiguration
    differences: tuple[str, ...] = ()
    observations: tuple[Observation, ...] = ()

    @property
    def refused(self) -> str | None:
        """Why nothing is compared: which side is invalid, or what differs."""
        for side, configuration in (("saved", self.old), ("new", self.new)):
            if configuration.broken:
                return f"it is invalid in the {side} run: {configuration.broken.rstrip('.')}"
        return ", ".join(self.differences) or None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the joint gate; a refused comparison is undecided, since it must not pass unnoticed."""
        if self.refused:
            sentence = f"not compared with the saved run: {self.refused}"
            return (Part(quantity="saved run", standing="undecided", sentence=sentence),)
        return tuple(
            Part(quantity=item.quantity, standing=item.standing, sentence=item.sentence)
            for item in self.observations
            if item.standing is not None
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Two runs, configuration by configuration.

    Attributes:
        source: File of the saved run.
        date: When the saved run was made.
        pairs: The configurations that both runs have, in the order of the new one.
        only_old: Names of the configurations that only the saved run has.
        only_new: Names of the configurations that only the new run has.
    """

    source: str
    date: str
    pairs: tuple[Pair, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]

    @property
    def standing(self) -> Standing:
        """The worst standing of all parts; ``broken`` if a configuration of the new run is invalid."""
        broken: list[Standing] = ["broken" for pair in self.pairs if pair.new.broken]
        return worst([*broken, *(part.standing for pair in self.pairs for part in pair.parts)])


def compare(old: SavedRun, new: SavedRun, *, margin_pp: float, costs: CostLimits | None = None) -> Comparison:
    """Return the comparison of two saved runs.

    Args:
        old: The reference.
        new: The run that is judged.
        margin_pp: Largest acceptable drop of accuracy from old to new, percentage points.
        costs: Limits on time, energy and memory as multiples of the old run's; ``None``: figures are only shown.
    """
    partners = match(old.configurations, new.configurations)
    pairs = [compare_pair(*pair, margin_pp=margin_pp, costs=costs) for pair in partners]
    matched = {id(configuration) for pair in partners for configuration in pair}
    return Comparison(
        source=old.source,
        date=old.date,
        pairs=tuple(pairs),
        only_old=tuple(item.name for item in old.configurations if id(item) not in matched),
        only_new=tuple(item.name for item in new.configurations if id(item) not in matched),
    )


def compare_pair(
    old: SavedConfiguration, new: SavedConfiguration, *, margin_pp: float, costs: CostLimits | None = None
) -> Pair:
    """Return the comparison of one configuration; see ``compare``."""
    if old.broken or new.broken:
        return Pair(old=old, new=new)
    differing = differences(old, new)
    if differing:
        return Pair(old=old, new=new, differences=tuple(differing))
    # Accuracy is always judged; time, memory and energy only where a limit is given.
    limits, freeze = costs or CostLimits(), new.freeze
    accuracy = _accuracy(old, new, margin_pp)
    memory, energy = new.headline_metrics
    time = _repeated("train time", "train_s", old, new, limits.max_time.get(freeze))
    joules = _repeated("energy", energy, old, new, limits.max_energy.get(freeze))
    return Pair(
        old=old, new=new, observations=(accuracy, time, _peak(memory, old, new, limits.max_memory.get(freeze)), joules)
    )


def _accuracy(old: SavedConfiguration, new: SavedConfiguration, margin_pp: float) -> Observation:
    """Return the observation of accuracy, compared sentence by sentence.

    Runs of common seeds are paired. Without common seeds the runs are paired in their order: they are then two samples
    of the same training noise.
    """
    before, after = ({run.seed: run.correct for run in side.runs} for side in (old, new))
    num = min(len(before), len(after))
    common = [seed for seed in before if seed in after]
    # One common seed gives no interval, so several seeds paired in their order are preferred to it.
    is_shared = len(common) >= min(_ENOUGH_TO_PAIR, num)
    arms = [
        np.stack([side[seed] for seed in common] if is_shared else list(side.values())[:num])
        for side in (before, after)
    ]
    # Both sides have the same test sentences, but an earlier version did not save which of them repeat.
    groups = old.test_groups if new.test_groups is None else new.test_groups
    verdict = noninferiority(arms[0], arms[1], margin_pp, groups=groups)
    return Observation(
        quantity="accuracy",
        old=statistics.fmean(float(correct.mean()) for correct in before.values()),
        new=statistics.fmean(float(correct.mean()) for correct in after.values()),
        standing=accuracy_standing(verdict),
        sentence=_accuracy_sentence(verdict) + ("" if is_shared else ", other seeds, paired in order"),
    )


def _accuracy_sentence(verdict: Verdict) -> str:
    """Return drop, deciding bound and limit in words."""
    name, bound = ("lower", verdict.lower_pp) if verdict.outcome == "inferior" else ("upper", verdict.upper_pp)
    seeds = f"{verdict.num_seeds} seeds"
    if verdict.num_seeds == 1:
        seeds = "1 seed, which cannot tell training noise from a change"
    observation = f"drop {_points(verdict.drop_pp)} points, {name} bound {_points(bound)}"
    return f"accuracy: {observation}, at most {verdict.margin_pp:g} points below the saved run allowed, {seeds}"


def _points(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}".replace("-0.00", "0.00")


def _repeated(
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
        return _not_comparable(quantity, before, after, limit, contended, standing="broken")
    if limit is None or before is None or after is None:
        return _without_verdict(quantity, before, after, limit)
    verdict = compare_runs(saved, measured, quantity=metric, limit=limit)
    observation = f"{quantity}: {after / before:.3f}× the saved run's, at most {limit:g}× allowed"
    counts = f"{len(measured)} against {len(saved)} saved runs"
    noise = "" if verdict.p_value is None else f", p = {verdict.p_value:.3f}"
    if min(len(measured), len(saved)) < MIN_RUNS:
        noise = f", at least {MIN_RUNS} on both sides are needed: --freeze-num-seeds={MIN_RUNS}"
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


def _peak(metric: str, old: SavedConfiguration, new: SavedConfiguration, limit: float | None) -> Observation:
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
