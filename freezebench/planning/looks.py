"""Which runs one configuration needs next, and its result once it needs none.

Seeds are added look by look, in the manner of a group-sequential trial: each configuration is judged after a few seeds,
and only those that are still undecided get more. The baseline always has as many seeds as its candidates, because runs
are compared seed by seed. The functions are pure: the same records give the same plan, in any order of their arrival.

    settings, grid, finished runs ──► next_step ──► needed runs ──► (train some, add their records, plan again)
                                                └─► result
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from freezebench.planning.interleaving import interleaved_pairs
from freezebench.planning.results import is_open, result_of_look
from freezebench.planning.rounds import groups, rounds
from freezebench.verdicts.savings import savings_parts

if TYPE_CHECKING:
    from collections.abc import Collection

    from freezebench.config.settings import Settings
    from freezebench.planning.finished import FinishedRuns, NeededRun
    from freezebench.verdicts.judge import ConfigurationResult


def next_step(
    settings: Settings,
    freeze: str,
    finished: FinishedRuns,
    *,
    grid: Collection[str] = (),
    with_times: bool = True,
) -> list[NeededRun] | ConfigurationResult:
    """Return the runs that are needed before one configuration has a result, in order, or its result.

    The runs are those that the current round lacks (see ``planning.rounds``), of other configurations as well. Plan
    again after each of them: the result is there as soon as this configuration has its own runs of a round that
    decides it, and only an undecided configuration needs the rest of the round.

    Args:
        settings: The settings of the test.
        freeze: Canonical id of the configuration.
        finished: The runs that have ended; their order does not matter.
        grid: All configurations of the session, which are trained seed by seed.
        with_times: Whether required savings of time and energy are checked, which takes further runs.
    """
    planned = groups(settings, {*grid, freeze}, with_times=with_times)
    group = next(group for group in planned if freeze in ("none", *group.candidates))
    for current in rounds(settings, group, finished):
        # A pooled verdict rests on the runs of all configurations.
        if current.lacks(freeze) or (settings.pool_seeds and freeze != "none" and current.missing):
            return list(current.missing)
        result = result_of_look(settings, freeze, current.num_seeds, finished, current.pooled)
        if not is_open(settings, result):
            break
        if current.missing:
            return list(current.missing)
    return with_savings(settings, result, finished, with_times=with_times)


def result_so_far(
    settings: Settings,
    freeze: str,
    finished: FinishedRuns,
    *,
    grid: Collection[str] = (),
    with_times: bool = True,
) -> ConfigurationResult | None:
    """Return the result of a configuration's latest look that lacks no runs; ``None`` without one.

    The arguments are those of ``next_step``.
    """
    planned = groups(settings, {*grid, freeze}, with_times=with_times)
    group = next(group for group in planned if freeze in ("none", *group.candidates))
    result = None
    for current in rounds(settings, group, finished):
        if current.lacks(freeze) or (settings.pool_seeds and freeze != "none" and current.missing):
            break
        result = result_of_look(settings, freeze, current.num_seeds, finished, current.pooled)
        if not is_open(settings, result):
            break
    return None if result is None else with_savings(settings, result, finished, with_times=with_times)


def with_savings(
    settings: Settings, result: ConfigurationResult, finished: FinishedRuns, *, with_times: bool
) -> ConfigurationResult:
    """Return a result with the limits that require savings as well; the baseline and a broken one have none."""
    if result.is_baseline or result.broken:
        return result
    limits = settings.costs if with_times else settings.costs.memory_only
    pairs = interleaved_pairs(settings, result.freeze, finished)
    parts = savings_parts(result.freeze, limits, records=result.records, baseline=result.baseline, pairs=pairs)
    return replace(result, parts=(*result.parts, *parts))
