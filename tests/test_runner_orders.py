"""Sessions whose runs end, fail and lose their slots in any order: the results are those of one slot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as profile
from hypothesis import strategies as st

import made_up
from fake_executor import FakeExecutor
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.executors.base import OnEnd, SlotLostError
from freezebench.executors.call_queue import CallQueue
from freezebench.planning.session_plan import SessionPlan
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.runner import Runner
from freezebench.specs.run import RunSpec
from freezebench.specs.slots import Slot
from freezebench.verdicts.judge import ConfigurationResult

GRID = ("none", "emb", "emb+L0", "emb+L0-1")
# With these some limits are decided and some are not.
ACCURACIES = st.lists(st.sampled_from([0.9, 0.9, 0.88, 0.85, 0.7]), min_size=5, max_size=5)
FAULTS = st.dictionaries(
    st.tuples(st.sampled_from(GRID), st.integers(42, 46)), st.sampled_from(["broken", "one class"]), max_size=2
)
_MOST_LOSSES = 2  # a run, or a series of interleaved ones, that is lost once more is invalid


@dataclass(kw_only=True)
class _Running:
    """A block that trains: its runs, how many of them have ended, and who is told."""

    specs: Sequence[RunSpec]
    on_end: OnEnd
    future: Future[None]
    num_ended: int = 0


class AnyOrderExecutor(FakeExecutor):
    """Ends one run at a time, on whichever slot ``choose`` says; nothing ends until ``step`` is called."""

    def __init__(
        self, train: Callable[[RunSpec], RunRecord], choose: Callable[[int], int], slots: tuple[Slot, ...]
    ) -> None:
        super().__init__(train)
        self.slots = slots
        self._choose = choose
        self._running: dict[Slot, _Running] = {}
        self._losses: Counter[Hashable] = Counter()

    def submit(
        self,
        specs: Sequence[RunSpec],
        slot: Slot,
        on_end: OnEnd,
        *,
        save_to: Path | None = None,  # noqa: ARG002 - the protocol's argument
    ) -> Future[None]:
        """Take a block; its slot has to be free."""
        assert slot not in self._running
        self._running[slot] = running = _Running(specs=specs, on_end=on_end, future=Future())
        return running.future

    def step(self) -> None:
        """Let a run end or its slot be lost."""
        slot = list(self._running)[self._choose(len(self._running))]
        block = self._running[slot]
        spec = block.specs[block.num_ended]
        lost = (spec, tuple(block.specs))
        if all(self._losses[item] < _MOST_LOSSES for item in lost) and self._choose(8) == 1:
            self._losses.update(lost)
            del self._running[slot]
            block.future.set_exception(SlotLostError("the node is gone"))
            return
        goes_on = block.on_end(block.num_ended, self._record(spec))
        block.num_ended += 1
        if not goes_on or block.num_ended == len(block.specs):
            del self._running[slot]
            block.future.set_result(None)


class Steps(CallQueue):
    """Lets the executor go on wherever the runner waits for it."""

    def __init__(self, executor: AnyOrderExecutor) -> None:
        super().__init__()
        self._executor = executor

    def wait(self, timeout_s: float | None = None) -> None:  # noqa: ARG002 - nothing takes time
        """Let a run end or its slot be lost; its calls are carried out at once, since all is one thread."""
        self._executor.step()


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _trained(accuracies: dict[str, list[float]], faults: dict[tuple[str, int], str]) -> Callable[[RunSpec], RunRecord]:
    """Return what trains each run to the accuracy of its configuration and seed, twice as fast where frozen."""

    def train(spec: RunSpec) -> RunRecord:
        record = made_up.record(spec.freeze, spec.seed, accuracy=accuracies[spec.freeze][spec.seed - 42])
        fault = faults.get((spec.freeze, spec.seed))
        if fault is not None:
            record = (made_up.broken if fault == "broken" else made_up.one_class)(spec.freeze, spec.seed)
        seconds = (10.0 if spec.freeze == "none" else 5.0) + spec.seed / 1000
        times = {"train_s": Reading(value=seconds, unit="s", source="made up")} if record.is_valid else {}
        return replace(record, spec=spec, readings={**record.readings, **times})

    return train


def _results(runner: Runner, settings: Settings, tests: Sequence[str]) -> dict[str, object]:
    """Return of each configuration the runs that count and all verdicts; of the runs, what is not a cost."""
    return {freeze: _judged(runner.result(settings, freeze)) for freeze in tests}


def _judged(result: ConfigurationResult) -> object:
    records, baseline = (
        [(record.spec, record.status, record.test) for record in arm] for arm in (result.records, result.baseline)
    )
    return replace(result, records=(), baseline=()), records, baseline


def _slots(num_slots: int, num_nodes: int, *, shares_processor: bool) -> tuple[Slot, ...]:
    return tuple(
        Slot(name=str(number), node=str(number % num_nodes), shares_processor=shares_processor)
        for number in range(num_slots)
    )


@pytest.mark.slow
@profile(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    data=st.data(),
    accuracies=st.fixed_dictionaries(dict.fromkeys(GRID, ACCURACIES)),
    faults=FAULTS,
    tests=st.permutations(GRID),
    slots=st.builds(_slots, st.integers(2, 6), st.integers(1, 2), shares_processor=st.booleans()),
    limits=st.sampled_from(
        [{}, {"pool_seeds": "yes"}, {"min_speedup": "emb:1.5"}, {"min_speedup": "1.5", "min_memory_saving": "10"}]
    ),
)
def test_counted_runs_and_verdicts_are_those_of_one_slot(  # noqa: PLR0917 - what hypothesis draws
    data: st.DataObject,
    accuracies: dict[str, list[float]],
    faults: dict[tuple[str, int], str],
    tests: list[str],
    slots: tuple[Slot, ...],
    limits: dict[str, str],
) -> None:
    """Whatever ends, fails or is lost first: with limits on time as well, on slots that share a processor or do not."""
    settings = _settings(num_seeds="2,4,5", max_drop="5", **limits)
    plan = SessionPlan([(settings, freeze) for freeze in GRID])
    serial = Runner(FakeExecutor(_trained(accuracies, faults)), plan, calls=CallQueue())
    expected = _results(serial, settings, GRID)

    def choose(number: int) -> int:
        return data.draw(st.integers(0, number - 1))

    executor = AnyOrderExecutor(_trained(accuracies, faults), choose, slots)
    runner = Runner(executor, plan, calls=Steps(executor))
    assert _results(runner, settings, tests) == expected
    # Nothing that trained beside others on its processor has a time that could be compared.
    counted = [record for record in runner.finished.records.values() if record.value("train_s") is not None]
    has_neighbours = min(Counter(slot.node for slot in slots).values()) > 1
    may_count = not (has_neighbours and slots[0].shares_processor) or settings.costs.needs_paired_runs("emb")
    assert may_count or not counted
