"""The loop of a session: which runs are trained, in which order, and what results they give."""

from __future__ import annotations

import pytest

import made_up
from fake_executor import FakeExecutor, by_accuracy, failing
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.records.events import RunEvent, RunFinished
from freezebench.records.run_record import RunRecord
from freezebench.runner import Runner
from freezebench.specs.run import RunSpec


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _runner(executor: FakeExecutor) -> tuple[Runner, list[str]]:
    """Return a runner and the list of runs that it submits."""
    return Runner(executor), executor.submitted


def test_each_run_is_done_once_and_the_baseline_first() -> None:
    """Results share the baseline's runs."""
    runner, ran = _runner(FakeExecutor(by_accuracy()))
    settings = _settings(num_seeds="2")
    runner.result(settings, "emb")
    runner.result(settings, "none")
    runner.result(settings, "emb+L0")
    assert ran == ["none 42", "none 43", "emb 42", "emb 43", "emb+L0 42", "emb+L0 43"]
    assert len(runner.finished.records) == 6


def test_nothing_is_trained_against_a_broken_baseline() -> None:
    """The first broken seed ends the baseline, and candidates are invalid without a run."""
    runner, ran = _runner(FakeExecutor(failing("none")))
    result = runner.result(_settings(), "emb")
    assert ran == ["none 42"]
    assert result.standing == "broken"
    assert "no such model" in str(result.broken)


def test_a_broken_seed_ends_its_configuration_only() -> None:
    """The rest of the grid goes on."""
    runner, ran = _runner(FakeExecutor(failing("emb")))
    assert runner.result(_settings(), "emb").standing == "broken"
    assert runner.result(_settings(), "emb+L0").standing == "ok"
    assert ran.count("emb 42") == 1
    assert "emb 43" not in ran


def test_limits_come_from_the_settings() -> None:
    """Each configuration is held to its own limit."""
    runner, _ = _runner(FakeExecutor(by_accuracy()))
    settings = _settings(max_drop="3,emb:7")
    gates = [runner.result(settings, spec).gate for spec in ("emb", "emb+L0")]
    assert [gate.margin_pp for gate in gates if gate] == [7.0, 3.0]


def test_seeds_stop_as_soon_as_a_configuration_is_decided() -> None:
    """What is clear after the first look gets no second one; what is not runs on, and the baseline with it."""
    runner, ran = _runner(FakeExecutor(by_accuracy(emb=0.9, **{"emb+L0": 0.875})))
    settings = _settings(num_seeds="3,5,6")
    clear, close = runner.result(settings, "emb"), runner.result(settings, "emb+L0")
    assert clear.verdict
    assert close.verdict
    assert (clear.verdict.outcome, clear.verdict.num_seeds) == ("non_inferior", 3)
    assert (close.verdict.outcome, close.verdict.num_seeds) == ("inconclusive", 6)
    assert clear.verdict.alpha == close.verdict.alpha == 0.02
    assert [run for run in ran if run.startswith("none")] == [f"none {seed}" for seed in range(42, 48)]
    assert sum(run.startswith("emb ") for run in ran) == 3
    assert len(runner.result(settings, "none").records) == 3
    assert len(runner.baseline(settings).records) == 6


def test_seeds_are_added_for_the_limit_as_well_as_for_the_margin() -> None:
    """A configuration that is decided at the margin runs on while its limit is open."""
    runner, _ = _runner(FakeExecutor(by_accuracy(emb=0.85)))
    result = runner.result(_settings(num_seeds="2,4", max_drop="5"), "emb")
    assert result.verdict
    assert result.gate
    assert (result.verdict.outcome, result.gate.outcome, result.gate.num_seeds) == ("inferior", "inconclusive", 4)


def test_required_speed_is_measured_side_by_side() -> None:
    """Unfrozen and frozen runs alternate A B B A, five of each; the frozen ones serve the accuracy verdict, too."""
    runner, ran = _runner(FakeExecutor(by_accuracy()))
    result = runner.result(_settings(num_seeds="3", min_speedup="emb:1.5"), "emb")
    assert ran[:3] == ["none 42", "none 43", "none 44"]
    order = ["none", "emb", "emb", "none", "none", "emb", "emb", "none", "none", "emb"]
    assert [run.split()[0] for run in ran[3:]] == order
    assert [part.standing for part in result.parts] == ["ok"]
    assert (
        result.parts[0].sentence == "train time: 2.00× of at least 1.5× the speed of no freezing, 5 interleaved pairs"
    )
    runner.result(_settings(num_seeds="3", min_speedup="emb:1.5"), "emb")
    assert len(ran) == 13


def test_required_savings_count_only_where_they_are_asked_for() -> None:
    """Without times (--benchmark-disable) nothing is interleaved, and memory is still judged."""
    runner, ran = _runner(FakeExecutor(by_accuracy()))
    settings = _settings(num_seeds="2", min_speedup="1.5", min_memory_saving="30", min_energy_saving="5")
    result = runner.result(settings, "emb", with_times=False)
    assert len(ran) == 4
    assert [(part.quantity, part.standing) for part in result.parts] == [("peak memory", "worse")]
    assert result.standing == "worse"


def test_pooled_seeds_train_the_first_look_of_the_grid_before_judging() -> None:
    """The first verdict rests on the variance between seeds of all configurations."""
    alone, _ = _runner(FakeExecutor(by_accuracy()))
    pooled, ran = _runner(FakeExecutor(by_accuracy()))
    grid = ["none", "emb", "emb+L0"]
    own = alone.result(_settings(num_seeds="3"), "emb", grid=grid).verdict
    shared = pooled.result(_settings(num_seeds="3", pool_seeds="yes"), "emb", grid=grid).verdict
    assert len(ran) == 9
    assert own
    assert shared
    assert own.drop_pp == shared.drop_pp
    assert own.df != shared.df


def test_several_devices_train_a_look_together_and_runs_end_in_any_order() -> None:
    """The result is that of one device; no run is submitted twice."""
    settings = _settings(num_seeds="2,4", max_drop="5")
    train = by_accuracy(emb=0.85)
    serial, ran = _runner(FakeExecutor(train))
    parallel, ran_together = _runner(FakeExecutor(train, num_devices=2))
    assert serial.result(settings, "emb") == parallel.result(settings, "emb")
    assert sorted(ran) == sorted(ran_together)
    ended = [record.spec.seed for record in parallel.finished.records.values() if record.spec.freeze == "none"]
    assert ended == [43, 42, 45, 44]


def test_an_interruption_cancels_what_runs() -> None:
    """Nothing trains on behind the summary; what had ended is kept."""

    def train(spec: RunSpec) -> RunRecord:
        if spec.seed == 43:
            raise KeyboardInterrupt
        return made_up.record(spec.freeze, spec.seed)

    executor = FakeExecutor(train)
    runner = Runner(executor)
    with pytest.raises(KeyboardInterrupt):
        runner.result(_settings(num_seeds="2"), "none")
    assert executor.num_cancelled == 1
    assert len(runner.finished.records) == 1


def test_the_end_of_every_trained_run_is_an_event() -> None:
    """With its record; a run that could not be trained has none."""
    events: list[RunEvent] = []
    runner = Runner(FakeExecutor(failing("emb")), on_event=events.append)
    result = runner.result(_settings(num_seeds="1"), "emb")
    assert events == [RunFinished(record=result.baseline[0])]
    assert result.records[0].cause == "crash"
