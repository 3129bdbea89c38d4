"""Rounds: the runs of one look go seed by seed through all configurations that need it.

A machine drifts: it warms up, and other programs come and go. In this order a drift meets every configuration alike,
and after the first seed all of them can be compared, if only provisionally.

    round 1, look of 3 seeds    none 42 ─► emb 42 ─► emb+L0 42 ─► none 43 ─► emb 43 ─► emb+L0 43 ─► none 44 ─► …
    round 2, look of 5 seeds    none 45 ─► emb+L0 45 ─► none 46 ─► emb+L0 46             (emb was decided in round 1)

A round begins once the last one has all its runs. Configurations with a required saving have their own order, that of
``planning.interleaving``, in which the baseline runs once more; they are planned apart from the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.planning.finished import NeededRun
from freezebench.planning.interleaving import needed_interleaved_runs
from freezebench.planning.results import broken_baseline, is_open, pooled_variance, result_of_look
from freezebench.planning.tuning import needed_trials, run_spec, tuning_fault
from freezebench.specs.freeze import FreezeSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from freezebench.config.settings import Settings
    from freezebench.planning.finished import FinishedRuns
    from freezebench.verdicts.pooling import PooledSeedVariance


@dataclass(frozen=True, kw_only=True)
class Group:
    """Candidates whose runs are planned together, with those of the baseline.

    Attributes:
        candidates: Canonical ids, least frozen first.
        interleaved: Those of them whose first runs are interleaved with the baseline's.
        times_baseline: Whether the table has such candidates, in this group or another one: the other unfrozen runs
            show how much the times of one configuration differ.
    """

    candidates: tuple[str, ...]
    interleaved: frozenset[str] = frozenset()
    times_baseline: bool = False


@dataclass(frozen=True, kw_only=True)
class Round:
    """One look at those candidates of a group that need it.

    Attributes:
        num_seeds: Number of seeds of the look.
        candidates: The candidates, least frozen first.
        missing: Runs that have not ended, in the order in which they are needed; once no others are missing, those of
            one series of interleaved runs.
        is_stopped: Whether the baseline broke, so that nothing else is needed.
        pooled: Variance between seeds over the group, once no run is missing; ``None`` if it is not pooled.
    """

    num_seeds: int
    candidates: tuple[str, ...]
    missing: tuple[NeededRun, ...]
    is_stopped: bool
    pooled: PooledSeedVariance | None

    def lacks(self, freeze: str) -> bool:
        """Return whether a run of a configuration is missing, or one of the baseline that it is compared with."""
        # The baseline's runs between interleaved ones are not those that it is judged by itself.
        missing = [needed for needed in self.missing if freeze != "none" or needed.interleaved_with is None]
        # As long as trials of learning rates are missing, no run of the look has begun.
        return any(needed.is_trial or needed.spec.freeze in ("none", freeze) for needed in missing)


def groups(settings: Settings, grid: Collection[str], *, with_times: bool) -> list[Group]:
    """Return the candidates of a grid in groups, those with required savings of time or energy each in its own.

    Args:
        settings: The settings of the tests.
        grid: Canonical ids of all configurations; the baseline belongs to every group.
        with_times: Whether required savings of time and energy are checked.
    """
    candidates = sorted({*grid} - {"none"}, key=lambda freeze: FreezeSpec.parse(freeze).frozen_order)
    timed = [freeze for freeze in candidates if with_times and settings.costs.needs_paired_runs(freeze)]
    if settings.pool_seeds:
        # Every verdict rests on the variance of all configurations, so that none can be given without the others.
        return [Group(candidates=tuple(candidates), interleaved=frozenset(timed), times_baseline=bool(timed))]
    others = tuple(freeze for freeze in candidates if freeze not in timed)
    return [
        Group(candidates=others, times_baseline=bool(timed)),
        *(Group(candidates=(freeze,), interleaved=frozenset({freeze}), times_baseline=True) for freeze in timed),
    ]


def rounds(settings: Settings, group: Group, finished: FinishedRuns) -> Iterator[Round]:
    """Yield the rounds of a group up to the first one that lacks runs; the last one lacks none if all is decided.

    Later looks are at candidates that are undecided alone, with the baseline along.
    """
    undecided = group.candidates
    seeds_of: dict[str, int] = {}
    for num_seeds in settings.looks.counts:
        seeds_of |= dict.fromkeys(undecided, num_seeds)
        missing, is_stopped = missing_runs(settings, group, undecided, num_seeds, finished)
        pools = settings.pool_seeds and not missing and not is_stopped
        pooled = pooled_variance(settings, seeds_of, finished) if pools else None
        this = Round(
            num_seeds=num_seeds, candidates=undecided, missing=tuple(missing), is_stopped=is_stopped, pooled=pooled
        )
        yield this
        if missing:
            return
        # A round without missing runs has a result for each of its candidates.
        results = {freeze: result_of_look(settings, freeze, num_seeds, finished, pooled) for freeze in undecided}
        undecided = tuple(freeze for freeze, result in results.items() if is_open(settings, result))
        if not undecided:
            return


def missing_runs(
    settings: Settings, group: Group, candidates: Collection[str], num_seeds: int, finished: FinishedRuns
) -> tuple[list[NeededRun], bool]:
    """Return the missing runs of a round in order, and whether the baseline broke.

    Where learning rates are tuned, the trials come first. Runs before one that broke are still needed, so that the
    outcome does not depend on the order in which runs end.
    """
    if tuning_fault(settings, "none", finished) is not None:
        return [], True
    trials = needed_trials(settings, ("none", *candidates), finished)
    if trials:
        return trials, False
    with_rate = [freeze for freeze in candidates if tuning_fault(settings, freeze, finished) is None]
    return _missing_of_look(settings, group, with_rate, num_seeds, finished)


def _missing_of_look(
    settings: Settings, group: Group, candidates: Collection[str], num_seeds: int, finished: FinishedRuns
) -> tuple[list[NeededRun], bool]:
    """Return the missing runs of a round at learning rates that are known, and whether the baseline broke."""
    # Times of an earlier session do not measure today's code.
    must_be_new = settings.costs.need_reference
    broken_at = broken_baseline(settings, num_seeds, finished, must_be_new=must_be_new)
    waiting: dict[str, list[NeededRun]] = {}
    for freeze in candidates:
        series = needed_interleaved_runs(settings, freeze, finished) if freeze in group.interleaved else []
        if series:
            waiting[freeze] = series
    missing = []
    ended: set[str] = set()
    for position, seed in enumerate(settings.seeds[:num_seeds]):
        for freeze in ("none", *candidates):
            if freeze in waiting or freeze in ended:
                continue
            spec = run_spec(settings, freeze, seed, finished)
            record = finished.record(spec, must_be_new=must_be_new)
            if record is None:
                is_timed = group.times_baseline and freeze == "none"
                missing.append(NeededRun(spec=spec, must_be_new=must_be_new, is_timed=is_timed))
            elif not record.is_valid:
                # The same fault would end its later seeds as well.
                ended.add(freeze)
            if position == broken_at:
                return missing, True
    # Interleaved runs train with nothing beside them.
    return missing or next(iter(waiting.values()), []), False
