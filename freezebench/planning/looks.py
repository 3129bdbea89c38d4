"""Which runs one configuration needs next, and its result once it needs none.

Seeds are added look by look, in the manner of a group-sequential trial: each configuration is judged after a few seeds,
and only those that are still undecided get more. The baseline always has as many seeds as its candidate, because runs
are compared seed by seed. The functions are pure: the same records and look give the same plan, in any order of their
arrival.

    settings, finished runs ──► next_step ──► needed runs ──► (train them, add their records, plan again)
                                          └─► result
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.planning.finished import NeededRun
from freezebench.planning.interleaving import interleaved_pairs, needed_interleaved_run
from freezebench.verdicts.judge import ConfigurationResult, judge, pooled_over
from freezebench.verdicts.savings import savings_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezebench.config.settings import Settings
    from freezebench.planning.finished import FinishedRuns
    from freezebench.records.run_record import RunRecord
    from freezebench.specs.interim_looks import InterimLooks
    from freezebench.verdicts.noninferiority import Verdict
    from freezebench.verdicts.pooling import PooledSeedVariance


def next_step(
    settings: Settings,
    freeze: str,
    finished: FinishedRuns,
    *,
    grid: Sequence[str] = (),
    with_times: bool = True,
    look: int = 0,
) -> list[NeededRun] | ConfigurationResult:
    """Return the runs that one configuration needs next, in order, or its result once no run is missing.

    The baseline's runs come first, and nothing is trained to be compared with a baseline that broke.

    Args:
        settings: The settings of the test.
        freeze: Canonical id of the configuration.
        finished: The runs that have ended; their order does not matter.
        grid: All configurations of the session, over which the variance between seeds may be pooled.
        with_times: Whether required savings of time and energy are checked, which takes further runs.
        look: The look whose runs were needed last, ``NeededRun.look``: earlier ones are not judged again, since a
            variance pooled over runs that ended later would change their verdicts.
    """
    first_look = settings.looks.counts[0]
    # Each step returns its missing runs, and is passed once it has all of them: the steps are in the order of the runs.
    baseline = _look(settings, "none", first_look, finished)
    if not isinstance(baseline, ConfigurationResult) or freeze == "none":
        return baseline
    if baseline.broken:
        return _judged(settings, freeze, [], baseline.records)
    if settings.pool_seeds:
        # The first verdict already rests on the variance of all configurations.
        missing = [run for spec in grid for run in missing_runs(settings, spec, first_look, finished)]
        if missing:
            return missing
    if with_times and settings.costs.needs_paired_runs(freeze):
        # First, so that the frozen runs among them are also the seeds that the accuracy is judged by.
        interleaved_run = needed_interleaved_run(settings, freeze, finished)
        if interleaved_run is not None:
            return [interleaved_run]
    result = _looks(settings, freeze, finished, grid if settings.pool_seeds else (), start=look)
    if not isinstance(result, ConfigurationResult) or result.broken:
        return result
    limits = settings.costs if with_times else settings.costs.memory_only
    pairs = interleaved_pairs(settings, freeze, finished)
    parts = savings_parts(freeze, limits, records=result.records, baseline=result.baseline, pairs=pairs)
    return replace(result, parts=parts)


def baseline_so_far(settings: Settings, finished: FinishedRuns) -> ConfigurationResult:
    """Return the baseline's result with all its seeds that have run, which candidates may have extended."""
    records = finished.of_configuration(settings, "none")
    return _judged(settings, "none", records, records)


def missing_runs(settings: Settings, freeze: str, num_seeds: int, finished: FinishedRuns) -> list[NeededRun]:
    """Return the runs of a configuration's first seeds that have not ended.

    Seeds after an invalid one are not needed: the same fault would end them as well.
    """
    # Times of an earlier session do not measure today's code.
    must_be_new = settings.costs.need_reference
    missing = []
    for seed in settings.seeds[:num_seeds]:
        spec = settings.run_spec(freeze, seed)
        record = finished.record(spec, must_be_new=must_be_new)
        if record is None:
            missing.append(NeededRun(spec=spec, must_be_new=must_be_new, look=num_seeds))
        elif not record.is_valid:
            break
    return missing


