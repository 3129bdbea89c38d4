"""Workers in memory for sessions of a thousand runs: made-up records after a moment, crashes, slots that are lost."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import made_up
from freezebench.executors.base import SlotLostError
from freezebench.executors.requests import Answer, Message
from freezebench.executors.worker_process import WorkerFaultError
from freezebench.records.events import ProgressEvent
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.specs.run import RunSpec
from freezebench.specs.slots import Slot

DURATION_S = 0.002


def draw(spec: RunSpec, purpose: str) -> float:
    """Return a number of 0 to 1 that is the same for a run in every session."""
    digest = hashlib.sha256(f"{purpose} {spec.run_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def crashes(spec: RunSpec) -> bool:
    """Return whether the process dies in which a run trains, as it does for one run of a hundred."""
    return draw(spec, "crash") < 0.01


def outcome(spec: RunSpec) -> RunRecord:
    """Return the record of a run: twice as fast where something is frozen, and of an accuracy of its own."""
    seconds = (1.0 if spec.freeze == "none" else 0.5) * (1 + 0.01 * draw(spec, "time"))
    accuracy = 0.75 + 0.2 * draw(replace(spec, seed=0), "accuracy")
    record = made_up.record(spec.freeze, spec.seed, num_test=40, accuracy=accuracy)
    readings = {**record.readings, "train_s": Reading(value=seconds, unit="s", source="made up")}
    return replace(record, spec=spec, readings=readings)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One request to train a run.

    Attributes:
        slot: Name of the slot.
        spec: The run.
        start_s: When it began, ``time.monotonic``.
        end_s: When it ended.
        ended: ``valid``, ``crashed`` or ``lost``.
    """

    slot: str
    spec: RunSpec
    start_s: float
    end_s: float
    ended: str


@dataclass
class Simulation:
    """What the workers of one session do.

    Attributes:
        share_lost: Share of the attempts at which the slot is lost.
        attempts: What they did, in the order in which it ended.
    """

    share_lost: float = 0.0
    attempts: list[Attempt] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def worker(self, slot: Slot) -> SimulatedWorker:
        """Return a worker for a slot."""
        return SimulatedWorker(self, slot)

    def train(self, slot: Slot, spec: RunSpec) -> RunRecord:
        """Train a run for a moment.

        Raises:
            WorkerFaultError: If its process dies.
            SlotLostError: If its slot is lost.
        """
        start_s = time.monotonic()
        time.sleep(DURATION_S * draw(spec, "duration"))
        with self._lock:
            number = sum(attempt.spec == spec for attempt in self.attempts)
            # The third attempt at a run always has its slot.
            is_lost = number < 2 and draw(spec, f"loss {number}") < self.share_lost
            ended = "lost" if is_lost else "crashed" if crashes(spec) else "valid"
            end_s = time.monotonic()
            self.attempts.append(Attempt(slot=slot.name, spec=spec, start_s=start_s, end_s=end_s, ended=ended))
        if is_lost:
            raise SlotLostError("the node is gone")
        if ended == "crashed":
            raise WorkerFaultError("crash", "the process died", "")
        return outcome(spec)


class SimulatedWorker:
    """A worker that trains in this process."""

    def __init__(self, simulation: Simulation, slot: Slot) -> None:
        self._simulation, self._slot = simulation, slot
        self.is_alive = True

    def request(
        self,
        message: Message,
        emit: Callable[[ProgressEvent], None],  # noqa: ARG002 - the protocol's arguments
        timeout_s: float,  # noqa: ARG002
        cancelled: threading.Event,  # noqa: ARG002
    ) -> Answer:
        """Return the machine of the made-up runs, or train a run."""
        request = message["request"]
        if request["kind"] == "run":
            return Answer(value=self._simulation.train(self._slot, RunSpec.from_json(request["spec"])).to_json())
        record = made_up.record()
        names = ("device", "device_name", "precision", "environment")
        return Answer(value={name: getattr(record, name) for name in names})

    def kill(self) -> None:
        """Let it answer no more."""
        self.is_alive = False

    def end(self) -> None:
        """Let it answer no more."""
        self.is_alive = False
