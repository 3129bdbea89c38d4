"""Selection of the devices that a window measures."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from fake_nvml_control import GPU_A, GPU_B, MIG_C, FakeNvml, opened

from freezebench.errors import SettingsError
from freezebench.meters.devices import check_gpus, select_devices

if TYPE_CHECKING:
    from pathlib import Path

    from freezebench.meters.devices import Gpus


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """The test NVML with two devices."""
    library = FakeNvml(tmp_path, virtual=True)
    library.add_device(GPU_A)
    library.add_device(GPU_B)
    library.install(monkeypatch)
    return library


def uuids(gpus: Gpus, environ: dict[str, str] | None = None) -> list[str]:
    """Return the UUIDs of the selected devices; no requested device may be refused."""
    selection = select_devices(opened(), check_gpus(gpus), environ or {})
    assert selection.refusals == ()
    return [device.info.uuid for device in selection.devices]


def refusal(gpus: Gpus, environ: dict[str, str] | None = None) -> str:
    """Return the only reason why no device was selected."""
    selection = select_devices(opened(), check_gpus(gpus), environ or {})
    assert selection.devices == ()
    (only,) = selection.refusals
    return only.reason


def pretend_torch(
    patch: pytest.MonkeyPatch, visible: list[dict[str, object]], reserved: list[int] | None = None
) -> None:
    """Replace torch by one that has initialised CUDA and sees these devices."""

    def memory_reserved(index: int) -> int:
        if reserved is None:
            raise RuntimeError("no such allocator")
        return reserved[index]

    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: len(visible),
        get_device_properties=lambda index: SimpleNamespace(**visible[index]),
        memory_reserved=memory_reserved,
    )
    patch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))


def bare(uuid: str) -> dict[str, object]:
    """Return torch's properties of a device: the UUID comes without its prefix."""
    return {"uuid": uuid.removeprefix("GPU-").removeprefix("MIG-")}


@pytest.mark.parametrize("order", [[GPU_A, GPU_B], [GPU_B, GPU_A], [GPU_B]])
def test_point_12_torch_devices_map_by_uuid(fake: FakeNvml, monkeypatch: pytest.MonkeyPatch, order: list[str]) -> None:
    """CUDA_VISIBLE_DEVICES permutes torch's devices, and each still maps to its own handle."""
    pretend_torch(monkeypatch, [bare(uuid) for uuid in order])
    assert uuids(None, {"CUDA_VISIBLE_DEVICES": "1,0"}) == order
    assert fake.control.num_devices == 2


@pytest.mark.usefixtures("fake")
def test_point_12_only_the_devices_that_torch_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the visible devices, those are measured on which torch holds memory."""
    pretend_torch(monkeypatch, [bare(GPU_A), bare(GPU_B)], reserved=[0, 4096])
    assert uuids(None) == [GPU_B]
    pretend_torch(monkeypatch, [bare(GPU_A), bare(GPU_B)], reserved=[0, 0])
    assert uuids(None) == [GPU_A, GPU_B]


@pytest.mark.usefixtures("fake")
def test_point_12_torch_without_uuids(monkeypatch: pytest.MonkeyPatch) -> None:
    """A torch without UUIDs is mapped by PCI bus id; one with neither is refused."""
    pretend_torch(monkeypatch, [{"pci_domain_id": 0, "pci_bus_id": 2, "pci_device_id": 0}])
    assert uuids(None) == [GPU_B]
    pretend_torch(monkeypatch, [{}])
    assert "pass gpus= as UUIDs" in refusal(None)


def test_point_12_torch_under_mig(fake: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under MIG torch reports the instance's UUID, which maps to the instance's handle."""
    fake.add_device(MIG_C, mig_parent=0)
    pretend_torch(monkeypatch, [bare(MIG_C)])
    assert uuids(None) == [MIG_C]


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (f"{GPU_B},{GPU_A}", [GPU_B, GPU_A]),
        (GPU_B, [GPU_B]),
        ("GPU-bbbb", [GPU_B]),
        (f"{GPU_A},-1,{GPU_B}", [GPU_A]),
        (f" {GPU_A} ", [GPU_A]),
    ],
)
def test_point_12_visible_uuids(visible: str, expected: list[str]) -> None:
    """Without CUDA in use the UUIDs in CUDA_VISIBLE_DEVICES choose, abbreviated or not, up to the first invalid one."""
    assert uuids(None, {"CUDA_VISIBLE_DEVICES": visible}) == expected


