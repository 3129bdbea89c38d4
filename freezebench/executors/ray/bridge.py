"""The bridge: the one process of a session that is part of a Ray cluster, between pytest and the actors.

Ray ends its driver process without an exception once the head of the cluster is dead. So the driver is this process,
and pytest only sees a socket end. Ray places the actors, watches the nodes and carries the messages.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from freezebench.errors import named
from freezebench.executors.ray import look
from freezebench.executors.ray.actor import SlotActor
from freezebench.executors.ray.messages import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezebench.executors.ray.messages import Command, Open, Reply, Request, Start
    from freezebench.executors.ray.nodes import NodeReport

_LOOK_TIMEOUT_S = 60.0
_DYING_TIMEOUT_S = 20.0
_START_TIMEOUT_S = 60.0
_CLOSE_TIMEOUT_S = 1.5
_POLL_S = 0.5
# A group of threads of its own in the actor, for what must not wait until a request is answered.
_CONTROL = "control"
# Of a resource that only says which nodes are meant.
_A_LITTLE = 0.001


def main(parent: str, descriptor: str, address: str, with_measures: str) -> NoReturn:
    """Join a cluster, and carry messages until the session closes the socket or dies.

    Args:
        parent: Process id of the session.
        descriptor: Number of the socket.
        address: Address of the cluster, or ``auto``.
        with_measures: ``yes`` if nodes try what can be measured there.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the session decides what an interruption ends
    channel = socket.socket(fileno=int(descriptor))
    channel.set_inheritable(False)
    bridge = Bridge(channel)
    threading.Thread(target=_end_with, args=(int(parent), channel), daemon=True).start()
    try:
        # Always with an address: without one, Ray joins any cluster that an earlier program left, or starts one.
        ray.init(address=address, namespace="freezebench", log_to_driver=False, logging_level="ERROR")
        bridge.join(with_measures=with_measures == "yes")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - Ray raises errors of many kinds
        bridge.send({"kind": "refused", "reason": named(error)})
    else:
        bridge.serve()
    os._exit(0)


def _end_with(parent: int, channel: socket.socket) -> None:
    """End the socket once the session is dead: a process that it forked may hold the other end open."""
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    with suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)


class Bridge:
    """Carries messages between the session and the slots."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel, self._lock = channel, threading.Lock()
        self._slots: dict[int, _Slot] = {}
        self._alive: frozenset[str] = frozenset()

    def send(self, reply: Reply) -> None:
        """Send a message to the session."""
        with self._lock, suppress(OSError):  # the session is gone, which the main thread sees
            self._channel.sendall(encoded(reply))

    def is_alive(self, node_id: str) -> bool:
        """Return whether a node was alive when Ray was last asked."""
        return node_id in self._alive

    def join(self, *, with_measures: bool) -> None:
        """Report the nodes, and watch them from now on."""
        reports = _reports(self._nodes(), with_measures=with_measures)
        deadline = time.monotonic() + _DYING_TIMEOUT_S
        # A node that has just died is listed for a while.
        while any(report["look"] is None for report in reports) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            reports = _reports(self._nodes(), with_measures=with_measures)
        address = ray.get_runtime_context().gcs_address
        here = json.loads(look.look(with_measures=False))
        threading.Thread(target=self._watch, daemon=True).start()
        self.send({"kind": "joined", "address": address, "nodes": reports, "here": here})

    def serve(self) -> None:
        """Obey commands until the session ends, and leave no actor behind."""
        with suppress(OSError), self._channel.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                self._obey(json.loads(line))
        actors = [actor for slot in self._slots.values() if (actor := slot.actor) is not None]
        closing = [actor.close.options(concurrency_group=_CONTROL).remote() for actor in actors]
        with suppress(RayError):
            ray.wait(closing, num_returns=len(closing), timeout=_CLOSE_TIMEOUT_S) if closing else None
        for actor in actors:
            ray.kill(actor)
        ray.shutdown()

    def _obey(self, command: Command) -> None:
        match command["do"]:
            case "open":
                self._slots[command["slot"]] = _Slot(self, command)
            case "start" | "request":
                self._slots[command["slot"]].commands.put(command)
            case "kill":
                self._slots[command["slot"]].kill(command["worker"])

    def _nodes(self) -> list[dict[str, Any]]:
        """Return Ray's description of the nodes that are alive."""
        nodes = [node for node in ray.nodes() if node["Alive"]]
        self._alive = frozenset(node["NodeID"] for node in nodes)
        return nodes

    def _watch(self) -> None:
        while True:
            time.sleep(_POLL_S)
            self._nodes()
            for slot in list(self._slots.values()):
                if not self.is_alive(slot.node_id):
                    slot.give_up("its node left the cluster")


