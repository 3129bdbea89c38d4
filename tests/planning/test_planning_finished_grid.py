"""Finished grids that are judged again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freezebench.errors import RecordError, SettingsError
from freezebench.planning.finished_grid import FinishedGrid, Judging, grid_of_results, grids_of_runs
from freezebench.records.run_record import RunRecord
from freezebench.specs.data import DataSpec
from freezebench.specs.grid import PerSpec
from freezebench.specs.interim_looks import InterimLooks
from freezebench.verdicts.judge import ConfigurationResult
from made_up import record, seeds
from saved_runs import with_protocol

MCC = Judging(metric="mcc", margin_pp=30, max_drop=PerSpec(by_spec=(("emb+L0", 10.0),)))


def _grid(*arms: list[RunRecord]) -> FinishedGrid:
    (grid,) = grids_of_runs([run for arm in arms for run in arm])
    return grid


def test_another_metric_judges_the_same_runs() -> None:
    """Without training: the drop is that of the metric, and a limit of it may be missed."""
    grid = _grid(seeds("emb+L0", accuracy=0.6), seeds("none"), seeds("emb"))
    none, emb, deeper = grid.judge(MCC)
    assert (none.freeze, none.verdict, none.broken) == ("none", None, None)
    assert (emb.metric, emb.standing) == ("mcc", "no_limit")
    assert emb.verdict is not None
    assert emb.verdict.outcome == "non_inferior"
    assert (deeper.freeze, deeper.standing) == ("emb+L0", "worse")
    assert deeper.verdict is not None
    assert deeper.verdict.drop_pp == pytest.approx(60, abs=6)  # twice the 30 points of accuracy


def test_runs_are_paired_with_the_unfrozen_ones_of_their_seed() -> None:
    """A seed that only a candidate has counts for nothing."""
    grid = _grid(seeds("none", num=3), seeds("emb", num=5))
    assert [len(result.records) for result in grid.judge(MCC)] == [3, 3]
    with pytest.raises(RecordError, match=r"tiny on made-up: there are no unfrozen runs.*configuration none"):
        _grid(seeds("emb")).judge(MCC)


def test_of_several_learning_rates_the_one_with_most_seeds_counts() -> None:
    """Trials of rates are no runs of the grid; of one seed that was trained twice, the latest counts."""
    trials = with_protocol(seeds("emb", num=1), learning_rate=1e-3)
    later = replace(record("emb", 42), started_at="2026-11-24T00:00:00+00:00")
    grid = _grid(seeds("none"), trials, seeds("emb"), [later])
    assert len(grid.arms["emb"]) == 3
    assert grid.arms["emb"][0] is later
    assert {run.spec.protocol.learning_rate for run in grid.arms["emb"]} == {5e-5}


def _tuned(freeze: str, chosen: float) -> list[RunRecord]:
    """Return the runs of a session that tries two rates: trials with seed 41, then three seeds at the chosen one."""
    trials = []
    for rate in (5e-5, 1e-3):
        (trial,) = with_protocol([record(freeze, 41)], learning_rate=rate)
        loss = 0.2 if rate == chosen else 0.4
        epochs = tuple(replace(epoch, validation=replace(epoch.validation, loss=loss)) for epoch in trial.epochs)
        trials.append(replace(trial, epochs=epochs))
    return [*trials, *with_protocol(seeds(freeze), learning_rate=chosen)]


def test_trials_of_rates_stay_known() -> None:
    """Of a store and of a report; they are no seed of the verdict, although one has the rate of the others."""
    stored = _grid(_tuned("none", 5e-5), _tuned("emb", 1e-3))
    reported = grid_of_results(stored.judge(MCC), None)
    assert reported is not None
    for grid in (stored, reported):
        results = grid.judge(MCC)
        assert [result.tuned_rate and result.tuned_rate.chosen for result in results] == [5e-5, 1e-3]
        assert [[run.spec.seed for run in result.records] for result in results] == [[42, 43, 44]] * 2
    assert _grid(_tuned("none", 5e-5), seeds("emb")).tuned_rates == {}
    other = with_protocol(seeds("emb"), learning_rate=1e-2)
    assert _grid(_tuned("none", 5e-5), [*_tuned("emb", 1e-3), *other]).tuned_rates == {}
    only = [[run for run in _tuned(freeze, 5e-5) if run.spec.seed == 41] for freeze in ("none", "emb")]
    assert grids_of_runs([run for runs in only for run in runs]) == []


def test_different_numbers_of_seeds_are_interim_looks() -> None:
    """Their verdicts share the error rate; what a report says of them comes first."""
    assert _grid(seeds("none", num=5), seeds("emb", num=3)).looks == InterimLooks(counts=(3, 5))
    assert _grid(seeds("none"), seeds("emb")).looks == InterimLooks(counts=(3,))
    results = grids_of_runs([*seeds("none"), *seeds("emb")])[0].judge(MCC)
    reported = grid_of_results(results, InterimLooks(counts=(3, 5)))
    assert reported is not None
    assert {result.verdict.alpha for result in reported.judge(MCC) if result.verdict} == {0.02}


def test_experiments_are_kept_apart() -> None:
    """Other data, another model or another protocol is another experiment."""
    others = [replace(run, spec=replace(run.spec, data=DataSpec(source="others"))) for run in seeds("none")]
    assert [grid.spec.data.source for grid in grids_of_runs([*seeds("none"), *others])] == ["made-up", "others"]


def test_what_was_not_run_stays_in_the_table() -> None:
    """It is no run, and has the same reason."""
    left_out = ConfigurationResult.not_run("emb+L0", not_needed="the answer is known")
    results = [*_grid(seeds("none"), seeds("emb")).judge(MCC), left_out]
    grid = grid_of_results(results, None)
    assert grid is not None
    assert left_out in grid.judge(MCC)
    assert grid_of_results([left_out], None) is None


def test_a_metric_of_another_task_is_refused() -> None:
    """In the same words as before training."""
    with pytest.raises(SettingsError, match="sequence-classification has no metric 'rmse'"):
        _grid(seeds("none"), seeds("emb")).judge(replace(MCC, metric="rmse"))


def test_scores_that_were_not_recorded_are_named() -> None:
    """Versions before recorded predictions alone."""
    with pytest.raises(
        RecordError, match="log-loss is computed from scores, and seed 42 of none has recorded predictions alone"
    ):
        _grid(seeds("none"), seeds("emb")).judge(replace(MCC, metric="log-loss", margin_pp=0.1))
