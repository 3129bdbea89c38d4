"""Which nodes of a cluster can train, and which slots they have."""

from __future__ import annotations

from typing import Any, cast

import pytest

from fake_bridge import LOOK, node
from freezebench.errors import FreezebenchError
from freezebench.executors.ray.nodes import NodeReport, check_versions, named_apart, slots_of, with_resource

HERE = LOOK["versions"]


def reports(*nodes: dict[str, Any]) -> list[NodeReport]:
    """Return the nodes as the bridge reports them, each with a name of its own."""
    return named_apart([cast("NodeReport", report) for report in nodes])


def test_every_gpu_is_a_slot() -> None:
    """Nodes without a GPU train nothing beside them: another number format would be another outcome."""
    slots = slots_of(reports(node("head"), node("gpu-1", gpus=2), node("gpu-2", gpus=1)))
    assert [slot.slot.name for slot in slots] == ["gpu-1 cuda:0", "gpu-1 cuda:1", "gpu-2 cuda:0"]
    assert [slot.num_gpus for slot in slots] == [1, 1, 1]
    assert [slot.num_on_node for slot in slots] == [2, 2, 1]
    assert len({slot.slot.node for slot in slots}) == 2
    assert not any(slot.slot.shares_processor for slot in slots)


def test_without_gpus_every_node_is_a_slot() -> None:
    """Its times are measured, since it has a processor of its own."""
    slots = slots_of(reports(node("a"), node("b")))
    assert [(slot.slot.name, slot.num_gpus, slot.slot.shares_processor) for slot in slots] == [
        ("a cpu", 0, False),
        ("b cpu", 0, False),
    ]


def test_containers_of_one_machine_share_its_processor() -> None:
    """Their times mean nothing while another one trains."""
    same = {**LOOK, "machine": "one"}
    slots = slots_of(reports(node("pod", look=same), node("pod", look=same), node("other")))
    assert [slot.slot.name for slot in slots] == ["pod-1 cpu", "pod-2 cpu", "other cpu"]
    assert [slot.slot.shares_processor for slot in slots] == [True, True, False]
    assert slots[0].slot.node == slots[1].slot.node != slots[2].slot.node


def test_a_resource_selects_nodes() -> None:
    """Such as the model of their GPUs."""
    nodes = reports(node("a", resources={"GPU": 1.0, "accelerator_type:A100": 1.0}), node("b", gpus=1))
    assert [chosen["name"] for chosen in with_resource(nodes, "accelerator_type:A100")] == ["a"]
    assert with_resource(nodes, None) == nodes


def test_a_resource_that_no_node_has_is_refused() -> None:
    """Ray would let the request wait forever."""
    nodes = reports(node("a", resources={"CPU": 1.0, "accelerator_type:A100": 1.0, "node:a": 1.0}))
    with pytest.raises(FreezebenchError, match=r"resource=H100: no node .* nodes have accelerator_type:A100\. Name"):
        with_resource(nodes, "H100")
    with pytest.raises(FreezebenchError, match="the nodes have no resources of their own"):
        with_resource(reports(node("a")), "H100")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"versions": {**HERE, "torch": "2.12.0"}}, "torch 2.12.0, and 2.13.0 here"),
        (
            {"versions": {**HERE, "python": "3.12.1", "freezebench": "0.2.0", "source_sha256": "cd"}},
            "python 3.12.1, and 3.11.7 here, freezebench 0.2.0, and 0.1.0 here",
        ),
        ({"versions": {**HERE, "source_sha256": "cd"}}, "the source of freezebench differs from the one here"),
        ({"versions": {"python": "3.11.7"}, "problem": "ModuleNotFoundError: x"}, "cannot be imported there: Module"),
        (None, "it did not answer"),
    ],
)
def test_nodes_that_would_train_differently_are_named(changes: dict[str, Any] | None, reason: str) -> None:
    """Before anything is trained."""
    look = None if changes is None else {**LOOK, **changes}
    nodes = reports(node("good"), node("bad", look=look, problem="" if look else "it did not answer"))
    with pytest.raises(FreezebenchError) as caught:
        check_versions(nodes, HERE, "10.0.0.1:6379")
    assert "the Ray cluster at 10.0.0.1:6379 would not train as this machine does: bad (" in str(caught.value)
    assert reason in str(caught.value)
    assert "good" not in str(caught.value)
    check_versions(nodes[:1], HERE, "10.0.0.1:6379")
