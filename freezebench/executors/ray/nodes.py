"""Which nodes of a Ray cluster can train, and which slots they have: functions of what Ray and the nodes report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from freezebench.errors import FreezebenchError
from freezebench.specs.slots import Slot
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.executors.ray.look import Look

_MOST_NAMED = 5
# Ray lists what every node has among the resources: addresses, memory, processors.
_COMMON = ("CPU", "GPU", "memory", "object_store_memory")


class NodeReport(TypedDict):
    """A living node.

    Attributes:
        id: Ray's id of it.
        name: Its name: the one that ``ray start --node-name`` gave, else that of the host.
        address: Its address.
        resources: Its resources by name.
        look: What it reports; ``None`` if it did not answer.
        problem: Why it did not.
    """

    id: str
    name: str
    address: str
    resources: dict[str, float]
    look: Look | None
    problem: str


@dataclass(frozen=True, kw_only=True)
class RaySlot:
    """A slot and the actor that it needs.

    Attributes:
        slot: The slot.
        node_id: Ray's id of its node.
        num_gpus: 1 or 0, never a fraction: neighbours on one GPU would spoil all measurements.
        num_on_node: Number of slots of its node, which share its processors.
    """

    slot: Slot
    node_id: str
    num_gpus: int
    num_on_node: int


def named_apart(nodes: Sequence[NodeReport]) -> list[NodeReport]:
    """Return the nodes with a name of its own each: those of one name are numbered."""
    num = Counter(node["name"] for node in nodes)
    seen: Counter[str] = Counter()
    named: list[NodeReport] = []
    for node in nodes:
        name = node["name"]
        seen[name] += 1
        named.append(node if num[name] == 1 else {**node, "name": f"{name}-{seen[name]}"})
    return named


def with_resource(nodes: Sequence[NodeReport], resource: str | None) -> list[NodeReport]:
    """Return the nodes that have a resource; all of them for ``None``.

    Raises:
        FreezebenchError: If no node has it.
    """
    if resource is None:
        return list(nodes)
    chosen = [node for node in nodes if node["resources"].get(resource)]
    if chosen:
        return chosen
    others = {name for node in nodes for name in node["resources"] if not name.startswith("node:")}
    names = sorted(others.difference(_COMMON))
    raise FreezebenchError(
        f"--freeze-cluster-resource={resource}: no node of the Ray cluster has this resource, and a request for it "
        f"would wait forever; the nodes have {listed(names, 10) if names else 'no resources of their own'}. Name one "
        "of them, or start a node with it: ray start --resources."
    )


def slots_of(nodes: Sequence[NodeReport]) -> list[RaySlot]:
    """Return one slot for each GPU; where no node has a GPU, one for each node.

    Processors and GPUs are never mixed: their number formats, and so their outcomes, differ.
    """
    has_gpus = any(_num_gpus(node) for node in nodes)
    on_machine = Counter(_machine(node) for node in nodes)
    slots = []
    for node in nodes:
        num = _num_gpus(node) if has_gpus else 1
        devices = [f"cuda:{index}" for index in range(num)] if has_gpus else ["cpu"]
        for device in devices:
            slot = Slot(
                name=f"{node['name']} {device}",
                node=_machine(node),
                shares_processor=not has_gpus and on_machine[_machine(node)] > 1,
            )
            slots.append(RaySlot(slot=slot, node_id=node["id"], num_gpus=int(has_gpus), num_on_node=num))
    return slots


def check_versions(nodes: Sequence[NodeReport], here: Mapping[str, str], cluster: str) -> None:
    """Check that all nodes would train as this machine does.

    Args:
        nodes: The nodes that have slots.
        here: The versions on this machine.
        cluster: Address of the cluster.

    Raises:
        FreezebenchError: If one of them lacks freezebench, or has another version of something.
    """
    problems = [f"{node['name']} ({problem})" for node in nodes if (problem := version_problem(node, here))]
    if problems:
        raise FreezebenchError(
            f"nodes of the Ray cluster at {cluster} would not train as this machine does: "
            f"{listed(problems, _MOST_NAMED)}. Install the same versions on every node and restart it, or take the "
            "node out of the cluster by `ray stop`."
        )


def version_problem(node: NodeReport, here: Mapping[str, str]) -> str:
    """Return what differs between a node and this machine; empty if nothing does."""
    look = node["look"]
    if look is None:
        return node["problem"]
    if look["problem"] is not None:
        return f"freezebench cannot be imported there: {look['problem']}"
    there = look["versions"]
    different = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    if different == ["source_sha256"]:
        return "the source of freezebench differs from the one here"
    return ", ".join(
        f"{name} {there.get(name, 'missing')}, and {here.get(name, 'none')} here"
        for name in different
        if name != "source_sha256"  # follows from the version
    )


def _num_gpus(node: NodeReport) -> int:
    return int(node["resources"].get("GPU", 0))


def _machine(node: NodeReport) -> str:
    """Return what identifies the machine of a node: several nodes may be containers of one."""
    return node["id"] if node["look"] is None else node["look"]["machine"]