@pytest.mark.usefixtures("fake")
def test_point_12_unset_means_all() -> None:
    """Without CUDA in use and without CUDA_VISIBLE_DEVICES all devices are measured."""
    assert uuids(None) == [GPU_A, GPU_B]


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("visible", ["", "-1", "NoDevFiles"])
def test_point_12_empty(visible: str) -> None:
    """An empty CUDA_VISIBLE_DEVICES selects no device, and nothing is measured."""
    assert "allows this process no GPU" in refusal(None, {"CUDA_VISIBLE_DEVICES": visible})


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("visible", ["0", "1,0"])
def test_point_12_indices_are_refused_where_orders_may_differ(visible: str) -> None:
    """CUDA's indices are not NVML's: they are refused with what to do, unless the order is pinned."""
    reason = refusal(None, {"CUDA_VISIBLE_DEVICES": visible})
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in reason
    expected = [[GPU_A, GPU_B][int(index)] for index in visible.split(",")]
    assert uuids(None, {"CUDA_VISIBLE_DEVICES": visible, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}) == expected


def test_point_12_indices_under_mig_are_refused(fake: FakeNvml) -> None:
    """MIG instances shift CUDA's count, so that indices are refused even in PCI order."""
    fake.control.devices[0].mig_mode = 1
    assert "CUDA_VISIBLE_DEVICES" in refusal(None, {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"})


def test_point_12_one_device_leaves_no_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a single device index 0 can only mean that one."""
    fake = FakeNvml(tmp_path, virtual=True)
    fake.add_device(GPU_A)
    fake.install(monkeypatch)
    assert uuids(None, {"CUDA_VISIBLE_DEVICES": "0"}) == [GPU_A]


def test_point_12_mig_by_uuid(fake: FakeNvml) -> None:
    """A MIG instance that CUDA_VISIBLE_DEVICES or the caller names is found and marked as such."""
    fake.add_device(MIG_C, mig_parent=0)
    selection = select_devices(opened(), None, {"CUDA_VISIBLE_DEVICES": MIG_C})
    assert [device.info.mig for device in selection.devices] == [True]
    assert uuids([MIG_C]) == [MIG_C]
    # torch gives an instance's UUID without saying that it is one.
    assert uuids([MIG_C.replace("MIG-", "GPU-")]) == [MIG_C]


def test_a_gpu_that_is_split_is_marked(fake: FakeNvml) -> None:
    """A GPU in MIG mode counts as MIG: its energy is not one run's."""
    fake.control.devices[0].mig_mode = 1
    selection = select_devices(opened(), ("all",), {})
    assert [device.info.mig for device in selection.devices] == [True, False]


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        ("all", [GPU_A, GPU_B]),
        ([1], [GPU_B]),
        (1, [GPU_B]),
        (GPU_B, [GPU_B]),
        ([1, GPU_B, 0], [GPU_B, GPU_A]),
        ([], None),
    ],
)
def test_explicit_choice(gpus: Gpus, expected: list[str] | None) -> None:
    """Indices are NVML's, UUIDs are themselves, and the same device twice counts once."""
    if expected is None:
        assert check_gpus(gpus) == ()
    else:
        assert uuids(gpus, {"CUDA_VISIBLE_DEVICES": ""}) == expected


@pytest.mark.usefixtures("fake")
def test_unknown_uuid_is_refused() -> None:
    """A UUID that no device has is refused with NVML's error message."""
    assert "Not Found" in refusal(["GPU-nope"])


@pytest.mark.parametrize("gpus", [[True], [-1], ["cuda:0"], ["all", 0], [1.5], "gpu0"])
def test_nonsense_raises(gpus: Gpus) -> None:
    """A value that cannot name a device is a SettingsError."""
    with pytest.raises(SettingsError, match="cannot measure GPU"):
        check_gpus(gpus)


@pytest.mark.usefixtures("fake")
def test_identity() -> None:
    """A device's identity carries name, driver, bus and limit, and goes through JSON."""
    info = select_devices(opened(), (0,), {}).devices[0].info
    assert info.to_json() == {
        "uuid": GPU_A,
        "name": "Fake GPU",
        "driver": "580.01.fake",
        "pci_bus_id": "00000000:01:00.0",
        "mig": False,
        "power_limit_w": 700.0,
    }
