"""A session of many tables on eight slots: real runner, executor, store and locks; the workers are in memory."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

import made_up
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.executors.base import ExecutorOptions
from freezebench.executors.call_queue import CallQueue
from freezebench.executors.worker import WorkerExecutor
from freezebench.planning.session_plan import SessionPlan
from freezebench.records.store import Store
from freezebench.runner import Runner
from freezebench.runs.data_cache import DataCache
from freezebench.runs.reuse import Reuse
from freezebench.specs.slots import Slot
from freezebench.verdicts.resources import MIN_RUNS, interleaved
from simulated_worker import Simulation

if TYPE_CHECKING:
    from freezebench.specs.run import RunSpec
    from freezebench.verdicts.judge import ConfigurationResult
    from simulated_worker import Attempt

GRID = ("none", "emb", "emb+L0", "head")
Tests = list[tuple[Settings, str]]
Results = dict[tuple[str, str], "ConfigurationResult"]


def _settings(model: str, **flags: str) -> Settings:
    values = {"model": model, "data": "made-up", "num_seeds": "5", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _tests(num_tables: int, num_timed: int) -> Tests:
    """Return the tests of tables with 20 runs each, and of tables with a series of ten interleaved runs each."""
    plain = [_settings(f"plain {number}") for number in range(num_tables)]
    timed = [_settings(f"timed {number}", min_speedup="1.5") for number in range(num_timed)]
    return [
        *((settings, freeze) for settings in plain for freeze in GRID),
        *((settings, freeze) for settings in timed for freeze in GRID[:2]),
    ]


def _session(tests: Tests, simulation: Simulation, store: Path, *, num_slots: int) -> Results:
    """Run tests one after the other, as pytest does, and return their results by model and configuration."""
    slots = tuple(Slot(name=f"cpu {number}", shares_processor=num_slots > 1) for number in range(num_slots))
    options = ExecutorOptions(data_cache=DataCache(), data_cache_options={}, timeout_s=60, slots=slots)
    executor = WorkerExecutor(options, keep=True, start_worker=simulation.worker)
    reuse = Reuse(store, cast("DataCache", made_up.Inputs()), resume=True)
    runner = Runner(executor, SessionPlan(tests), calls=CallQueue(), reuse=reuse)
    try:
        return {(settings.model, freeze): runner.result(settings, freeze) for settings, freeze in tests}
    finally:
        executor.close()
        reuse.release_all()


def _without_costs(result: ConfigurationResult) -> object:
    """Return what must not depend on the slots: counted runs, outcomes, verdicts, and limits on time."""
    runs = [(record.spec, record.status, record.test) for record in result.records]
    return runs, result.verdict, result.gate, result.broken, result.standing, result.parts


@pytest.mark.parametrize(
    ("num_tables", "num_timed"), [(2, 1), pytest.param(50, 20, marks=pytest.mark.slow)], ids=["short", "thousand"]
)
def test_many_runs_on_eight_slots(num_tables: int, num_timed: int, tmp_path: Path) -> None:
    """One run of a hundred crashes, and one attempt of a hundred loses its slot: the results are those of one slot."""
    tests = _tests(num_tables, num_timed)
    simulation = Simulation(share_lost=0.01)
    start_s = time.monotonic()
    results = _session(tests, simulation, tmp_path / "eight", num_slots=8)
    assert time.monotonic() - start_s < 60

    _check_slots(simulation.attempts)
    # A baseline that crashed leaves nothing to interleave.
    begun = {item.spec.model for item in simulation.attempts if item.spec.model.startswith("timed")}
    begun -= {model for (model, freeze), result in results.items() if freeze == "none" and result.broken}
    assert num_timed - 3 < len(begun) <= num_timed
    for model in begun:
        _check_series(model, simulation.attempts)
    _check_store(Store(tmp_path / "eight"), simulation.attempts)

    serial = _session(tests, Simulation(), tmp_path / "one", num_slots=1)
    assert {test: _without_costs(result) for test, result in results.items()} == {
        test: _without_costs(result) for test, result in serial.items()
    }
    # What trained beside others has no time; a series was alone, or its limit could not have been judged.
    plain = [record for (model, _), result in results.items() if model.startswith("plain") for record in result.records]
    assert {record.value("train_s") for record in plain} == {None}


def _check_slots(attempts: list[Attempt]) -> None:
    """Check that each slot trains one run at a time, and that all of them train."""
    slots = {attempt.slot for attempt in attempts}
    assert len(slots) == 8
    for slot in slots:
        own = sorted((item for item in attempts if item.slot == slot), key=lambda item: item.start_s)
        assert all(first.end_s <= second.start_s for first, second in itertools.pairwise(own))


def _check_series(model: str, attempts: list[Attempt]) -> None:
    """Check that a series trained in its order on one slot, with nothing between its runs and nothing beside them."""
    # Of the frozen configuration all runs are interleaved. A lost slot lets the series begin anew.
    *_, last = (item for item in attempts if item.spec.model == model and item.spec.freeze == "emb")
    own = sorted((item for item in attempts if item.slot == last.slot), key=lambda item: item.start_s)
    first = max(
        position
        for position, pair in enumerate(itertools.pairwise(own))
        if [(item.spec.model, item.spec.freeze, item.spec.seed) for item in pair]
        == [(model, "none", 42), (model, "emb", 42)]
    )
    expected = [("none" if arm == "A" else "emb", model) for arm in interleaved(MIN_RUNS)]
    series = own[first : first + len(expected)]
    crashed = [position for position, item in enumerate(series) if item.ended == "crashed"]
    series = series[: crashed[0] + 1] if crashed else series
    assert [(item.spec.freeze, item.spec.model) for item in series] == expected[: len(series)]
    assert len(series) == len(expected) or crashed
    begin_s, end_s = series[0].start_s, series[-1].end_s
    assert not [item for item in attempts if item not in series and item.start_s < end_s and begin_s < item.end_s]


def _check_store(store: Store, attempts: list[Attempt]) -> None:
    """Check that each run that ended validly is stored, once, and that each ordinary one trained to its end once."""
    valid: Counter[RunSpec] = Counter(item.spec for item in attempts if item.ended == "valid")
    stored = [store.load(path.stem) for path in store.folder.glob("*.json")]
    assert Counter(record.spec for record in stored if record is not None) == Counter({*valid})
    assert store.problems == []
    assert {number for spec, number in valid.items() if spec.model.startswith("plain")} == {1}
