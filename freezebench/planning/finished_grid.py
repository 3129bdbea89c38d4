"""Finished grids: the runs of experiments that have ended, judged again by another metric, margin or limit.

A folder may hold runs of several experiments, and of one configuration runs at several learning rates, as where rates
were tuned. Only runs at one rate are one configuration: the rate with most seeds counts, of several the latest.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from freezebench.config.settings import Settings
from freezebench.errors import RecordError, SettingsError
from freezebench.planning.design import check_metric
from freezebench.planning.results import judged
from freezebench.records.run_record import data_of
from freezebench.scoring.metrics import ACCURACY, metric_of
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.grid import PerSpec
from freezebench.specs.interim_looks import MAX_LOOKS, InterimLooks
from freezebench.specs.names import LARGEST_SEED
from freezebench.verdicts.tuned_rate import RateTrial, TunedRate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.specs.run import RunSpec
    from freezebench.verdicts.judge import ConfigurationResult


@dataclass(frozen=True, kw_only=True)
class Judging:
    """What finished runs are judged by.

    Attributes:
        metric: Name of the metric; ``None``: the usual one of the task.
        margin_pp: Margin in percentage points, or in the metric's own unit.
        max_drop: Limits per configuration, in the same unit.
        max_slice_drop: Limit of every slice; ``None``: not asserted.
        max_test_drop: Limit of every further test set; ``None``: not asserted.
    """

    metric: str | None
    margin_pp: float
    max_drop: PerSpec
    max_slice_drop: float | None = None
    max_test_drop: float | None = None


@dataclass(frozen=True, kw_only=True)
class FinishedGrid:
    """The runs of one experiment.

    Attributes:
        arms: Its runs by configuration, in the order of their seeds, the unfrozen ones among them.
        looks: The numbers of seeds after which configurations were judged as they trained.
        others: Results of configurations that were not run.
        tuned_rates: The learning rates that were tried for configurations, by canonical id.
        tune_lr: Factors of the rates that were tried; empty where none were.
        session_judging: Metric and margin of the session, of which the metric is ``None`` where it was the usual one;
            ``None``: not known.
    """

    arms: dict[str, tuple[RunRecord, ...]]
    looks: InterimLooks
    others: tuple[ConfigurationResult, ...] = ()
    tuned_rates: Mapping[str, TunedRate] = field(default_factory=dict)
    tune_lr: tuple[float, ...] = ()
    session_judging: tuple[str | None, float] | None = None

    @property
    def spec(self) -> RunSpec:
        """The spec of its first run, which represents the experiment."""
        return next(iter(self.arms.values()))[0].spec

    @property
    def freezes(self) -> list[str]:
        """The ids of its configurations, those that were not run among them."""
        return [*self.arms, *(result.freeze for result in self.others)]

    @property
    def usual_metric(self) -> str:
        """The name of the metric that judges its task if none is named."""
        data = data_of(record for records in self.arms.values() for record in records)
        return ACCURACY.name if data is None else metric_of(None, data.task, data.label_names).name

    def settings(self, judging: Judging) -> Settings:
        """Return the settings of this experiment, as far as its runs tell them, with another judging."""
        spec = self.spec
        rates = {freeze: records[0].spec.protocol.learning_rate for freeze, records in self.arms.items()}
        return Settings(
            preset="",
            preset_reason="",
            model=spec.model,
            data=spec.data,
            protocol=spec.protocol,
            learning_rates=PerSpec(default=rates.pop("none", None), by_spec=tuple(rates.items())),
            grid=",".join(self.arms),
            looks=self.looks,
            seed=spec.seed,
            tune_lr=self.tune_lr,
            metric=judging.metric,
            margin_pp=judging.margin_pp,
            max_drop=judging.max_drop,
            max_slice_drop=judging.max_slice_drop,
            max_test_drop=judging.max_test_drop,
            limits_from="--max-drop" if judging.max_drop.numbers else None,
        )

    def refusal(self, judging: Judging) -> str | None:
        """Return why the task or its classes do not have the metric; ``None`` if they do."""
        records = (record for records in self.arms.values() for record in records)
        data = data_of(records)
        try:
            if data is None:
                metric_of(judging.metric, "sequence-classification")
            else:
                check_metric(judging.metric, data)
        except SettingsError as error:
            return str(error)
        return None

    def judge(self, judging: Judging) -> list[ConfigurationResult]:
        """Return the results of all configurations.

        Raises:
            RecordError: If the unfrozen runs are missing, or a run has not recorded what the metric needs.
            SettingsError: If the task does not have the metric.
        """
        unfrozen = {record.spec.seed: record for record in self.arms.get("none", ())}
        if not unfrozen:
            raise RecordError(
                f"{self.spec.model} on {self.spec.data.source}: there are no unfrozen runs, from which drops are "
                "measured. Run the session once more with the configuration none."
            )
        self._check_recorded(judging)
        self._check_limits(judging)
        settings, results = self.settings(judging), list(self.others)
        for freeze, records in self.arms.items():
            paired = [record for record in records if record.spec.seed in unfrozen]
            if paired:
                baseline = [unfrozen[record.spec.seed] for record in paired]
                result = judged(settings, freeze, paired, baseline)
                results.append(replace(result, tuned_rate=self.tuned_rates.get(freeze)))
        return results

    def _check_limits(self, judging: Judging) -> None:
        """Make sure that limits on slices and further test sets have some to hold for.

        Raises:
            SettingsError: If they do not.
        """
        name = f"{self.spec.model} on {self.spec.data.source}"
        if judging.max_slice_drop is not None and self.spec.data.slice_column is None:
            raise SettingsError(
                f"--max-slice-drop: the runs of {name} were trained without --freeze-slice-column and have no slices. "
                "Leave the limit out, or train them with a column."
            )
        if judging.max_test_drop is not None and not self.spec.data.test_sets:
            raise SettingsError(
                f"--max-test-drop: the runs of {name} were evaluated on no further test set. Leave the limit out, or "
                "train them with --freeze-test=NAME=SOURCE."
            )

    def _check_recorded(self, judging: Judging) -> None:
        """Make sure that the task has the metric, and that all runs have recorded what it needs.

        Raises:
            RecordError: If a run has recorded predictions alone.
            SettingsError: If the task does not have the metric.
        """
        all_records = [record for records in self.arms.values() for record in records]
        if (data := data_of(all_records)) is not None:
            check_metric(judging.metric, data)
        for record in all_records:
            if record.data is None or record.test is None:
                continue
            metric = metric_of(judging.metric, record.data.task, record.data.label_names)
            if metric.uses == "scores" and record.test.scores is None:
                raise RecordError(
                    f"{metric.name} is computed from scores, and seed {record.spec.seed} of {record.spec.freeze} has "
                    "recorded predictions alone, as earlier versions did. Train it again with --freeze-resume=no, or "
                    "choose a metric of predictions, such as macro-f1."
                )


def grid_of_results(
    results: Iterable[ConfigurationResult],
    looks: InterimLooks | None,
    tune_lr: tuple[float, ...] = (),
    session_judging: tuple[str | None, float] | None = None,
) -> FinishedGrid | None:
    """Return the runs behind the results of one experiment; ``None`` if nothing was run.

    Args:
        results: The results.
        looks: The numbers of seeds after which they were judged; ``None``: not known.
        tune_lr: Factors of the rates that were tried for each.
        session_judging: Metric and margin of their session; ``None``: not known.
    """
    results = list(results)
    arms = {result.freeze: _in_order(result.records) for result in results if result.records}
    others = tuple(result for result in results if not result.was_run)
    tuned = {result.freeze: result.tuned_rate for result in results if result.tuned_rate is not None}
    if not arms:
        return None
    return FinishedGrid(
        arms=arms,
        looks=looks or _looks_of(arms),
        others=others,
        tuned_rates=tuned,
        tune_lr=tune_lr,
        session_judging=session_judging,
    )


def grids_of_runs(records: Iterable[RunRecord]) -> list[FinishedGrid]:
    """Return the experiments of the runs of a store, in the order of their first runs."""
    by_experiment: dict[str, list[RunRecord]] = {}
    for record in sorted(records, key=lambda record: record.started_at):
        by_experiment.setdefault(record.spec.experiment_id, []).append(record)
    grids = []
    for own in by_experiment.values():
        by_freeze: dict[str, list[RunRecord]] = {}
        for record in own:
            by_freeze.setdefault(record.spec.freeze, []).append(record)
        names = sorted(by_freeze, key=lambda freeze: FreezeSpec.parse(freeze).frozen_order)
        tuned = _tuned_rates(by_freeze)
        trial_seeds = {rates.seed for rates in tuned.values()}
        runs_of = {name: [run for run in by_freeze[name] if run.spec.seed not in trial_seeds] for name in names}
        arms = {freeze: _in_order(_of_one_rate(runs)) for freeze, runs in runs_of.items() if runs}
        if not arms:  # a session that ended with its trials
            continue
        grids.append(FinishedGrid(arms=arms, looks=_looks_of(arms), tuned_rates=tuned))
    return grids


def _looks_of(arms: Mapping[str, Sequence[RunRecord]]) -> InterimLooks:
    """Return the numbers of seeds after which configurations were probably judged.

    Where they have different numbers of seeds, some were decided at an interim look and others trained on.
    """
    counts = sorted({len(records) for records in arms.values()})
    return InterimLooks(counts=tuple(counts[-MAX_LOOKS:]))


def _of_one_rate(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the runs at the learning rate with most seeds, of several the latest; one run of each seed, the latest."""
    by_rate: dict[float, dict[int, RunRecord]] = {}
    for record in records:  # in the order in which they started
        by_rate.setdefault(record.spec.protocol.learning_rate, {})[record.spec.seed] = record
    latest = reversed(list(by_rate.values()))
    return list(max(latest, key=len).values())


