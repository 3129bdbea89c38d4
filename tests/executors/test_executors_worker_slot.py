"""One slot of the worker executor: blocks, what becomes of them, and a worker that is lost with its slot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

import pytest

import made_up
from freezebench.errors import FreezebenchError
from freezebench.executors.base import SlotLostError
from freezebench.executors.requests import Answer, Message
from freezebench.executors.turns import Ticket
from freezebench.executors.worker_slot import SlotOptions, WorkerSlot
from freezebench.records.events import ProgressEvent, RunEvent, RunProgressed, RunStarted, RunWaiting, TrainingStarted
from freezebench.records.run_record import RunRecord
from freezebench.specs.json_types import Json
from freezebench.specs.run import RunSpec
from freezebench.specs.slots import Slot

SLOT = Slot(name="cpu:1")
SPECS = [made_up.record(freeze).spec for freeze in ("none", "emb", "emb+L0")]


class FakeWorker:
    """A worker in this process, whose answers to runs a test chooses."""

    def __init__(self, answer: Callable[[RunSpec], Answer]) -> None:
        self._answer = answer
        self.is_alive = True

    def request(
        self, message: Message, emit: Callable[[ProgressEvent], None], timeout_s: float, cancelled: threading.Event
    ) -> Answer:
        """Return a made-up machine, or what the test says."""
        assert timeout_s == 60
        request = message["request"]
        if request["kind"] != "run":
            device: dict[str, Json] = {"device": "cuda:0", "device_name": "a GPU", "device_id": "GPU-2"}
            return Answer(value={**device, "precision": "float32", "environment": {}})
        emit(TrainingStarted(epoch=1))
        if cancelled.is_set():
            raise CancelledError
        return self._answer(RunSpec.from_json(request["spec"]))

    def kill(self) -> None:
        """Note the end."""
        self.is_alive = False

    def end(self) -> None:
        """Note the end."""
        self.is_alive = False


def _trained(spec: RunSpec) -> Answer:
    return Answer(value=made_up.record(spec.freeze, spec.seed).to_json())


@pytest.fixture
def slot() -> Iterator[Callable[[Callable[[RunSpec], Answer]], tuple[WorkerSlot, list[RunEvent]]]]:
    """Yield a function that makes a slot whose workers answer in some way, and the list of its events."""
    slots: list[WorkerSlot] = []

    def make(answer: Callable[[RunSpec], Answer]) -> tuple[WorkerSlot, list[RunEvent]]:
        events: list[RunEvent] = []
        start = lambda _: FakeWorker(answer)  # noqa: E731
        options = SlotOptions(
            start=start, keep=True, locks_device=True, timeout_s=60, data_cache={}, on_event=events.append
        )
        slots.append(WorkerSlot(SLOT, options))
        return slots[-1], events

    yield make
    for made in slots:
        made.kill()
        made.settle()
        made.close()


Make = Callable[[Callable[[RunSpec], Answer]], tuple[WorkerSlot, list[RunEvent]]]


def _train(slot: WorkerSlot, goes_on: Callable[[RunRecord], bool] = lambda _: True) -> list[RunRecord]:
    """Return the records of a block of three runs."""
    records: list[RunRecord] = []

    def on_end(position: int, record: RunRecord) -> bool:
        assert position == len(records)
        records.append(record)
        return goes_on(record)

    slot.train(SPECS, [], on_end, None).result(timeout=60)
    return records


def test_the_runs_of_a_block_train_in_order(slot: Make) -> None:
    """Each is passed on as it ends, and its events name the slot."""
    made, events = slot(_trained)
    assert [record.spec for record in _train(made)] == SPECS
    expected = [
        event
        for spec in SPECS
        for event in (
            RunStarted(spec=spec, slot="cpu:1"),
            RunProgressed(spec=spec, event=TrainingStarted(epoch=1), slot="cpu:1"),
        )
    ]
    assert events == expected
    assert made.num_workers == 1


def test_a_block_holds_its_device_as_a_whole(slot: Make) -> None:
    """Another session that asks during the first run has its turn after the last one, and not between them."""
    others: list[Ticket] = []

    def answer(spec: RunSpec) -> Answer:
        others.append(Ticket("GPU-2"))
        assert not any(other.is_first() for other in others)
        return _trained(spec)

    made, _ = slot(answer)
    assert len(_train(made)) == 3
    assert others[0].is_first()
    for other in others:
        other.give_back()


def test_gpus_of_one_index_are_two_devices(slot: Make) -> None:
    """Under CUDA_VISIBLE_DEVICES=0 and =1 both are cuda:0; a session waits for its own one only."""
    others = [Ticket("cuda:0"), Ticket("GPU-1")]
    made, events = slot(_trained)
    assert len(_train(made)) == 3
    assert not any(isinstance(event, RunWaiting) for event in events)
    for other in others:
        assert other.is_first()
        other.give_back()


def test_a_block_ends_where_the_session_wants(slot: Make) -> None:
    """The rest of it is not trained."""
    made, _ = slot(_trained)
    assert len(_train(made, goes_on=lambda record: record.spec.freeze == "none")) == 2


def test_a_run_that_cannot_be_trained_is_invalid_and_the_block_goes_on(slot: Make) -> None:
    """Its reason is the error's message."""
    made, _ = slot(lambda spec: Answer(error="no such model") if spec.freeze == "emb" else _trained(spec))
    records = _train(made)
    assert [record.is_valid for record in records] == [True, False, True]
    assert records[1].reason == "no such model"


