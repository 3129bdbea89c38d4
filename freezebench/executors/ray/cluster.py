"""A session's side of a Ray cluster: its nodes, the slots that are left, and the calls that wait for a reply.

Nothing here imports Ray: the bridge does (see ``executors.ray.bridge``).
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.executors.base import SlotLostError
from freezebench.executors.ray.errors import check_address
from freezebench.executors.ray.nodes import check_versions, named_apart, slots_of, with_resource
from freezebench.executors.ray.process import BridgeProcess

if TYPE_CHECKING:
    from freezebench.executors.ray.messages import Reply
    from freezebench.executors.requests import Message
    from freezebench.specs.slots import Slot

# Variables on which figures depend, or that say how libraries behave. Paths and secrets are each node's own.
_SENT = ("OMP_", "GOMP_", "MKL_", "OPENBLAS_", "ONEDNN_", "DNNL_", "CUBLAS_", "NVIDIA_TF32_OVERRIDE", "FREEZEBENCH_")
_SENT_NAMES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", "TOKENIZERS_PARALLELISM")


class RayCluster:
    """A cluster that this session is part of by its bridge.

    Attributes:
        address: Its address.
        nodes: The nodes that may train, as they report themselves.
        here: The versions of what is installed on this machine.
    """

    def __init__(self, address: str, resource: str | None = None, *, with_measures: bool = False) -> None:
        """Join the cluster.

        Args:
            address: ``HOST:PORT`` or ``auto``.
            resource: A resource that a node must have to train; ``None``: none.
            with_measures: Whether nodes report what can be measured there.

        Raises:
            FreezebenchError: If Ray is not installed, there is no such cluster, or no node of it has the resource.
        """
        check_address(address)
        self.address, self._resource = address, resource
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._calls: dict[int, tuple[int, queue.SimpleQueue[Reply]]] = {}
        self._gone: dict[int, str] = {}
        self._end: str | None = None
        self._bridge = BridgeProcess(address, with_measures=with_measures)
        try:
            joined = self._bridge.join()
            self.nodes = with_resource(named_apart(joined["nodes"]), resource)
            self.here = joined["here"]["versions"]
        except BaseException:
            self._bridge.end()
            self._bridge.close()
            raise
        if address == "auto":
            self.address = joined["address"]
        self._slots = slots_of(self.nodes)
        self._receiver = threading.Thread(target=self._receive, name="freezebench-ray", daemon=True)
        self._receiver.start()

    def check(self) -> None:
        """Check that all nodes have the versions of this machine.

        Raises:
            FreezebenchError: If one does not.
        """
        check_versions(self.nodes, self.here, self.address)

    def open(self) -> None:
        """Start the actors of all slots, which takes seconds."""
        session = uuid.uuid4().hex
        environment = {
            name: value for name, value in os.environ.items() if name.startswith(_SENT) or name in _SENT_NAMES
        }
        for number, slot in enumerate(self._slots):
            self._bridge.send(
                {
                    "do": "open",
                    "slot": number,
                    "node_id": slot.node_id,
                    "num_gpus": slot.num_gpus,
                    "resource": self._resource,
                    "setup": {
                        "environment": environment,
                        "folder": str(Path.cwd()),
                        "session": session,
                        "num_on_node": slot.num_on_node,
                    },
                }
            )

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots that are left."""
        with self._lock:
            if self._end is not None:
                return ()
            return tuple(slot.slot for number, slot in enumerate(self._slots) if number not in self._gone)

    def one_slot_per_node(self) -> list[Slot]:
        """Return the first slot that is left on every node."""
        left = self.slots
        firsts: dict[str, Slot] = {}
        for own in self._slots:
            if own.slot in left:
                firsts.setdefault(own.node_id, own.slot)
        return list(firsts.values())

    @property
    def why_lost(self) -> str:
        """Why no slot is left, as a clause."""
        with self._lock:
            if self._end is not None:
                return self._end
            return "; ".join(f"{self._slots[number].slot.name}: {reason}" for number, reason in self._gone.items())

    def start_worker(self, slot: Slot) -> tuple[int, int]:
        """Start a worker process on a slot, and return the numbers of the slot and of the process.

        Raises:
            SlotLostError: If the slot is gone.
        """
        number = next(number for number, own in enumerate(self._slots) if own.slot == slot)
        with self._lock:
            self._raise_if_gone(number)
            worker = next(self._numbers)
        self._bridge.send({"do": "start", "slot": number, "worker": worker})
        return number, worker

    def call(self, slot: int, worker: int, message: Message, timeout_s: float) -> tuple[int, queue.SimpleQueue[Reply]]:
        """Send a message to a worker, and return the number of the call and where its replies arrive.

        Raises:
            SlotLostError: If the slot is gone.
        """
        replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        with self._lock:
            self._raise_if_gone(slot)
            call = next(self._numbers)
            self._calls[call] = slot, replies
        self._bridge.send(
            {
                "do": "request",
                "slot": slot,
                "call": call,
                "worker": worker,
                "message": message,
                "timeout_s": timeout_s,
            }
        )
        return call, replies

    def forget(self, call: int) -> None:
        """Drop what still arrives for a call."""
        with self._lock:
            self._calls.pop(call, None)

    def kill(self, slot: int, worker: int) -> None:
        """End a worker process."""
        self._bridge.send({"do": "kill", "slot": slot, "worker": worker})

    def lose(self, slot: int, reason: str) -> None:
        """Count a slot as gone, and end the calls that wait for it."""
        with self._lock:
            self._gone.setdefault(slot, reason)
            waiting = [(call, replies) for call, (own, replies) in self._calls.items() if own == slot]
        for call, replies in waiting:
            replies.put({"kind": "lost", "call": call, "reason": reason})

    def with_place(self, slot: int, reason: str) -> str:
        """Return why a slot lost its run, with the name of the slot and the address of the cluster."""
        return f"{self._slots[slot].slot.name} of the Ray cluster at {self.address}: {reason}"

    def close(self) -> None:
        """End the actors and the bridge."""
        self._bridge.end()
        self._receiver.join()
        self._bridge.close()

    def _receive(self) -> None:
        """Pass messages of the bridge to those who wait for them, until it ends."""
        while (replies := self._bridge.replies()) is not None:
            for reply in replies:
                if reply["kind"] == "gone":
                    self.lose(reply["slot"], reply["reason"])
                elif reply["kind"] == "event" or reply["kind"] == "fault" or reply["kind"] == "lost":
                    with self._lock:
                        waiting = self._calls.get(reply["call"])
                    if waiting is not None:
                        waiting[1].put(reply)
        with self._lock:
            self._end = "its head, or the connection to it, is gone"
        for number in range(len(self._slots)):
            self.lose(number, self._end)

    def _raise_if_gone(self, slot: int) -> None:
        reason = self._end or self._gone.get(slot)
        if reason is not None:
            raise SlotLostError(self.with_place(slot, reason))