class _Slot:
    """One slot: a thread that passes requests to the actor, and replaces an actor that is lost."""

    def __init__(self, bridge: Bridge, opening: Open) -> None:
        self.node_id = opening["node_id"]
        self.commands: queue.SimpleQueue[Start | Request] = queue.SimpleQueue()
        self.actor: Any = None
        self._bridge, self._opening = bridge, opening
        self._is_gone = False
        threading.Thread(target=self._run, daemon=True).start()

    def give_up(self, reason: str) -> None:
        """Tell the session that the slot is gone."""
        if not self._is_gone:
            self._is_gone = True
            self._bridge.send({"kind": "gone", "slot": self._opening["slot"], "reason": reason})

    def kill(self, worker: int) -> None:
        """End a worker process of the actor."""
        if self.actor is not None:
            self.actor.kill.options(concurrency_group=_CONTROL).remote(worker)

    def _run(self) -> None:
        self._start()
        while True:
            command = self.commands.get()
            if command["do"] == "start":
                if self.actor is not None:
                    self.actor.start.remote(command["worker"])
                continue
            try:
                self._answer(command)
            except (RayError, ValueError, OSError) as error:
                # A new actor first: whether the slot still exists has to be known when its run is planned again.
                self._replace()
                self._bridge.send({"kind": "lost", "call": command["call"], "reason": named(error)})

    def _answer(self, request: Request) -> None:
        """Pass a request to the actor, and all that it yields to the session.

        Raises:
            RayError: If the actor is lost.
        """
        call = request["call"]
        if self.actor is None:
            self._bridge.send({"kind": "lost", "call": call, "reason": "its actor is gone"})
            return
        inner = request["message"]["request"]
        folder = Path(str(inner["save_to"])) if inner["kind"] == "run" and inner["save_to"] else None
        for reference in self.actor.request.options(num_returns="streaming").remote(json.dumps(request)):
            item = ray.get(reference)
            if isinstance(item, str):
                # A worker's line has no kind: it is an event of training, or the answer.
                fields = json.loads(item)
                self._bridge.send(fields if "kind" in fields else {"kind": "event", "call": call, "line": item})
            elif folder is not None:
                _append(folder, *item)

    def _replace(self) -> None:
        with suppress(RayError, ValueError):
            ray.kill(self.actor)
        self.actor = None
        self._start()

    def _start(self) -> None:
        """Start an actor on the node, or give the slot up."""
        reason = "its actor did not start within a minute; another job of the cluster may hold its device"
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline and not self._is_gone:
            actor = self._new_actor()
            ready = actor.ready.options(concurrency_group=_CONTROL).remote()
            try:
                while not ray.wait([ready], timeout=_POLL_S)[0]:
                    if time.monotonic() > deadline or self._is_gone:
                        ray.kill(actor)
                        break
                else:
                    ray.get(ready)
                    self.actor = actor
                    return
            # Also where the node is dead and still listed: then it is tried again until Ray knows.
            except RayError as error:
                reason = f"its actor does not start: {named(error)}"
                time.sleep(_POLL_S)
        self.give_up(reason)

    def _new_actor(self) -> Any:
        opening = self._opening
        resource = opening["resource"]
        options = {
            "num_cpus": 0,
            "num_gpus": opening["num_gpus"],
            "resources": {resource: _A_LITTLE} if resource else None,
            "scheduling_strategy": _on(self.node_id),
            "max_restarts": 0,
        }
        actor_class: Any = ray.remote(concurrency_groups={_CONTROL: 2}, num_cpus=0)(SlotActor)
        return actor_class.options(**options).remote(json.dumps(opening["setup"]))


def _on(node_id: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node_id, soft=False)


def _append(folder: Path, name: str, part: bytes) -> None:
    """Append a part to a file of a saved model.

    Raises:
        ValueError: If its name leads out of the folder.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"a node sent a file of the name {name!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(part)


def _reports(nodes: list[dict[str, Any]], *, with_measures: bool) -> list[NodeReport]:
    """Return what nodes report of themselves, the head first."""
    # Sent as source, not as a name, which a node without freezebench could not import.
    ray.cloudpickle.register_pickle_by_value(look)
    task: Any = ray.remote(num_cpus=0, max_retries=0)(look.look)
    nodes = sorted(nodes, key=lambda node: "node:__internal_head__" not in node["Resources"])
    looks = [task.options(scheduling_strategy=_on(node["NodeID"])).remote(with_measures) for node in nodes]
    deadline = time.monotonic() + _LOOK_TIMEOUT_S
    return list(_with_looks(nodes, looks, deadline))


def _with_looks(nodes: list[dict[str, Any]], looks: list[Any], deadline: float) -> Iterator[NodeReport]:
    for node, reference in zip(nodes, looks, strict=True):
        report, problem = None, ""
        try:
            report = json.loads(ray.get(reference, timeout=max(0.0, deadline - time.monotonic())))
        except GetTimeoutError:
            problem = f"it did not answer within {_LOOK_TIMEOUT_S:.0f} s"
        except RayError as error:
            problem = named(error)
        own_name = node["NodeName"] != node["NodeManagerAddress"]
        yield {
            "id": node["NodeID"],
            "name": node["NodeName"] if own_name else node["NodeManagerHostname"],
            "address": node["NodeManagerAddress"],
            "resources": node["Resources"],
            "look": report,
            "problem": problem,
        }
