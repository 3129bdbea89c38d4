"""The loop of a session whose store another session uses, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

import freezebench.runner
import made_up
from fake_executor import FakeExecutor
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.executors.call_queue import CallQueue
from freezebench.planning.session_plan import SessionPlan
from freezebench.records.events import RunEvent, RunFinished, RunWaiting
from freezebench.records.run_record import RunRecord
from freezebench.runner import Runner
from freezebench.runs.reuse import Reuse
from freezebench.specs.run import RunSpec

if TYPE_CHECKING:
    from freezebench.runs.data_cache import DataCache

GRID = ("none", "emb", "emb+L0")


def _train(spec: RunSpec) -> RunRecord:
    return made_up.record(spec.freeze, spec.seed, spec=spec, environment={})


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two seeds of made-up data; what another session trains is looked up again soon."""
    monkeypatch.setattr(freezebench.runner, "_POLL_S", 0.01)
    values = {"model": "tiny", "data": "made-up", "num_seeds": "2"}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


@pytest.fixture
def reuse(tmp_path: Path) -> Callable[[], Reuse]:
    """Return a function that begins a session with the store."""
    return lambda: Reuse(tmp_path, cast("DataCache", made_up.Inputs()), resume=True)


def test_what_another_session_trains_is_left_out_and_then_reused(
    settings: Settings, reuse: Callable[[], Reuse]
) -> None:
    """All else trains meanwhile; the waiting is reported once, when nothing else is left to do."""
    executor, other, events = FakeExecutor(_train), reuse(), list[RunEvent]()
    spec = settings.run_spec("emb", 42)
    other.find([spec], executor.machine(spec))

    def on_event(event: RunEvent) -> None:
        events.append(event)
        if isinstance(event, RunWaiting):
            other.save(_train(spec))

    plan = SessionPlan([(settings, freeze) for freeze in GRID])
    runner = Runner(executor, plan, calls=CallQueue(), reuse=reuse(), on_event=on_event)
    results = [runner.result(settings, freeze) for freeze in GRID]
    assert [len(result.records) for result in results] == [2, 2, 2]
    assert sorted(executor.submitted) == ["emb 43", "emb+L0 42", "emb+L0 43", "none 42", "none 43"]
    waiting = [event for event in events if isinstance(event, RunWaiting)]
    assert waiting == [RunWaiting(spec=spec, reason="another session trains emb seed 42")]
    assert len([event for event in events if isinstance(event, RunFinished)]) == 5


def test_a_run_that_another_session_gives_up_is_trained(settings: Settings, reuse: Callable[[], Reuse]) -> None:
    """As after its crash or interruption; every run is in the store then."""
    executor, other, own = FakeExecutor(_train), reuse(), reuse()
    specs = [settings.run_spec("none", 42), settings.run_spec("emb", 43)]
    other.find(specs, executor.machine(specs[0]))
    plan = SessionPlan([(settings, freeze) for freeze in GRID])

    def on_event(event: RunEvent) -> None:
        if isinstance(event, RunWaiting):
            other.release_all()

    runner = Runner(executor, plan, calls=CallQueue(), reuse=own, on_event=on_event)
    for freeze in GRID:
        runner.result(settings, freeze)
    assert sorted(executor.submitted) == sorted(f"{freeze} {seed}" for freeze in GRID for seed in (42, 43))
    assert own.lines()[-1].startswith("saved 6 runs")


def test_two_sessions_share_the_work(settings: Settings, reuse: Callable[[], Reuse]) -> None:
    """Whatever one has finished, the other finds; together they train each run once."""
    first, second = FakeExecutor(_train), FakeExecutor(_train)
    runners = [
        Runner(executor, SessionPlan([(settings, freeze) for freeze in GRID]), calls=CallQueue(), reuse=reuse())
        for executor in (first, second)
    ]
    for number, freeze in enumerate(GRID):
        for runner in runners[number % 2 :] + runners[: number % 2]:
            assert len(runner.result(settings, freeze).records) == 2
    assert len(first.submitted + second.submitted) == len({*first.submitted, *second.submitted}) == 6
    assert first.submitted
    assert second.submitted
