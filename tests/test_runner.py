"""The loop of a session: which runs are trained, in which order, and what results they give."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

import made_up
from fake_executor import FakeExecutor, by_accuracy, failing
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.executors.base import OnEnd, SlotLostError
from freezebench.executors.call_queue import CallQueue
from freezebench.planning.session_plan import SessionPlan
from freezebench.records.events import RunEvent, RunFinished, RunsPlanned, SeedsFinished
from freezebench.records.run_record import RunRecord
from freezebench.runner import Runner
from freezebench.specs.run import RunSpec
from freezebench.specs.slots import Slot
from freezebench.verdicts.judge import ConfigurationResult

GRID = ("none", "emb", "emb+L0", "emb+L0-1")


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _runner(
    executor: FakeExecutor, settings: Settings, *grid: str, with_times: bool = True
) -> tuple[Runner, list[str]]:
    """Return the runner of a grid, and the list of runs that it submits."""
    plan = SessionPlan([(settings, freeze) for freeze in grid], with_times=with_times)
    return Runner(executor, plan, calls=CallQueue()), executor.submitted


def _seed(seed: int, *freezes: str) -> list[str]:
    """Return the runs of one seed."""
    return [f"{freeze} {seed}" for freeze in freezes]


def test_runs_go_seed_by_seed_through_the_grid() -> None:
    """A test ends with the last run that it needs; the others find theirs done."""
    settings = _settings(num_seeds="3")
    runner, ran = _runner(FakeExecutor(by_accuracy()), settings, "emb+L0", "none", "emb")
    specs = "none", "emb", "emb+L0"
    runner.result(settings, "none")
    assert ran == [*_seed(42, *specs), *_seed(43, *specs), "none 44"]
    runner.result(settings, "emb")
    assert ran[7:] == ["emb 44"]
    runner.result(settings, "emb+L0")
    assert ran[8:] == ["emb+L0 44"]
    runner.result(settings, "none")
    assert len(ran) == len(runner.finished.records) == 9


def test_what_was_not_planned_runs_at_its_own_turn() -> None:
    """A configuration outside the grid is trained with the baseline's seeds once it is requested."""
    settings = _settings(num_seeds="2")
    runner, ran = _runner(FakeExecutor(by_accuracy()), settings, "none", "emb")
    runner.result(settings, "none")
    runner.result(settings, "emb")
    assert ran == ["none 42", "emb 42", "none 43", "emb 43"]
    runner.result(settings, "emb+L0")
    assert ran[4:] == ["emb+L0 42", "emb+L0 43"]


def test_nothing_is_trained_against_a_broken_baseline() -> None:
    """The first broken seed ends the baseline, and candidates are invalid without a run."""
    settings = _settings()
    runner, ran = _runner(FakeExecutor(failing("none")), settings, *GRID)
    results = [runner.result(settings, freeze) for freeze in GRID]
    assert ran == ["none 42"]
    assert [result.standing for result in results] == ["broken"] * 4
    assert "no such model" in str(results[0].broken)
    (record,) = results[0].records
    assert record.log.endswith("ModelError: no such model")  # the end of the traceback


def test_a_baseline_that_breaks_later_stops_the_grid() -> None:
    """What ran before it is kept; nothing runs after it, whatever the configuration."""

    def train(spec: RunSpec) -> RunRecord:
        if (spec.freeze, spec.seed) == ("none", 43):
            return made_up.broken("none", 43)
        return made_up.record(spec.freeze, spec.seed)

    settings = _settings()
    runner, ran = _runner(FakeExecutor(train), settings, *GRID)
    results = [runner.result(settings, freeze) for freeze in GRID]
    assert ran == [*_seed(42, *GRID), "none 43"]
    assert [len(result.records) for result in results] == [2, 1, 1, 1]
    assert [result.broken for result in results[1:]] == ["the unfrozen baseline is invalid"] * 3


def test_a_baseline_of_one_class_stops_the_grid_at_once() -> None:
    """Nothing can be compared with it, and its other seeds would not repair that."""

    def train(spec: RunSpec) -> RunRecord:
        return made_up.one_class(spec.freeze, spec.seed)

    settings = _settings()
    runner, ran = _runner(FakeExecutor(train), settings, *GRID)
    assert "predicts one class" in str(runner.result(settings, "none").broken)
    assert runner.result(settings, "emb").standing == "broken"
    assert ran == ["none 42"]


