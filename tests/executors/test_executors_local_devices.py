"""The devices of ``--freeze-devices``, on made-up machines."""

from __future__ import annotations

import pytest

from freezebench.errors import SettingsError
from freezebench.executors.local_devices import LocalDevice, local_slots, resolve_devices
from freezebench.meters import usable_gpus
from freezebench.meters.devices import DeviceInfo
from freezebench.meters.usable_gpus import UsableGpus
from freezebench.specs.slots import Slot

_A, _B = DeviceInfo(uuid="GPU-a", name="H200"), DeviceInfo(uuid="GPU-b", name="A100")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[UsableGpus]:
    """A machine with the GPUs of the list's last entry."""
    machines = [UsableGpus()]
    monkeypatch.setattr(usable_gpus, "usable_gpus", lambda _: machines[-1])
    return machines


def test_all_gpus(machine: list[UsableGpus]) -> None:
    """``all`` is every GPU, by number, and each worker sees its own GPU alone."""
    machine.append(UsableGpus(devices=(_A, _B), ambiguity="unclear"))
    devices = resolve_devices(("all",), {})
    assert devices == (
        LocalDevice(name="cuda:0", uuid="GPU-a", model="H200"),
        LocalDevice(name="cuda:1", uuid="GPU-b", model="A100"),
    )
    assert local_slots(("all",), {}) == (
        Slot(name="cuda:0", visible_devices="GPU-a"),
        Slot(name="cuda:1", visible_devices="GPU-b"),
    )
    assert not devices[0].is_cpu


@pytest.mark.usefixtures("machine")
def test_all_without_gpus() -> None:
    """``all`` is the CPU, once, where there is no GPU."""
    (cpu,) = resolve_devices(("all",), {})
    assert (cpu.name, cpu.is_cpu) == ("cpu", True)


def test_named_gpus(machine: list[UsableGpus]) -> None:
    """Numbers choose, in the order in which they were given."""
    machine.append(UsableGpus(devices=(_A, _B)))
    assert [device.uuid for device in resolve_devices(("cuda:1", "cuda:0"), {})] == ["GPU-b", "GPU-a"]
    assert [device.name for device in resolve_devices(("cuda:1",), {})] == ["cuda:1"]


def test_cpus_hide_the_gpus(machine: list[UsableGpus]) -> None:
    """A CPU may be named several times; its workers see no GPU, and GPUs are not listed for it."""
    machine.clear()  # listing them would fail
    devices = resolve_devices(("cpu", "cpu"), {})
    assert [device.name for device in devices] == ["cpu:0", "cpu:1"]
    slots = local_slots(("cpu", "cpu"), {})
    assert [(slot.name, slot.shares_processor, slot.visible_devices) for slot in slots] == [
        ("cpu:0", True, ""),
        ("cpu:1", True, ""),
    ]


def test_a_single_slot_has_no_name(machine: list[UsableGpus]) -> None:
    """Progress shows it as a session without the option does, and its times are measured."""
    machine.append(UsableGpus(devices=(_A, _B)))
    assert local_slots((), {}) == (Slot(),)
    assert local_slots(("cpu",), {}) == (Slot(visible_devices=""),)
    assert local_slots(("cuda:1",), {}) == (Slot(visible_devices="GPU-b"),)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(("environ", "hides"), [({}, ""), ({"CUDA_VISIBLE_DEVICES": ""}, "CUDA_VISIBLE_DEVICES=''")])
def test_no_gpu(environ: dict[str, str], hides: str) -> None:
    """A GPU where there is none is refused, with the variable that may hide it."""
    with pytest.raises(
        SettingsError, match=rf"cuda:0: there is no CUDA GPU here.*{hides}, and torch is \d.*\. Use cpu, or all\. If"
    ):
        resolve_devices(("cuda:0",), environ)


def test_missing_gpu(machine: list[UsableGpus]) -> None:
    """The message lists the GPUs that exist."""
    machine.append(UsableGpus(devices=(_A, _B)))
    expected = r"there is no cuda:2 with CUDA_VISIBLE_DEVICES='0,1', only cuda:0 \(H200\), cuda:1 \(A100\)\. Choose"
    with pytest.raises(SettingsError, match=expected):
        resolve_devices(("cuda:0", "cuda:2"), {"CUDA_VISIBLE_DEVICES": "0,1"})


def test_ambiguous_numbers(machine: list[UsableGpus]) -> None:
    """Numbers that CUDA may count in another order are refused."""
    machine.append(UsableGpus(devices=(_A, _B), ambiguity="CUDA numbers by speed"))
    with pytest.raises(SettingsError, match=r"does not tell which GPUs are meant: CUDA numbers by speed\. Use all"):
        resolve_devices(("cuda:1",), {})
