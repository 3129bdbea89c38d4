"""Old against new: saved runs, configuration by configuration, judged in accuracy, time, memory and energy."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

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
    """One quantity of a configuration, old beside new.

    Attributes:
        quantity: ``accuracy``, ``train time``, ``peak memory`` or ``energy``.
        old: The saved figure: mean accuracy (0 to 1), median seconds or joules, largest bytes; ``None``: not measured.
        new: Likewise of the run that is judged.
        standing: Where its limit leaves it; ``None`` where no limit is asserted.
        sentence: Limit beside observation; where there is no limit, why it cannot be compared, or nothing.
        is_comparable: Whether its figures may be set against each other.
    """

    quantity: str
    old: float | None
    new: float | None
    standing: Standing | None = None
    sentence: str = ""
    is_comparable: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """One configuration that both sides have.

    Attributes:
        old: The saved one.
        new: The one that is judged.
        differences: What differs in model, data or protocol, so that nothing of it is compared.
        observations: Accuracy, train time, peak memory and energy; empty where all is refused.
    """

    old: SavedConfiguration
    new: SavedConfiguration
    differences: tuple[str, ...] = ()
    observations: tuple[Observation, ...] = ()

    @property
    def refused(self) -> str | None:
        """Why nothing of it is compared: which side broke, or what differs."""
        for side, one in (("saved", self.old), ("new", self.new)):
            if one.broken:
                return f"it broke in the {side} run: {one.broken.rstrip('.')}"
        return ", ".join(self.differences) or None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the joint gate; what was refused is undecided, never quietly passed."""
        if self.refused:
            sentence = f"not compared with the saved run: {self.refused}"
            return (Part(quantity="saved run", standing="undecided", sentence=sentence),)
        return tuple(
            Part(quantity=seen.quantity, standing=seen.standing, sentence=seen.sentence)
            for seen in self.observations
            if seen.standing is not None
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Two runs, old against new.

    Attributes:
        source: Where the saved run comes from; ``date`` is when it ran.
        pairs: The configurations that both have, in the order of the new run.
        only_old: Names of those that only the saved run has; ``only_new`` likewise.
    """

    source: str
    date: str
    pairs: tuple[Pair, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]

    @property
    def standing(self) -> Standing:
        """Where the worst part of any configuration leaves the comparison; a new run that broke is ``broken``."""
        broken: list[Standing] = ["broken" for pair in self.pairs if pair.new.broken]
        return worst([*broken, *(part.standing for pair in self.pairs for part in pair.parts)])


def compare(old: SavedRun, new: SavedRun, *, margin_pp: float, costs: CostLimits | None = None) -> Comparison:
    """Return the comparison of two saved runs.

    Args:
        old: The reference.
        new: The run that is judged.
        margin_pp: Largest acceptable drop of accuracy from old to new, percentage points.
        costs: Limits on time, energy and memory as multiples of the old run's; ``None``: they are shown only.
    """
    partners = match(old.configurations, new.configurations)
    pairs = [compare_pair(partner, own, margin_pp=margin_pp, costs=costs) for partner, own in partners]
    matched = {id(one) for pair in partners for one in pair}
    return Comparison(
        source=old.source,
        date=old.date,
        pairs=tuple(pairs),
        only_old=tuple(one.name for one in old.configurations if id(one) not in matched),
        only_new=tuple(one.name for one in new.configurations if id(one) not in matched),
    )


def compare_pair(
    old: SavedConfiguration, new: SavedConfiguration, *, margin_pp: float, costs: CostLimits | None = None
) -> Pair:
    """Return one configuration, old against new; see ``compare``."""
    if old.broken or new.broken:
        return Pair(old=old, new=new)
    differing = differences(old, new)
    if differing:
        return Pair(old=old, new=new, differences=tuple(differing))
    limits, freeze = costs or CostLimits(), new.freeze
    accuracy = _accuracy(old, new, margin_pp)
    memory, energy = new.headline_metrics
    time = _repeated("train time", "train_s", old, new, limits.max_time.get(freeze))
    joules = _repeated("energy", energy, old, new, limits.max_energy.get(freeze))
    return Pair(
        old=old, new=new, observations=(accuracy, time, _peak(memory, old, new, limits.max_memory.get(freeze)), joules)
    )


def _accuracy(old: SavedConfiguration, new: SavedConfiguration, margin_pp: float) -> Observation:
    """Return accuracy sentence by sentence, over the seeds that both sides have, else paired in their order."""
    saved, now = ({run.seed: run.correct for run in side.runs} for side in (old, new))
    num = min(len(saved), len(now))
    common = [seed for seed in saved if seed in now]
    # One common seed decides nothing; several unlike ones are samples of the same training noise.
    is_shared = len(common) >= min(_ENOUGH_TO_PAIR, num)
    arms = [
        np.stack([side[seed] for seed in common] if is_shared else list(side.values())[:num]) for side in (saved, now)
    ]
    verdict = noninferiority(arms[0], arms[1], margin_pp)
    return Observation(
        quantity="accuracy",
        old=statistics.fmean(float(correct.mean()) for correct in saved.values()),
        new=statistics.fmean(float(correct.mean()) for correct in now.values()),
        standing=accuracy_standing(verdict),
        sentence=_accuracy_sentence(verdict) + ("" if is_shared else ", other seeds, paired in order"),
    )


def _accuracy_sentence(verdict: Verdict) -> str:
    """Return the limit beside drop and the bound that decides."""
    name, bound = ("lower", verdict.lower_pp) if verdict.outcome == "inferior" else ("upper", verdict.upper_pp)
    seeds = f"{verdict.num_seeds} seeds"
    if verdict.num_seeds == 1:
        seeds = "1 seed, which cannot tell training noise from a change"
    seen = f"drop {_points(verdict.drop_pp)} points, {name} bound {_points(bound)}"
    return f"accuracy: {seen}, at most {verdict.margin_pp:g} points below the saved run allowed, {seeds}"


def _points(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}".replace("-0.00", "0.00")


def _repeated(
    quantity: str, metric: str, old: SavedConfiguration, new: SavedConfiguration, limit: float | None
) -> Observation:
    """Return time or energy: medians, and ranks against the limit; on another device they are not comparable."""
    saved, now = old.values(metric), new.values(metric)
    before, after = (statistics.median(values) if values else None for values in (saved, now))
    if old.device_name != new.device_name or old.is_gpu != new.is_gpu:
        device = f"device {old.device_name} → {new.device_name}"
        return _not_comparable(quantity, before, after, limit, device)
    if limit is None or before is None or after is None:
        return _without_verdict(quantity, before, after, limit)
    verdict = compare_runs(saved, now, quantity=metric, limit=limit)
    seen = f"{quantity}: {after / before:.3f}× the saved run's, at most {limit:g}× allowed"
    counts = f"{len(now)} against {len(saved)} saved runs"
    noise = "" if verdict.p_value is None else f", p = {verdict.p_value:.3f}"
    if min(len(now), len(saved)) < MIN_RUNS:
        noise = f", at least {MIN_RUNS} on both sides are needed: --freeze-num-seeds={MIN_RUNS}"
    return Observation(
        quantity=quantity,
        old=before,
        new=after,
        standing=resource_standing(verdict),
        sentence=f"{seen}, {counts}{noise}",
    )


def _peak(metric: str, old: SavedConfiguration, new: SavedConfiguration, limit: float | None) -> Observation:
    """Return peak memory by plain tolerance; a GPU's and a process's do not compare."""
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
    quantity: str, before: float | None, after: float | None, limit: float | None, why: str
) -> Observation:
    asked = "" if limit is None else f"at most {limit:g}× the saved run's allowed, "
    return Observation(
        quantity=quantity,
        old=before,
        new=after,
        standing=None if limit is None else "undecided",
        sentence=f"{quantity}: {asked}not comparable: {why}",
        is_comparable=False,
    )


def _without_verdict(quantity: str, before: float | None, after: float | None, limit: float | None) -> Observation:
    """Return figures that are only shown; what a limit needs and was not measured can neither pass nor fail."""
    if limit is None:
        return Observation(quantity=quantity, old=before, new=after)
    side = "the saved run" if before is None else "this run"
    sentence = f"{quantity}: at most {limit:g}× the saved run's allowed, not measured in {side}"
    return Observation(quantity=quantity, old=before, new=after, standing="undecided", sentence=sentence)