def needs_more(verdicts: Iterable[Verdict], looks: InterimLooks) -> int | None:
    """Return the number of seeds of the next look; ``None`` if the configuration needs none.

    It needs none when its interval is decided at every margin (the decision margin and the asserted limit), when
    something is invalid, or after the last look.

    Args:
        verdicts: The verdicts on one configuration's latest interval, one per margin.
        looks: The allowed numbers of seeds.

    Raises:
        SettingsError: If the verdicts were not judged at the looks' ``alpha``, which would void the error rate.
    """
    verdicts = list(verdicts)
    if any(verdict.outcome == "invalid" for verdict in verdicts):
        return None
    undecided = [verdict for verdict in verdicts if not verdict.is_decided]
    for verdict in undecided:
        if not math.isclose(verdict.alpha, looks.alpha):
            raise SettingsError(
                f"a verdict at alpha {verdict.alpha} cannot be one of {len(looks.counts)} looks at {looks.alpha}: "
                "judge every look at InterimLooks.alpha."
            )
    if not undecided:
        return None
    return looks.after(max(verdict.num_seeds or 0 for verdict in undecided))


def _looks(
    settings: Settings, freeze: str, finished: FinishedRuns, grid: Sequence[str], *, start: int
) -> list[NeededRun] | ConfigurationResult:
    """Return the missing runs of the first look from ``start`` on that lacks some, or the result that decides."""
    num_seeds = max(start, settings.looks.counts[0])
    while True:
        result = _look(settings, freeze, num_seeds, finished, grid)
        if not isinstance(result, ConfigurationResult):
            return result
        verdicts = [verdict for verdict in (result.verdict, result.gate) if verdict is not None]
        num_next = needs_more(verdicts, settings.looks)
        if num_next is None:
            return result
        num_seeds = num_next


def _look(
    settings: Settings, freeze: str, num_seeds: int, finished: FinishedRuns, grid: Sequence[str] = ()
) -> list[NeededRun] | ConfigurationResult:
    """Return what one look lacks, the baseline's runs first, or its result."""
    missing = missing_runs(settings, "none", num_seeds, finished)
    if missing:
        return missing
    baseline = _up_to_invalid(settings, "none", num_seeds, finished)
    if freeze == "none" or not baseline[-1].is_valid:
        return _judged(settings, freeze, baseline if freeze == "none" else [], baseline)
    missing = missing_runs(settings, freeze, num_seeds, finished)
    if missing:
        return missing
    pooled = None
    if grid:
        # All finished runs, more than those of this look: each adds to what is known of the variance.
        arms = {spec: finished.of_configuration(settings, spec) for spec in (*grid, freeze)}
        pooled = pooled_over(arms, finished.of_configuration(settings, "none"))
    return _judged(settings, freeze, _up_to_invalid(settings, freeze, num_seeds, finished), baseline, pooled)


def _up_to_invalid(settings: Settings, freeze: str, num_seeds: int, finished: FinishedRuns) -> list[RunRecord]:
    """Return the finished runs of the first seeds in their order, the first invalid one being the last."""
    records = []
    for seed in settings.seeds[:num_seeds]:
        record = finished.record(settings.run_spec(freeze, seed))
        if record is None:
            break
        records.append(record)
        if not record.is_valid:
            break
    return records


def _judged(
    settings: Settings,
    freeze: str,
    records: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
    pooled: PooledSeedVariance | None = None,
) -> ConfigurationResult:
    return judge(
        freeze,
        records,
        baseline,
        margin_pp=settings.margin_pp,
        limit_pp=settings.max_drop.get(freeze) if settings.limits_from else None,
        alpha=settings.looks.alpha,
        pooled=pooled,
    )
