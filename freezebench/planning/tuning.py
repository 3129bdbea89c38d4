"""Learning rates that are chosen for each configuration, the baseline included, before its first look.

Every configuration gets the same number of trials: one run for each factor of its usual rate, all with one seed that no
judged run has. The validation loss of the best epoch decides, and the test split plays no part, so that the runs that
are judged afterwards owe nothing to the choice but their rate.

    none 41 × 0.33 ─► none 41 × 1 ─► none 41 × 3 ─► emb 41 × 0.33 ─► …  │  none 42 ─► emb 42 ─► … (at the chosen rates)

Trials are ordinary runs: they are stored and reused, count against a budget, and train on any slot. Their times count
for nothing. Which rate is chosen follows from their records, in whatever order they ended.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from freezebench.planning.finished import NeededRun
from freezebench.specs.names import LARGEST_SEED
from freezebench.specs.numbers import short_number
from freezebench.verdicts.tuned_rate import RateTrial, TunedRate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezebench.config.settings import Settings
    from freezebench.planning.finished import FinishedRuns
    from freezebench.records.run_record import RunRecord
    from freezebench.specs.run import RunSpec


def trial_seed(settings: Settings) -> int:
    """Return the seed of all trials: the one before the first, so that no number of seeds ever reaches it."""
    return settings.seed - 1 if settings.seed else LARGEST_SEED


def trial_specs(settings: Settings, freeze: str) -> list[RunSpec]:
    """Return the trials of a configuration, the smallest rate first; none if rates are not tuned."""
    seed = trial_seed(settings)
    usual = settings.run_spec(freeze, seed).protocol.learning_rate
    return [settings.run_spec(freeze, seed, short_number(usual * factor)) for factor in settings.tune_lr]


def needed_trials(settings: Settings, grid: Iterable[str], finished: FinishedRuns) -> list[NeededRun]:
    """Return the trials of some configurations that have not ended, in order."""
    specs = [spec for freeze in grid for spec in trial_specs(settings, freeze)]
    return [NeededRun(spec=spec, is_trial=True) for spec in specs if finished.record(spec) is None]


def tuned_rate(settings: Settings, freeze: str, finished: FinishedRuns) -> TunedRate | None:
    """Return what the trials of a configuration show; ``None`` if there are none, or some have not ended."""
    if not settings.tune_lr:  # plans are made anew after every run
        return None
    records = finished_trials(settings, freeze, finished)
    if not records:
        return None
    trials = [RateTrial(rate=run.spec.protocol.learning_rate, loss=run.best_validation_loss) for run in records]
    return TunedRate(trials=tuple(trials), seed=trial_seed(settings))


def tuning_fault(settings: Settings, freeze: str, finished: FinishedRuns) -> RunRecord | None:
    """Return a run that stands for those of a configuration all of whose trials broke; ``None`` if that is not so."""
    tuned = tuned_rate(settings, freeze, finished)
    if tuned is None or tuned.chosen is not None:
        return None
    records = finished_trials(settings, freeze, finished)
    reason = f"all {len(records)} trials of a learning rate failed, the first of them: {records[0].reason}"
    return replace(records[0], status="invalid", cause=records[0].cause or "non_finite_loss", reason=reason)


def run_spec(settings: Settings, freeze: str, seed: int, finished: FinishedRuns) -> RunSpec:
    """Return the run of a configuration and seed, at the rate that its trials chose; at its usual one until then."""
    tuned = tuned_rate(settings, freeze, finished)
    return settings.run_spec(freeze, seed, None if tuned is None else tuned.chosen)


def finished_trials(settings: Settings, freeze: str, finished: FinishedRuns) -> list[RunRecord]:
    """Return the trials of a configuration once all of them have ended."""
    specs = trial_specs(settings, freeze)
    records = [record for spec in specs if (record := finished.record(spec)) is not None]
    return records if len(records) == len(specs) else []