def test_a_lost_slot_ends_the_block(slot: Make) -> None:
    """What had ended was passed on; the session plans the rest again."""

    def answer(spec: RunSpec) -> Answer:
        if spec.freeze == "emb":
            raise SlotLostError("node 2 is gone")
        return _trained(spec)

    made, _ = slot(answer)
    records: list[RunRecord] = []

    def on_end(_: int, record: RunRecord) -> bool:
        records.append(record)
        return True

    with pytest.raises(SlotLostError, match="node 2 is gone"):
        made.train(SPECS, [], on_end, None).result(timeout=60)
    assert [record.spec.freeze for record in records] == ["none"]


def test_a_worker_that_cannot_start_makes_runs_invalid(slot: Make) -> None:
    """As many as the block has, each with the reason."""

    def fail(_: RunSpec) -> Answer:
        raise FreezebenchError("no process can be started")

    made, _ = slot(fail)
    assert {record.reason for record in _train(made)} == {"no process can be started"}


def test_the_machine_is_known_while_a_run_trains(slot: Make) -> None:
    """The plan looks it up at any time; the thread of the slot may be busy for hours."""
    goes_on = threading.Event()

    def answer(spec: RunSpec) -> Answer:
        goes_on.wait(60)
        return _trained(spec)

    made, _ = slot(answer)
    machine = made.machine(SPECS[0]).result(timeout=60)
    future = made.train(SPECS, [], lambda *_: True, None)
    assert made.machine(SPECS[0]).result(timeout=0) == machine
    goes_on.set()
    future.result(timeout=60)


@pytest.mark.parametrize(("name", "shown"), [("cuda:1", "cuda:1"), ("", "GPU-1234")])
def test_a_torch_without_cuda_cannot_use_a_gpu(name: str, shown: str) -> None:
    """The driver lists the GPU, and ``auto`` would silently be the CPU."""
    options = SlotOptions(
        start=lambda _: _WithoutCuda(_trained),
        keep=True,
        locks_device=False,
        timeout_s=60,
        data_cache={},
        on_event=lambda _: None,
    )
    slot = WorkerSlot(Slot(name=name, visible_devices="GPU-1234"), options)
    with pytest.raises(FreezebenchError, match=f"torch finds no CUDA device in the process for {shown}, which"):
        slot.machine(SPECS[0]).result(timeout=60)
    slot.close()


class _WithoutCuda(FakeWorker):
    """A worker whose torch was built without CUDA."""

    def request(
        self, message: Message, emit: Callable[[ProgressEvent], None], timeout_s: float, cancelled: threading.Event
    ) -> Answer:
        """Return a CPU as the machine."""
        answer = super().request(message, emit, timeout_s, cancelled)
        return Answer(value={**(answer.value or {}), "device": "cpu"})
