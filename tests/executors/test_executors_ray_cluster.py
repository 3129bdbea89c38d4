"""A session's side of a cluster, whose bridge a test replaces: Ray is not needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from freezebench.errors import FreezebenchError
from freezebench.executors.base import SlotLostError
from freezebench.executors.ray import process
from freezebench.executors.ray.worker import RayWorker
from freezebench.executors.requests import MachineRequest, Message
from freezebench.executors.worker_process import WorkerFaultError
from freezebench.records.events import TrainingPaused
from joined import Join, joining

MESSAGE: Message = {
    "request": MachineRequest(kind="machine", device="auto", precision="auto"),
    "path": [],
    "data_cache": {},
}


@pytest.fixture
def join(monkeypatch: pytest.MonkeyPatch) -> Iterator[Join]:
    """Yield a function that joins a cluster whose bridge behaves in some way."""
    with joining(monkeypatch) as join_cluster:
        yield join_cluster


def request(worker: RayWorker, events: list[object] | None = None) -> Any:
    """Return the value of the answer to a request."""
    emit = (events if events is not None else []).append
    answer = worker.request(MESSAGE, emit, 60.0, threading.Event())
    assert answer.value is not None
    return answer.value


def test_slots_and_address_come_from_the_bridge(join: Join) -> None:
    """The address that ``auto`` means is what messages name."""
    cluster = join()
    assert cluster.address == "10.0.0.1:6379"
    assert [slot.name for slot in cluster.slots] == ["a cpu", "bb cpu"]
    cluster.check()


def test_a_request_reaches_the_worker_of_its_slot(join: Join) -> None:
    """With the number of the worker; the paths of this installation stay here."""
    cluster = join()
    worker = RayWorker(cluster, cluster.slots[1])
    command = request(worker)["command"]
    assert (command["slot"], command["message"]["path"]) == (1, [])
    assert command["worker"] == request(worker)["command"]["worker"]
    assert command["worker"] != request(RayWorker(cluster, cluster.slots[1]))["command"]["worker"]
    assert worker.is_alive
    worker.end()
    assert not worker.is_alive


def test_events_are_passed_on(join: Join) -> None:
    """Before the answer."""
    event = """if command['do'] == 'request':
    reply('event', call=command['call'], line=json.dumps({'event': 'TrainingPaused', 'epoch': 2}))
    answer(command, {})"""
    cluster = join(event)
    events: list[object] = []
    request(RayWorker(cluster, cluster.slots[0]), events)
    assert events == [TrainingPaused(epoch=2)]


def test_a_fault_on_a_node_is_that_of_a_local_worker(join: Join) -> None:
    """With cause and log."""
    fault = "reply('fault', call=command['call'], cause='out_of_memory', reason='the kernel killed it', log='the log')"
    cluster = join(f"if command['do'] == 'request': {fault}")
    with pytest.raises(WorkerFaultError, match="the kernel killed it") as caught:
        request(RayWorker(cluster, cluster.slots[0]))
    assert (caught.value.cause, caught.value.log) == ("out_of_memory", "the log")


def test_a_lost_actor_loses_the_run_and_not_the_slot(join: Join) -> None:
    """A new actor takes its place."""
    cluster = join("if command['do'] == 'request': reply('lost', call=command['call'], reason='its actor died')")
    with pytest.raises(SlotLostError, match=r"a cpu of the Ray cluster at 10\.0\.0\.1:6379: its actor died"):
        request(RayWorker(cluster, cluster.slots[0]))
    assert len(cluster.slots) == 2


def test_a_lost_node_takes_its_slot_along(join: Join) -> None:
    """The request that waits ends at once, and no other worker starts there."""
    cluster = join("if command['do'] == 'request': reply('gone', slot=command['slot'], reason='its node left')")
    slot = cluster.slots[0]
    worker = RayWorker(cluster, slot)
    with pytest.raises(SlotLostError, match="its node left"):
        request(worker)
    assert [left.name for left in cluster.slots] == ["bb cpu"]
    assert not worker.is_alive
    with pytest.raises(SlotLostError, match="its node left"):
        RayWorker(cluster, slot)
    assert cluster.why_lost == "a cpu: its node left"


def test_the_end_of_the_bridge_ends_all_requests(join: Join) -> None:
    """Within seconds, naming the cluster: Ray ends it without a word once the head is dead."""
    cluster = join("if command['do'] == 'request': os._exit(1)")
    worker = RayWorker(cluster, cluster.slots[0])
    began = time.monotonic()
    with pytest.raises(SlotLostError, match=r"10\.0\.0\.1:6379: its head, or the connection to it, is gone"):
        request(worker)
    assert cluster.slots == ()
    assert time.monotonic() - began < 5
    with pytest.raises(SlotLostError, match="its head"):
        request(worker)


def test_a_cancelled_request_ends(join: Join) -> None:
    """Whatever the node does."""
    cluster = join("pass")
    worker, cancelled = RayWorker(cluster, cluster.slots[0]), threading.Event()
    threading.Timer(0.2, cancelled.set).start()
    with pytest.raises(CancelledError):
        worker.request(MESSAGE, lambda _: None, 60.0, cancelled)


def test_a_node_that_does_not_answer_is_given_up(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long after its worker should have ended the run."""
    monkeypatch.setattr("freezebench.executors.ray.worker._START_TIMEOUT_S", 0.1)
    monkeypatch.setattr("freezebench.executors.ray.worker._GRACE_S", 0.1)
    cluster = join("pass")
    with pytest.raises(SlotLostError, match="it does not answer"):
        RayWorker(cluster, cluster.slots[0]).request(MESSAGE, lambda _: None, 0.1, threading.Event())


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (
            "reply('refused', reason='RuntimeError: Version mismatch: Ray'); sys.exit()",
            "other versions of Ray or Python",
        ),
        ("print('InvalidAuthToken', flush=True); time.sleep(60)", "requires a token"),
        ("print('Failed to connect to GCS', flush=True); time.sleep(60)", "no Ray cluster answers there"),
        ("sys.exit('some words')", r"cannot join the Ray cluster \(some words\)"),
        ("time.sleep(60)", "did not answer within 1 s"),
    ],
)
def test_a_bridge_that_cannot_join_ends(join: Join, monkeypatch: pytest.MonkeyPatch, start: str, reason: str) -> None:
    """Within a deadline, with a sentence."""
    monkeypatch.setattr(process, "_JOIN_TIMEOUT_S", 1.0 if start.startswith("time") else 20.0)
    monkeypatch.setattr(process, "_CLOSE_TIMEOUT_S", 0.1)
    with pytest.raises(FreezebenchError, match=reason):
        join(start=start, address="10.0.0.9:6379")


def test_variables_that_change_figures_are_sent_and_secrets_are_not(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads are set by the session on every node."""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    cluster = join(
        "if command['do'] == 'open': opened = command\nif command['do'] == 'request': answer(command, opened)"
    )
    opened = request(RayWorker(cluster, cluster.slots[0]))
    environment = opened["setup"]["environment"]
    assert (environment["OMP_NUM_THREADS"], environment["HF_HUB_OFFLINE"]) == ("3", "1")
    assert "HF_TOKEN" not in environment