def test_a_broken_seed_ends_its_configuration_only() -> None:
    """The rest of the grid goes on."""
    settings = _settings()
    runner, ran = _runner(FakeExecutor(failing("emb")), settings, *GRID)
    assert runner.result(settings, "emb").standing == "broken"
    assert runner.result(settings, "emb+L0").standing == "no_limit"
    assert [run for run in ran if run.startswith("emb ")] == ["emb 42"]


def test_limits_come_from_the_settings() -> None:
    """Each configuration is held to its own limit."""
    settings = _settings(max_drop="3,emb:7")
    runner, _ = _runner(FakeExecutor(by_accuracy()), settings, *GRID)
    gates = [runner.result(settings, spec).gate for spec in ("emb", "emb+L0")]
    assert [gate.margin_pp for gate in gates if gate] == [7.0, 3.0]


FAR = by_accuracy(emb=0.5, **{"emb+L0": 0.875})
CLOSE = by_accuracy(emb=0.9, **{"emb+L0": 0.875, "emb+L0-1": 0.875})


def test_seeds_stop_as_soon_as_a_configuration_is_decided() -> None:
    """What is clear after the first look waits for nothing; what is not goes on in rounds, the baseline with it."""
    settings = _settings(num_seeds="3,5,6")
    runner, ran = _runner(FakeExecutor(CLOSE), settings, *GRID)
    assert runner.result(settings, "none").records[-1].spec.seed == 44
    clear = runner.result(settings, "emb")
    assert len(ran) == 10
    close = runner.result(settings, "emb+L0")
    assert clear.verdict
    assert close.verdict
    assert (clear.verdict.outcome, clear.verdict.num_seeds) == ("non_inferior", 3)
    assert (close.verdict.outcome, close.verdict.num_seeds) == ("inconclusive", 6)
    assert clear.verdict.alpha == close.verdict.alpha == 0.02
    late = [run for seed in (45, 46, 47) for run in _seed(seed, "none", "emb+L0", "emb+L0-1")]
    # The rest of the first round comes before the second one.
    assert ran[10:] == [*_seed(44, "emb+L0", "emb+L0-1"), *late[:-1]]
    runner.result(settings, "emb+L0-1")
    assert ran[-1] == late[-1]
    assert len(runner.result(settings, "none").records) == 3
    assert len(runner.baseline(settings).records) == 6


def test_seeds_are_added_for_the_limit_as_well_as_for_the_margin() -> None:
    """A configuration that is decided at the margin runs on while its limit is open."""
    settings = _settings(num_seeds="2,4", max_drop="5")
    runner, _ = _runner(FakeExecutor(by_accuracy(emb=0.85)), settings, "none", "emb")
    result = runner.result(settings, "emb")
    assert result.verdict
    assert result.gate
    assert (result.verdict.outcome, result.gate.outcome, result.gate.num_seeds) == ("inferior", "inconclusive", 4)


def test_required_speed_is_measured_side_by_side() -> None:
    """Unfrozen and frozen runs alternate A B B A, five of each, at their own turn; the frozen ones serve accuracy."""
    settings = _settings(num_seeds="3", min_speedup="emb:1.5")
    runner, ran = _runner(FakeExecutor(by_accuracy()), settings, "none", "emb", "emb+L0")
    runner.result(settings, "none")
    assert ran == ["none 42", "emb+L0 42", "none 43", "emb+L0 43", "none 44"]
    result = runner.result(settings, "emb")
    order = ["none", "emb", "emb", "none", "none", "emb", "emb", "none", "none", "emb"]
    assert [run.split()[0] for run in ran[5:]] == order
    assert [part.standing for part in result.parts] == ["ok"]
    required = "at least 1.5× the speed is required, 5 interleaved pairs"
    assert result.parts[0].sentence == f"train time: 2.00× the speed of no freezing, {required}"
    runner.result(settings, "emb")
    assert len(ran) == 15
    runner.result(settings, "emb+L0")
    assert ran[15:] == ["emb+L0 44"]


def test_required_savings_count_only_where_they_are_asked_for() -> None:
    """Without times (--benchmark-disable) nothing is interleaved, and memory is still judged."""
    settings = _settings(num_seeds="2", min_speedup="1.5", min_memory_saving="30", min_energy_saving="5")
    runner, ran = _runner(FakeExecutor(by_accuracy()), settings, "none", "emb", with_times=False)
    result = runner.result(settings, "emb")
    assert ran == ["none 42", "emb 42", "none 43", "emb 43"]
    assert [(part.quantity, part.standing) for part in result.parts] == [("peak memory", "worse")]
    assert result.standing == "worse"


