"""The executor on a cluster whose bridge a test replaces: checks before a run, and what becomes of lost slots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import fake_bridge
import made_up
from cached_runs import cached_run
from fake_bridge import node
from fake_worker import trained
from freezebench.errors import FreezebenchError
from freezebench.executors.base import ExecutorOptions, SlotLostError
from freezebench.executors.ray.cluster import RayCluster
from freezebench.executors.ray.executor import RayExecutor
from freezebench.runs.data_cache import DataCache
from freezebench.runs.input_check import input_hashes
from freezebench.specs.run import RunSpec
from joined import use_bridge

Make = Callable[..., RayExecutor]
# Requests for the machine are answered; a test says what becomes of the others.
MACHINE = """
if command['do'] == 'request':
    request = command['message']['request']
    if request['kind'] == 'machine':
        answer(command, {'device': 'cpu', 'device_name': 'a CPU', 'precision': 'float32', 'environment': {}})
    else:
        """


@pytest.fixture
def spec(tiny_model: Path, tiny_data: Path) -> RunSpec:
    """A run on the tiny model and data."""
    return replace(cached_run(tiny_model, tiny_data), device="auto")


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Yield a function that makes executors on clusters whose bridge behaves in some way."""
    executors: list[RayExecutor] = []

    def make_executor(behaviour: str = "pass", **bridge: object) -> RayExecutor:
        use_bridge(monkeypatch, MACHINE + behaviour.replace("\n", "\n        "), **bridge)  # type: ignore[arg-type]
        options = ExecutorOptions(data_cache=DataCache(), data_cache_options={}, timeout_s=60.0)
        executors.append(RayExecutor(options, RayCluster("auto"), keep=True))
        return executors[-1]

    yield make_executor
    for executor in executors:
        executor.close()


def inputs_of(spec: RunSpec, **changes: str) -> str:
    """Return what a node answers that has the inputs of this machine, but for some of them."""
    hashes = input_hashes(spec, DataCache())
    return repr(
        {name: next((value for part, value in changes.items() if part in name), hashes[name]) for name in hashes}
    )


def test_runs_train_on_the_slots_of_the_cluster(make: Make, spec: RunSpec) -> None:
    """As on local ones."""
    record = made_up.record("none", spec=spec)
    executor = make(f"answer(command, {record.to_json()!r})")
    assert [slot.name for slot in executor.slots] == ["a cpu", "bb cpu"]
    assert trained(executor, spec).is_valid
    assert executor.machine(spec, executor.slots[1]).device_name == "a CPU"


def test_nodes_with_other_versions_are_refused(make: Make) -> None:
    """Before an actor starts."""
    other = {**fake_bridge.LOOK, "versions": {**fake_bridge.LOOK["versions"], "torch": "2.12.0"}}
    with pytest.raises(FreezebenchError, match=r"b \(torch 2\.12\.0, and 2\.13\.0 here\)\. Install the same"):
        make(nodes=[node("a"), node("b", look=other)])


def test_nodes_with_other_inputs_are_refused_by_name(make: Make, spec: RunSpec) -> None:
    """With what differs, and what to do: files are not sent."""
    here, other = inputs_of(spec), inputs_of(spec, train="x", weights="y")
    executor = make(f"answer(command, {other} if command['slot'] else {here})")
    with pytest.raises(FreezebenchError) as caught:
        executor.preflight(spec, ["none"])
    assert f"bb cpu: other content of {spec.data.source} (train), weights of {spec.model}. Put" in str(caught.value)
    assert "a cpu:" not in str(caught.value)
    assert "Put both at the same paths on every node" in str(caught.value)


def test_nodes_without_the_inputs_are_refused_by_name(make: Make, spec: RunSpec) -> None:
    """With the error of the node."""
    error = "json.dumps({'event': 'Answer', 'error': 'there is no folder ./reviews. Check it.'})"
    executor = make(f"reply('event', call=command['call'], line={error})")
    with pytest.raises(FreezebenchError, match=r"machine: a cpu: there is no folder \./reviews\. Check it, bb cpu: "):
        executor.preflight(spec, ["none"])


def test_inputs_are_checked_once_on_every_node(make: Make, spec: RunSpec, tmp_path: Path) -> None:
    """Not on every slot, and not for the second time."""
    log = tmp_path / "log"
    note = f"open({str(log)!r}, 'a').write(request['kind'] + str(command['slot']) + ' ')\n"
    executor = make(
        f"{note}answer(command, {inputs_of(spec)} if request['kind'] == 'inputs' else {{}})",
        nodes=[node("a", gpus=2), node("bb", gpus=1)],
    )
    executor.preflight(spec, ["none"])
    executor.preflight(spec, ["emb"])
    assert sorted(log.read_text().split()) == ["inputs0", "inputs2", "preflight0", "preflight0"]


def test_the_next_slot_serves_where_the_first_one_is_lost(make: Make, spec: RunSpec) -> None:
    """A preflight can take place anywhere."""
    lost = "reply('gone', slot=0, reason='its node left the cluster')"
    executor = make(
        f"if request['kind'] == 'inputs': answer(command, {inputs_of(spec)})\n"
        f"elif command['slot'] == 0: {lost}\nelse: answer(command, {{}})"
    )
    assert executor.preflight(spec, ["none"]) == {}
    assert [slot.name for slot in executor.slots] == ["bb cpu"]
    assert executor.machine(spec).device_name == "a CPU"


def test_a_cluster_without_slots_is_named(make: Make, spec: RunSpec) -> None:
    """With the reason and what to do."""
    executor = make("os._exit(1)")
    slot = executor.slots[0]
    with pytest.raises(SlotLostError, match=r"the Ray cluster at 10\.0\.0\.1:6379: its head"):
        trained(executor, spec)
    for call in (lambda: executor.machine(replace(spec, device="cpu")), lambda: executor.preflight(spec, ["none"])):
        with pytest.raises(FreezebenchError, match=r"10\.0\.0\.1:6379 has no slot left .* is gone\. Read what `ray"):
            call()
    with pytest.raises(SlotLostError):
        executor.machine(replace(spec, device="cpu"), slot)
