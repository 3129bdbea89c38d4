"""A bridge to a Ray cluster that answers as a test says, without Ray; the fixture ``join`` starts it."""

from __future__ import annotations

import json
from typing import Any

LOOK: dict[str, Any] = {
    "versions": {"python": "3.11.7", "source_sha256": "ab", "freezebench": "0.1.0", "torch": "2.13.0"},
    "problem": None,
    "machine": "m1",
    "measures": [],
}
# It replies to the commands of a session: `command` is one, and `reply` sends a message.
SCRIPT = """
import json, os, socket, sys, time
channel = socket.socket(fileno=int(sys.argv[1]))
lines, replies = channel.makefile("r"), channel.makefile("w")
def reply(kind, **fields):
    print(json.dumps({{"kind": kind, **fields}}), file=replies, flush=True)
def answer(command, value):
    reply("event", call=command["call"], line=json.dumps({{"event": "Answer", "value": value}}))
nodes, here = json.loads(sys.argv[2])
{start}
reply("joined", address="10.0.0.1:6379", nodes=nodes, here=here)
for line in lines:
    command = json.loads(line)
    {behaviour}
"""


def node(name: str, *, gpus: int = 0, **changes: Any) -> dict[str, Any]:
    """Return the report of a node on a machine of its own."""
    resources = {"CPU": 8.0, f"node:{name}": 1.0} | ({"GPU": float(gpus)} if gpus else {})
    report = {
        "id": f"id of {name}",
        "name": name,
        "address": f"10.0.0.{len(name)}",
        "resources": resources,
        "look": {**LOOK, "machine": f"machine of {name}"},
        "problem": "",
    }
    return report | changes


def script(behaviour: str, start: str = "") -> str:
    """Return the bridge's source."""
    return SCRIPT.format(behaviour=behaviour.replace("\n", "\n    "), start=start)


def inputs(nodes: list[dict[str, Any]]) -> str:
    """Return the argument with the nodes and what the bridge's own process reports."""
    return json.dumps([nodes, LOOK])