def test_pooled_seeds_train_the_first_look_of_the_grid_before_judging() -> None:
    """The first verdict rests on the variance between seeds of all configurations, the interleaved ones included."""
    grid = ["none", "emb", "emb+L0"]
    single, pooling = _settings(num_seeds="3"), _settings(num_seeds="3", pool_seeds="yes", min_speedup="emb+L0:1.1")
    alone, _ = _runner(FakeExecutor(by_accuracy()), single, *grid)
    pooled, ran = _runner(FakeExecutor(by_accuracy()), pooling, *grid)
    assert len(pooled.result(pooling, "none").records) == 3
    assert ran == ["none 42", "emb 42", "none 43", "emb 43", "none 44"]
    own, shared = alone.result(single, "emb").verdict, pooled.result(pooling, "emb").verdict
    assert len(ran) == 6 + 10
    assert own
    assert shared
    assert own.drop_pp == shared.drop_pp
    assert own.df != shared.df


def test_results_of_several_slots_are_those_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that end in another order give the same results; no run is submitted twice."""
    settings = _settings(num_seeds="2,4", max_drop="5")
    train = by_accuracy(emb=0.85)
    # Sessions differ in their ids alone.
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=0))
    serial, ran = _runner(FakeExecutor(train), settings, *GRID)
    parallel, ran_together = _runner(FakeExecutor(train, num_slots=2, shares_processor=False), settings, *GRID)
    assert [serial.result(settings, freeze) for freeze in GRID] == [
        parallel.result(settings, freeze) for freeze in GRID
    ]
    assert sorted(ran) == sorted(ran_together)


def test_several_slots_share_the_runs_of_a_round() -> None:
    """They get runs in the order of the plan, also those of tests to come while a device is free."""
    settings = _settings(num_seeds="2")
    runner, ran = _runner(FakeExecutor(by_accuracy(), num_slots=4), settings, *GRID)
    runner.result(settings, "none")
    assert ran == [*_seed(42, *GRID), *_seed(43, *GRID)]


def test_an_interruption_cancels_what_runs() -> None:
    """Nothing trains on behind the summary; what had ended is kept."""

    def train(spec: RunSpec) -> RunRecord:
        if spec.seed == 43:
            raise KeyboardInterrupt
        return made_up.record(spec.freeze, spec.seed)

    executor, settings = FakeExecutor(train), _settings(num_seeds="2")
    runner, _ = _runner(executor, settings, "none")
    with pytest.raises(KeyboardInterrupt):
        runner.result(settings, "none")
    assert executor.num_cancelled == 1
    assert len(runner.finished.records) == 1


def _events(
    settings: Settings, executor: FakeExecutor, *asked: str
) -> tuple[list[RunEvent], list[ConfigurationResult]]:
    """Return the events of a session and its results."""
    events: list[RunEvent] = []
    plan = SessionPlan([(settings, freeze) for freeze in asked])
    runner = Runner(executor, plan, calls=CallQueue(), on_event=events.append)
    return events, [runner.result(settings, freeze) for freeze in asked]


def test_the_end_of_every_trained_run_is_an_event() -> None:
    """With its record. Before every run, the plan says what is left."""
    settings = _settings(num_seeds="1")
    events, results = _events(settings, FakeExecutor(failing("emb")), "none", "emb")
    none, emb = (settings.run_spec(freeze, 42) for freeze in ("none", "emb"))
    assert events == [
        RunsPlanned(left=(none, emb)),
        RunFinished(record=results[0].records[0]),
        RunsPlanned(left=(emb,)),
        RunFinished(record=results[1].records[0]),
    ]
    assert results[1].records[0].cause == "crash"


def test_records_have_the_session_that_trained_them() -> None:
    """All of a session have one id, and two sessions have two."""
    settings, sessions = _settings(num_seeds="2"), []
    for _ in range(2):
        runner, _ran = _runner(FakeExecutor(by_accuracy()), settings, "none", "emb")
        (session,) = {record.session for record in runner.result(settings, "emb").records}
        sessions.append(session)
    assert "" not in sessions
    assert len({*sessions}) == 2


def test_the_end_of_every_seed_is_an_event_but_of_the_last_one() -> None:
    """With the runs of this look's configurations; the summary follows the last seed."""
    events, _ = _events(_settings(num_seeds="2,3"), FakeExecutor(FAR), "none", "emb", "emb+L0")
    seeds = [event for event in events if isinstance(event, SeedsFinished)]
    assert [(event.num_ended, event.num_seeds, list(event.records)) for event in seeds] == [
        (1, 2, ["none", "emb", "emb+L0"]),
        (2, 2, ["none", "emb", "emb+L0"]),
    ]
    assert [[record.spec.seed for record in records] for records in seeds[1].records.values()] == [[42, 43]] * 3


