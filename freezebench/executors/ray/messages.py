"""What a session and the bridge, its process in a Ray cluster, send each other: lines of JSON.

    session: open a slot, request, kill      ─►      bridge      ─►  actor of the slot  ─►  worker process
    session: nodes; events, answers, losses  ◄─  (Ray's driver)  ◄─

A request carries the number of a call, which everything that answers it repeats, and the number of a worker process:
the actor starts a new process where that number is a new one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from freezebench.executors.ray.look import Look
    from freezebench.executors.ray.nodes import NodeReport
    from freezebench.executors.requests import Message
    from freezebench.records.run_record import InvalidCause


class ActorSetup(TypedDict):
    """What an actor is made with.

    Attributes:
        environment: Variables of its workers.
        folder: The current folder of the session, for relative paths.
        session: Name of the session, which all actors of a node share prefixes by.
        num_on_node: Number of slots that share the processors of the node.
    """

    environment: dict[str, str]
    folder: str
    session: str
    num_on_node: int


class Open(TypedDict):
    """Start the actor of a slot.

    Attributes:
        slot: Number of the slot.
        node_id: Ray's id of its node.
        num_gpus: GPUs of the actor: 1 or 0.
        resource: Another resource that its node must have; ``None``: none.
        setup: What it is made with.
    """

    do: Literal["open"]
    slot: int
    node_id: str
    num_gpus: int
    resource: str | None
    setup: ActorSetup


class Start(TypedDict):
    """Start a worker process, whose imports take a while, before its first request."""

    do: Literal["start"]
    slot: int
    worker: int


class Request(TypedDict):
    """Send a message to the worker of a slot.

    Attributes:
        slot: Number of the slot.
        call: Number of the call.
        worker: Number of the worker process.
        message: The message.
        timeout_s: How long its answer may take, in seconds.
    """

    do: Literal["request"]
    slot: int
    call: int
    worker: int
    message: Message
    timeout_s: float


class Kill(TypedDict):
    """End a worker process of a slot, if it is still the present one."""

    do: Literal["kill"]
    slot: int
    worker: int


Command = Open | Start | Request | Kill


class Joined(TypedDict):
    """The bridge is part of the cluster.

    Attributes:
        address: The cluster's address.
        nodes: Its living nodes.
        here: What the bridge's own process reports.
    """

    kind: Literal["joined"]
    address: str
    nodes: list[NodeReport]
    here: Look


class Refused(TypedDict):
    """The bridge could not join the cluster, for a reason that Ray gave."""

    kind: Literal["refused"]
    reason: str


class EventLine(TypedDict):
    """A line of a worker: an event, or the answer to a call (see ``executors.requests``)."""

    kind: Literal["event"]
    call: int
    line: str


class Fault(TypedDict):
    """A call has no answer, since the worker died or had to be ended."""

    kind: Literal["fault"]
    call: int
    cause: InvalidCause
    reason: str
    log: str


class Lost(TypedDict):
    """A call has no answer, since the actor or its node is gone."""

    kind: Literal["lost"]
    call: int
    reason: str


class Gone(TypedDict):
    """A slot is gone with its node, or its actor cannot be started."""

    kind: Literal["gone"]
    slot: int
    reason: str


Reply = Joined | Refused | EventLine | Fault | Lost | Gone


def encoded(message: Command | Reply) -> bytes:
    """Return a message as one line."""
    return json.dumps(message).encode() + b"\n"
