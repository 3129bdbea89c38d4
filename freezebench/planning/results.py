"""The result of one look at a configuration, from finished runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.planning.tuning import finished_trials, run_spec, tuned_rate, tuning_fault
from freezebench.records.evaluated import computed_once
from freezebench.records.run_record import data_of
from freezebench.scoring.metrics import ACCURACY, metric_of
from freezebench.specs.grid import WORDS, split_grid
from freezebench.verdicts.arms import pooled_over, unrecorded_text
from freezebench.verdicts.baseline import baseline_fault, one_class_fault
from freezebench.verdicts.contradictions import contradiction
from freezebench.verdicts.judge import ConfigurationResult, judge
from freezebench.verdicts.noninferiority import invalid_verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from freezebench.config.settings import Settings
    from freezebench.planning.finished import FinishedRuns
    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.metric import Metric
    from freezebench.specs.grid import PerSpec
    from freezebench.specs.interim_looks import InterimLooks
    from freezebench.verdicts.judge import ConfigurationResult
    from freezebench.verdicts.noninferiority import Verdict
    from freezebench.verdicts.pooling import PooledSeedVariance


def result_of_look(
    settings: Settings,
    freeze: str,
    num_seeds: int,
    finished: FinishedRuns,
    pooled: PooledSeedVariance | None = None,
) -> ConfigurationResult:
    """Return the result of a look whose runs have all ended.

    Args:
        settings: The settings of the test.
        freeze: Canonical id of the configuration.
        num_seeds: Number of seeds of the look.
        finished: The runs that have ended. Those of later seeds, and those after a broken one, do not count.
        pooled: Variance between seeds over several configurations; ``None``: each has its own.
    """
    position = broken_baseline(settings, num_seeds, finished)
    baseline = up_to_invalid(settings, "none", num_seeds if position is None else position + 1, finished)
    if freeze == "none":
        return _with_rate(settings, judged(settings, freeze, baseline, baseline), finished)
    # Only the seeds before a broken baseline were planned for candidates.
    num_compared = num_seeds if position is None else position
    records = up_to_invalid(settings, freeze, num_compared, finished)
    result = judged(settings, freeze, records, baseline, pooled, num_seeds=num_compared)
    return _with_rate(settings, result, finished)


def baseline_so_far(settings: Settings, finished: FinishedRuns) -> ConfigurationResult:
    """Return the baseline's result with all its seeds that have run, which candidates may have extended.

    Those after one that broke do not count, as in every look: several slots may have trained them before it broke.
    """
    records = up_to_invalid(settings, "none", settings.looks.max_seeds, finished)
    return _with_rate(settings, judged(settings, "none", records, records), finished)


def _with_rate(settings: Settings, result: ConfigurationResult, finished: FinishedRuns) -> ConfigurationResult:
    """Return a result with the rates that were tried for its configuration."""
    tried = tuple(finished_trials(settings, result.freeze, finished)) if settings.tune_lr else ()
    return replace(result, tuned_rate=tuned_rate(settings, result.freeze, finished), tried=tried)


def broken_baseline(
    settings: Settings, num_seeds: int, finished: FinishedRuns, *, must_be_new: bool = False
) -> int | None:
    """Return the position of the seed at which the baseline of a look broke; ``None`` if it has not.

    A run that is invalid or predicts a single class breaks it at once, even while earlier seeds have not ended. Whether
    the seeds together have learned anything is known once the last one has ended, or only at a later look.
    """
    if tuning_fault(settings, "none", finished) is not None:
        return 0
    specs = [run_spec(settings, "none", seed, finished) for seed in settings.seeds[:num_seeds]]
    records = [finished.record(spec, must_be_new=must_be_new) for spec in specs]
    for position, record in enumerate(records):
        if record is not None and (
            not record.is_valid or one_class_fault([record], judging_metric(settings, [record]))
        ):
            return position
    ended = [record for record in records if record is not None]
    if len(ended) < num_seeds or _awaits_next_look(settings, ended):
        return None
    return num_seeds - 1 if judged(settings, "none", ended, ended).broken else None


def is_open(settings: Settings, result: ConfigurationResult) -> bool:
    """Return whether a configuration needs the seeds of the next look: it is undecided, or its baseline is.

    Args:
        settings: The settings of the test.
        result: The result of the latest look.
    """
    if not all(record.is_valid for record in (*result.records, *result.baseline)):
        return False
    if _awaits_next_look(settings, result.baseline):
        return True
    return needs_more((result.verdict, result.gate), settings.looks)


def _awaits_next_look(settings: Settings, baseline: Sequence[RunRecord]) -> bool:
    """Return whether a baseline that is not shown to have learned anything may be shown to with more seeds."""
    if settings.looks.after(len(baseline)) is None or judged(settings, "none", baseline, baseline).broken is None:
        return False
    metric = judging_metric(settings, baseline)
    if unrecorded_text(baseline, metric):
        return False
    fault = baseline_fault(baseline, alpha=settings.looks.alpha, metric=metric)
    return fault is not None and fault.more_seeds_may_help


def pooled_variance(
    settings: Settings, seeds_of: Mapping[str, int], finished: FinishedRuns
) -> PooledSeedVariance | None:
    """Return the variance between seeds pooled over candidates.

    Args:
        settings: The settings of the test.
        seeds_of: Number of seeds that count, by candidate: those up to the look that decided it.
        finished: The runs that have ended.
    """
    arms = {freeze: up_to_invalid(settings, freeze, number, finished) for freeze, number in seeds_of.items()}
    baseline = up_to_invalid(settings, "none", max(seeds_of.values(), default=0), finished)
    return pooled_over(arms, baseline, judging_metric(settings, baseline))


def up_to_invalid(settings: Settings, freeze: str, num_seeds: int, finished: FinishedRuns) -> list[RunRecord]:
    """Return the finished runs of the first seeds in their order, up to the first that is invalid or has not ended.

    Where all trials of a learning rate failed, there is no other run than one that says so.
    """
    fault = tuning_fault(settings, freeze, finished)
    if fault is not None:
        return [fault][:num_seeds]
    records = []
    for seed in settings.seeds[:num_seeds]:
        record = finished.record(run_spec(settings, freeze, seed, finished))
        if record is None:
            break
        records.append(record)
        if not record.is_valid:
            break
    return records


def needs_more(verdicts: Iterable[Verdict | None], looks: InterimLooks) -> bool:
    """Return whether a configuration needs the seeds of the next look.

    It needs none when its interval is decided at every margin (the decision margin and the asserted limit), when
    something is invalid, or after the last look.

    Args:
        verdicts: The verdicts on one configuration's latest interval, one per margin; ``None`` where there is none.
        looks: The allowed numbers of seeds.

    Raises:
        SettingsError: If the verdicts were not judged at the looks' ``alpha``, which would void the error rate.
    """
    given = [verdict for verdict in verdicts if verdict is not None]
    if any(verdict.outcome == "invalid" for verdict in given):
        return False
    undecided = [verdict for verdict in given if not verdict.is_decided]
    for verdict in undecided:
        if not math.isclose(verdict.alpha, looks.alpha):
            raise SettingsError(
                f"a verdict at alpha {verdict.alpha} cannot be one of {len(looks.counts)} looks at {looks.alpha}: "
                "judge every look at InterimLooks.alpha."
            )
    return any(looks.after(verdict.num_seeds or 0) is not None for verdict in undecided)


def judging_metric(settings: Settings, records: Sequence[RunRecord]) -> Metric:
    """Return the metric that judges some runs: that of the settings, or the usual one of their task."""
    data = data_of(records)
    # Without a run that read its data there is nothing to compute.
    return ACCURACY if data is None else metric_of(settings.metric, data.task, data.label_names)


def _rates_of_grid(settings: Settings) -> PerSpec:
    """Return the learning rates of a test, without those of configurations that its grid does not have."""
    rates, names = settings.learning_rates, split_grid(settings.grid)
    if not set(WORDS).isdisjoint(names):
        return rates
    return replace(rates, by_spec=tuple(pair for pair in rates.by_spec if pair[0] in ("none", *names)))


def judged(
    settings: Settings,
    freeze: str,
    records: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
    pooled: PooledSeedVariance | None = None,
    *,
    num_seeds: int | None = None,
) -> ConfigurationResult:
    """Return the result of some runs; an invalid one if it contradicts itself.

    Args:
        settings: The settings of the test.
        freeze: Canonical id of the configuration.
        records: Its runs.
        baseline: The unfrozen runs.
        pooled: Variance between seeds over several configurations.
        num_seeds: How many seeds have to be judged; ``None``: those of the records.
    """

    def judge_anew() -> ConfigurationResult:
        return _judged_anew(settings, freeze, records, baseline, pooled, num_seeds=num_seeds)

    if not records:
        return judge_anew()
    # After every run, a plan goes through all looks again. The result holds its runs, so that their ids stay theirs.
    runs = tuple(map(id, records)), tuple(map(id, baseline))
    key = ("judged", settings, freeze, *runs, pooled, num_seeds)
    return computed_once(records[-1], key, judge_anew)


def _judged_anew(
    settings: Settings,
    freeze: str,
    records: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
    pooled: PooledSeedVariance | None,
    *,
    num_seeds: int | None,
) -> ConfigurationResult:
    """Return the result of some runs; the arguments are those of ``judged``."""
    limit_pp = settings.max_drop.get(freeze) if settings.limits_from else None
    margin_pp, alpha = settings.margin_pp, settings.looks.alpha
    metric = judging_metric(settings, [*baseline, *records])
    result = judge(
        freeze,
        records,
        baseline,
        margin_pp=margin_pp,
        limit_pp=limit_pp,
        alpha=alpha,
        pooled=pooled,
        metric=metric,
        max_slice_drop=settings.max_slice_drop,
        max_test_drop=settings.max_test_drop,
    )
    result = replace(result, rates=_rates_of_grid(settings))
    wrong = contradiction(result, limit_pp=limit_pp, num_seeds=len(records) if num_seeds is None else num_seeds)
    if wrong is None:
        return result
    broken = f"the result contradicts itself: {wrong}"
    unit = metric.drop_unit
    verdict = invalid_verdict(broken, margin_pp=margin_pp, alpha=alpha, num_seeds=len(records), unit=unit)
    gate = None if limit_pp is None or result.is_baseline else verdict.at_margin(limit_pp)
    return replace(result, broken=broken, verdict=verdict, gate=gate)
