"""Learning rates that are chosen for each configuration by its validation loss."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import made_up
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.planning.finished import FinishedRuns, NeededRun
from freezebench.planning.replay import replay
from freezebench.planning.retries import forget_faults
from freezebench.planning.session_plan import SessionPlan
from freezebench.planning.tuning import needed_trials, run_spec, trial_seed, trial_specs, tuned_rate, tuning_fault
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.names import LARGEST_SEED
from freezebench.verdicts.judge import ConfigurationResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freezebench.records.run_record import RunRecord
    from freezebench.specs.run import RunSpec

GRID = ("none", "emb", "emb+L0", "bitfit")


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", "lr": "1e-4", "tune_lr": "yes", "num_seeds": "3", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _record(spec: RunSpec, loss: float | None) -> RunRecord:
    """Return a finished run with a validation loss in its best epoch, or one that broke."""
    run = made_up.record(spec.freeze, spec.seed)
    if loss is None:
        return replace(made_up.broken(spec.freeze, spec.seed), spec=spec)
    first, second = run.epochs
    epochs = (first, replace(second, validation=replace(second.validation, loss=loss)))
    return replace(run, spec=spec, epochs=epochs, best_epoch=2)


def _trained(settings: Settings, losses: Mapping[str, list[float | None]]) -> FinishedRuns:
    """Return the finished trials of some configurations, by their losses at ascending rates."""
    finished = FinishedRuns()
    for freeze, of_rates in losses.items():
        for spec, loss in zip(trial_specs(settings, freeze), of_rates, strict=True):
            finished.add(NeededRun(spec=spec, is_trial=True), _record(spec, loss))
    return finished


def _train_all(settings: Settings, plan: SessionPlan, finished: FinishedRuns) -> list[NeededRun]:
    """Train whatever a session needs; return the runs in their order. Trials have the middle rate as their best one."""
    order = []
    while left := [needed for needed in plan.runs_left(finished) if not needed.is_tentative]:
        needed = left[0]
        rates = [spec.protocol.learning_rate for spec in trial_specs(settings, needed.spec.freeze)]
        loss = abs(rates.index(needed.spec.protocol.learning_rate) - 1) / 10 if needed.is_trial else 0.3
        finished.add(needed, _record(needed.spec, 0.1 + loss))
        order.append(needed)
    return order


def test_every_configuration_has_one_trial_for_each_factor_of_its_usual_rate() -> None:
    """The baseline too; with a seed that no number of seeds reaches."""
    settings = _settings(lr="1e-4,emb:1e-3")
    rates = {freeze: [spec.protocol.learning_rate for spec in trial_specs(settings, freeze)] for freeze in GRID}
    usual = FreezeSpec.parse("bitfit").rate_factor * 1e-4
    assert rates["none"] == rates["emb+L0"] == [3.3e-5, 1e-4, 3e-4]
    assert rates["emb"] == [3.3e-4, 1e-3, 3e-3]
    assert rates["bitfit"] == pytest.approx([0.33 * usual, usual, 3 * usual])
    assert {spec.seed for freeze in GRID for spec in trial_specs(settings, freeze)} == {41}
    assert trial_seed(_settings(seed="0")) == LARGEST_SEED
    assert trial_specs(_settings(tune_lr="no"), "emb") == []
    other = trial_specs(_settings(lr="1e-4,none:2e-4"), "bitfit")
    assert [spec.protocol.learning_rate for spec in other] == pytest.approx([rate * 2 for rate in rates["bitfit"]])


@given(
    losses=st.lists(st.none() | st.sampled_from([0.1, 0.2, 0.3, float("nan"), float("inf")]), min_size=3, max_size=3),
    order=st.permutations(range(3)),
)
def test_the_lowest_loss_decides_whatever_the_order_of_ends(losses: list[float | None], order: list[int]) -> None:
    """Of equal ones the smaller rate; what broke is the worst, and where all broke no rate is chosen."""
    settings = _settings()
    specs, finished = trial_specs(settings, "emb"), FinishedRuns()
    for number, position in enumerate(order):
        assert tuned_rate(settings, "emb", finished) is None
        assert len(needed_trials(settings, ["emb"], finished)) == 3 - number
        assert run_spec(settings, "emb", 42, finished) == settings.run_spec("emb", 42)
        spec = specs[position]
        finished.add(NeededRun(spec=spec, is_trial=True), _record(spec, losses[position]))
    tuned = tuned_rate(settings, "emb", finished)
    assert tuned is not None
    usable = [(loss, rate) for loss, rate in zip(losses, [3.3e-5, 1e-4, 3e-4], strict=True) if loss in (0.1, 0.2, 0.3)]
    assert tuned.chosen == (min(usable)[1] if usable else None)
    assert tuned.is_at_edge == (tuned.chosen in (3.3e-5, 3e-4))
    assert (tuning_fault(settings, "emb", finished) is None) == bool(usable)
    if usable:
        assert run_spec(settings, "emb", 42, finished).protocol.learning_rate == tuned.chosen


@pytest.mark.parametrize("grid", ["all", "search"])
def test_trials_come_before_the_first_look_of_their_configuration(grid: str) -> None:
    """Of all configurations of a grid, and of those depths that a search tries; runs have the chosen rate."""
    settings, finished = _settings(grid=grid), FinishedRuns()
    plan = SessionPlan([(settings, freeze) for freeze in GRID])
    order = _train_all(settings, plan, finished)
    for freeze in GRID:
        own = [needed for needed in order if needed.spec.freeze == freeze]
        assert [needed.is_trial for needed in own][: 3 + 3] in ([True] * 3 + [False] * 3, [])
        assert {needed.spec.protocol.learning_rate for needed in own if not needed.is_trial} <= {
            settings.run_spec(freeze, 42).protocol.learning_rate
        }
    if grid == "all":
        assert [needed.is_trial for needed in order[:13]] == [True] * 12 + [False]
    result = plan.next_step(settings, "emb+L0", finished)
    assert isinstance(result, ConfigurationResult)
    assert result.tuned_rate is not None
    assert [record.spec.seed for record in result.records] == [42, 43, 44]
    assert plan.runs_left(finished) == []


def test_a_configuration_has_no_result_before_its_runs_at_the_chosen_rate() -> None:
    """Neither while trials of others are missing, nor from runs at the usual rate."""
    settings = _settings(tune_lr="0.5,2")
    plan = SessionPlan([(settings, freeze) for freeze in ("none", "emb")])
    finished = _trained(settings, {"emb": [0.2, 0.1]})
    for freeze in ("none", "emb"):
        for seed in settings.seeds:
            usual = settings.run_spec(freeze, seed)
            finished.add(NeededRun(spec=usual), _record(usual, 0.1))
    step = plan.next_step(settings, "emb", finished)
    assert isinstance(step, list)
    assert [needed.spec for needed in step] == trial_specs(settings, "none")
    assert plan.result_so_far(settings, "emb", finished, "it ended").not_reached == "it ended"


def test_where_all_trials_failed_the_configuration_is_invalid() -> None:
    """With the reason; others are judged."""
    settings = _settings()
    plan = SessionPlan([(settings, freeze) for freeze in GRID])
    finished = _trained(
        settings, {"none": [0.2, 0.1, 0.2], "emb": [None] * 3, "emb+L0": [None, 0.2, None], "bitfit": [0.1] * 3}
    )
    _train_all(settings, plan, finished)
    results = {freeze: plan.next_step(settings, freeze, finished) for freeze in GRID}
    broken = results["emb"]
    assert isinstance(broken, ConfigurationResult)
    assert broken.broken == (
        "seed 41: all 3 trials of a learning rate failed, the first of them: non-finite loss: at step 3"
    )
    assert [isinstance(result, ConfigurationResult) and result.broken is None for result in results.values()] == [
        *(True, False),
        *(True, True),
    ]
    tuned = results["emb+L0"]
    assert isinstance(tuned, ConfigurationResult)
    assert {record.spec.protocol.learning_rate for record in tuned.records} == {1e-4}


def test_a_baseline_all_of_whose_trials_failed_ends_the_experiment() -> None:
    """No run of a candidate is needed, and no further trial."""
    settings = _settings()
    plan = SessionPlan([(settings, freeze) for freeze in GRID])
    finished = _trained(settings, {"none": [None] * 3})
    assert plan.runs_left(finished) == []
    baseline, candidate = (plan.next_step(settings, freeze, finished) for freeze in ("none", "emb"))
    assert isinstance(baseline, ConfigurationResult)
    assert isinstance(candidate, ConfigurationResult)
    assert baseline.broken is not None
    assert baseline.broken.startswith("seed 41: all 3 trials")
    assert candidate.broken == "the unfrozen baseline is invalid"


def test_a_rerun_trains_trials_again_only_where_all_of_them_failed() -> None:
    """By a fault that another attempt may not have."""
    settings = _settings()
    finished = _trained(settings, {"none": [0.1] * 3, "emb": [None] * 3, "emb+L0": [None, 0.2, 0.3]})
    for record in list(finished.records.values()):
        if not record.is_valid:
            finished.records[record.spec.run_id] = replace(record, cause="crash")
    assert forget_faults(settings, "emb+L0", finished) == []
    assert len(forget_faults(settings, "emb", finished)) == 3
    assert [needed.spec for needed in needed_trials(settings, GRID[:3], finished)] == trial_specs(settings, "emb")


def test_the_plan_counts_runs_whose_rate_is_open_and_reuses_only_others() -> None:
    """Two configurations take two times three trials and two times three runs, whichever rates are chosen."""
    settings = _settings()
    plan = SessionPlan([(settings, freeze) for freeze in ("none", "emb")])
    left = plan.runs_left(FinishedRuns())
    assert [(needed.is_trial, needed.is_tentative) for needed in left] == [(True, False)] * 6 + [(False, True)] * 6
    stored = _trained(settings, {"none": [0.1, 0.2, 0.3]}).records
    usual = {needed.spec.run_id: _record(needed.spec, 0.1) for needed in left if needed.is_tentative}
    replayed = replay(plan, lambda _: {**stored, **usual})
    assert len(replayed.needed) == 12
    assert len(replayed.left) == 9


def test_interleaved_runs_have_the_chosen_rates() -> None:
    """A required speed-up is measured at the rates that are judged."""
    settings = _settings(min_speedup="emb:1.1")
    plan = SessionPlan([(settings, freeze) for freeze in ("none", "emb")])
    finished = _trained(settings, {"none": [0.1, 0.2, 0.3], "emb": [0.3, 0.2, 0.1]})
    left = [(run.spec.freeze, run.spec.protocol.learning_rate) for run in plan.runs_left(finished)]
    assert {*left} == {("none", 3.3e-5), ("emb", 3e-4)}
    assert any(run.interleaved_with for run in plan.runs_left(finished))
