"""Comparison of two saved runs in their metric, time, memory and energy, configuration by configuration."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from freezebench.specs.limits import CostLimits
from freezebench.units import with_unit
from freezebench.verdicts.crossed import interval_from_mean_squares
from freezebench.verdicts.gate import Part, accuracy_standing, worst
from freezebench.verdicts.matching import differences, match
from freezebench.verdicts.metric_values import mean_squares_of_metric
from freezebench.verdicts.noninferiority import decide, fewest_decimals, noninferiority
from freezebench.verdicts.observation import Observation, compare_memory, compare_repeated

if TYPE_CHECKING:
    from collections.abc import Container

    from numpy.typing import NDArray

    from freezebench.records.saved import SavedConfiguration, SavedRun
    from freezebench.scoring.metric import Metric
    from freezebench.verdicts.gate import Standing
    from freezebench.verdicts.noninferiority import Verdict

SAVED_RUN = "the saved run"
_ENOUGH_TO_PAIR = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """One configuration that both runs have.

    Attributes:
        old: The saved configuration.
        new: The configuration that is judged.
        reference: What sentences call the saved run.
        differences: What differs in model, data or protocol; then nothing is compared.
        admitted: What differs and was compared across on request.
        observations: The metric, train time, peak memory and energy; empty where nothing is compared.
    """

    old: SavedConfiguration
    new: SavedConfiguration
    reference: str = SAVED_RUN
    differences: tuple[str, ...] = ()
    admitted: tuple[str, ...] = ()
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
            sentence = f"not compared with {self.reference}: {self.refused}"
            return (Part(quantity="saved run", standing="undecided", sentence=sentence),)
        return tuple(
            Part(quantity=item.quantity, standing=item.standing, sentence=item.sentence)
            for item in self.observations
            if item.standing is not None
        )

    @property
    def is_decided(self) -> bool:
        """Whether the metric is shown to have been kept, or to have been lost."""
        return any(item.is_metric and item.standing in ("ok", "worse") for item in self.observations)


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Two runs, configuration by configuration.

    Attributes:
        source: File of the saved run.
        date: When the saved run was made.
        pairs: The configurations that both runs have, in the order of the new one.
        only_old: Names of the configurations that only the saved run has.
        only_new: Names of the configurations that only the new run has.
        reference: What sentences call the saved run.
        not_run: Names of the configurations that both were to have and that the new one did not run.
    """

    source: str
    date: str
    pairs: tuple[Pair, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    reference: str = SAVED_RUN
    not_run: tuple[str, ...] = ()

    @property
    def standing(self) -> Standing:
        """The worst standing of all parts; ``broken`` if a configuration of the new run is invalid."""
        broken: list[Standing] = ["broken" for pair in self.pairs if pair.new.broken]
        return worst([*broken, *(part.standing for pair in self.pairs for part in pair.parts)])


def compare(
    old: SavedRun,
    new: SavedRun,
    *,
    margin_pp: float,
    costs: CostLimits | None = None,
    across: Container[str | None] = (),
) -> Comparison:
    """Return the comparison of two saved runs.

    Args:
        old: The reference.
        new: The run that is judged.
        margin_pp: Largest acceptable drop of the metric from old to new, in points or in its own unit.
        costs: Limits on time, energy and memory as multiples of the old run's; ``None``: figures are only shown.
        across: Names of what may differ (``Difference.name``).
    """
    partners = match(old.configurations, new.configurations)
    pairs = [compare_pair(*pair, margin_pp=margin_pp, costs=costs, across=across) for pair in partners]
    matched = {id(configuration) for pair in partners for configuration in pair}
    return Comparison(
        source=old.source,
        date=old.date,
        pairs=tuple(pairs),
        only_old=tuple(item.name for item in old.configurations if id(item) not in matched),
        only_new=tuple(item.name for item in new.configurations if id(item) not in matched),
    )


def compare_pair(
    old: SavedConfiguration,
    new: SavedConfiguration,
    *,
    margin_pp: float,
    costs: CostLimits | None = None,
    across: Container[str | None] = (),
    reference: str = SAVED_RUN,
) -> Pair:
    """Return the comparison of one configuration; see ``compare``. ``reference`` names the saved run in sentences."""
    pair = Pair(old=old, new=new, reference=reference)
    if old.broken or new.broken:
        return pair
    found = differences(old, new)
    refused = tuple(item.text for item in found if not item.is_harmless and item.name not in across)
    if refused:
        return replace(pair, differences=refused)
    # The metric is always judged; time, memory and energy only where a limit is given.
    limits, freeze = costs or CostLimits(), new.freeze
    memory, energy = new.headline_metrics
    observations = (
        _of_metric(pair, margin_pp),
        compare_repeated("train time", "train_s", old, new, limits.max_time.get(freeze)),
        compare_memory(memory, old, new, limits.max_memory.get(freeze)),
        compare_repeated("energy", energy, old, new, limits.max_energy.get(freeze)),
    )
    return replace(pair, admitted=tuple(item.text for item in found), observations=observations)


def _of_metric(pair: Pair, margin_pp: float) -> Observation:
    """Return the observation of the metric, compared example by example.

    Runs of common seeds are paired. Without common seeds the runs are paired in their order: they are then two samples
    of the same training noise.
    """
    before, after = ({run.seed: run.outcomes for run in side.runs} for side in (pair.old, pair.new))
    num = min(len(before), len(after))
    common = [seed for seed in before if seed in after]
    # One common seed gives no interval, so several seeds paired in their order are preferred to it.
    is_shared = len(common) >= min(_ENOUGH_TO_PAIR, num)
    arms = [
        np.stack([side[seed] for seed in common] if is_shared else list(side.values())[:num])
        for side in (before, after)
    ]
    verdict = _verdict(pair, arms[0], arms[1], margin_pp)
    return Observation(
        quantity=pair.new.metric.label,
        old=statistics.fmean(float(outcomes.mean()) for outcomes in before.values()),
        new=statistics.fmean(float(outcomes.mean()) for outcomes in after.values()),
        standing=accuracy_standing(verdict),
        sentence=_sentence(verdict, pair.new.metric, pair.reference)
        + ("" if is_shared else ", other seeds, paired in order"),
        scale=pair.new.metric.scale,
    )


def _verdict(pair: Pair, before: NDArray[Any], after: NDArray[Any], margin_pp: float) -> Verdict:
    """Return whether a metric has dropped by the margin, from its outcomes of shape (seeds, examples)."""
    # Both sides have the same test examples, but an earlier version did not save which of them repeat.
    groups = pair.old.test_groups if pair.new.test_groups is None else pair.new.test_groups
    if before.dtype == after.dtype == np.bool_:
        return noninferiority(before, after, margin_pp, groups=groups)
    metric = pair.new.metric
    squares = mean_squares_of_metric(before.astype(np.float64), after.astype(np.float64), groups, metric=metric)
    too_few = pair.new.too_few or pair.old.too_few
    return decide(interval_from_mean_squares(squares), margin_pp, unit=metric.drop_unit, too_few=too_few)


def _sentence(verdict: Verdict, metric: Metric, reference: str) -> str:
    """Return drop, deciding bound and limit in words."""
    name, bound = ("lower", verdict.lower_pp) if verdict.outcome == "inferior" else ("upper", verdict.upper_pp)
    seeds = f"{verdict.num_seeds} seeds"
    if verdict.num_seeds == 1:
        seeds = "1 seed, which cannot tell training noise from a change"
    if verdict.too_few is not None:
        seeds += f", too few examples: {verdict.too_few}"
    # The label names the metric already.
    unit = "points" if verdict.unit.startswith("points") else verdict.unit
    decimals = max(2, fewest_decimals(unit))
    observation = f"drop {_figure(verdict.drop_pp, decimals)} {unit}, {name} bound {_figure(bound, decimals)}"
    side, limit = "below" if metric.higher_is_better else "above", with_unit(verdict.margin_pp, unit)
    return f"{metric.label}: {observation}, allowed: {limit} {side} {reference}, {seeds}"


def _figure(value: float | None, decimals: int) -> str:
    return "unknown" if value is None else f"{value:z.{decimals}f}"