def _tuned_rates(by_freeze: Mapping[str, Sequence[RunRecord]]) -> dict[str, TunedRate]:
    """Return the trials of rates among the runs of one experiment, by canonical id; a store does not mark them.

    They are the runs of the seed before the first one (``planning.tuning``). It is none if some configuration has one
    rate with that seed, or another rate with later seeds than its trials choose: somebody changed the rate then.
    """
    seeds = {run.spec.seed for runs in by_freeze.values() for run in runs}
    seed = LARGEST_SEED if {0, LARGEST_SEED} <= seeds else min(seeds)
    tuned: dict[str, TunedRate] = {}
    for freeze, runs in by_freeze.items():
        trials = {run.spec.protocol.learning_rate: run.best_validation_loss for run in runs if run.spec.seed == seed}
        judged_at = {run.spec.protocol.learning_rate for run in runs if run.spec.seed != seed}
        losses = tuple(RateTrial(rate=rate, loss=trials[rate]) for rate in sorted(trials))
        tuned[freeze] = TunedRate(trials=losses, seed=seed)
        if len(trials) == 1 or not judged_at <= {tuned[freeze].chosen}:
            return {}
    return tuned


def _in_order(records: Iterable[RunRecord]) -> tuple[RunRecord, ...]:
    return tuple(sorted(records, key=lambda record: record.spec.seed))