def test_the_plan_counts_what_is_left() -> None:
    """Runs of later looks are added when their round begins; those of a configuration that broke are left out."""
    events, _ = _events(_settings(num_seeds="2,3"), FakeExecutor(FAR), "none", "emb", "emb+L0")
    plans = [
        [f"{spec.freeze} {spec.seed}" for spec in event.left] for event in events if isinstance(event, RunsPlanned)
    ]
    assert [len(plan) for plan in plans] == [6, 5, 4, 3, 2, 1, 2, 1]
    assert plans[6] == ["none 44", "emb+L0 44"]
    events, _ = _events(_settings(num_seeds="3"), FakeExecutor(failing("emb")), "none", "emb", "emb+L0")
    assert [len(event.left) for event in events if isinstance(event, RunsPlanned)] == [9, 8, 5, 4, 3, 2, 1]


class LosingExecutor(FakeExecutor):
    """An executor that loses its slots: the first ones that train a run with the baseline's second seed."""

    def __init__(self, num_losses: int, *, num_slots: int) -> None:
        super().__init__(by_accuracy(), num_slots=num_slots)
        self.num_left = num_losses

    def submit(
        self, specs: Sequence[RunSpec], slot: Slot, on_end: OnEnd, *, save_to: Path | None = None
    ) -> Future[None]:
        """Lose the slot, or train as usual."""
        if self.num_left and (specs[0].freeze, specs[0].seed) == ("none", 43):
            self.num_left -= 1
            self.slots = tuple(other for other in self.slots if other != slot)
            self.blocks.append(["lost"])
            future: Future[None] = Future()
            future.set_exception(SlotLostError(f"{slot.name} is gone"))
            return future
        return super().submit(specs, slot, on_end, save_to=save_to)


def test_a_lost_run_trains_elsewhere() -> None:
    """On another slot, and the results are those of a session that lost none."""
    settings = _settings(num_seeds="2")
    executor = LosingExecutor(2, num_slots=3)
    runner, _ = _runner(executor, settings, *GRID)
    assert [runner.result(settings, freeze).standing for freeze in GRID] == ["no_limit"] * 4
    assert (len(executor.slots), executor.blocks.count(["lost"])) == (1, 2)
    assert len(runner.finished.records) == 8


def test_a_run_that_loses_three_slots_is_invalid() -> None:
    """It may be what ends them; the reason names the last one."""
    settings = _settings(num_seeds="2")
    runner, _ = _runner(LosingExecutor(5, num_slots=5), settings, *GRID)
    result = runner.result(settings, "none")
    assert result.records[1].cause == "killed"
    assert "its slot was lost 3 times, the last time since cpu" in str(result.records[1].reason)


def test_without_a_slot_runs_are_invalid() -> None:
    """The session goes on to its summary, and says why."""
    settings = _settings(num_seeds="2")
    runner, _ = _runner(LosingExecutor(2, num_slots=2), settings, *GRID)
    results = [runner.result(settings, freeze) for freeze in GRID]
    assert {result.standing for result in results} == {"broken"}
    assert "no slot is left to train on: cpu" in str(results[0].broken)
    saved = runner.save_model(settings.run_spec("none", 42), Path("/nowhere"))
    assert str(saved.reason).startswith("no slot is left")


@pytest.mark.parametrize(("nodes", "has_times"), [(("a", "b"), True), (("a", "a"), False)])
def test_only_slots_of_one_node_are_neighbours(nodes: tuple[str, str], has_times: bool) -> None:
    """A run keeps its times where nothing else can train on its node."""
    settings = _settings(num_seeds="2")
    executor = FakeExecutor(by_accuracy(), num_slots=2)
    executor.slots = tuple(
        replace(slot, name=f"{node} {number}", node=node)
        for number, (slot, node) in enumerate(zip(executor.slots, nodes, strict=True))
    )
    runner, _ = _runner(executor, settings, "none", "emb")
    records = runner.result(settings, "emb").records
    assert [record.value("train_s") is not None for record in records] == [has_times] * 2
