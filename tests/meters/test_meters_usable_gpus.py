"""The GPUs that this process may use, by NVML and the environment alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_nvml_control import GPU_A, GPU_B, MIG_C, UNKNOWN, FakeNvml

from freezebench.errors import SettingsError
from freezebench.meters.usable_gpus import usable_gpus

if TYPE_CHECKING:
    from pathlib import Path

_SECOND_MIG = "MIG-dddddddd-0000-4000-8000-000000000004"
_NO_DRIVER, _NO_LIBRARY, _NO_PERMISSION, _VERSION_MISMATCH = 9, 12, 4, 18


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """The test NVML without a device."""
    library = FakeNvml(tmp_path, virtual=True)
    library.install(monkeypatch)
    return library


@pytest.fixture
def two(fake: FakeNvml) -> FakeNvml:
    """The test NVML with two GPUs of one model."""
    fake.add_device(GPU_A)
    fake.add_device(GPU_B)
    return fake


@pytest.fixture
def mixed(fake: FakeNvml) -> FakeNvml:
    """The test NVML with GPUs of two models."""
    fake.add_device(GPU_A, name=b"Slow GPU")
    fake.add_device(GPU_B, name=b"Fast GPU")
    return fake


@pytest.fixture
def split(fake: FakeNvml) -> FakeNvml:
    """The test NVML with a GPU that is split into two instances, and a whole one."""
    fake.add_device(GPU_A, mig_mode=1)
    fake.add_device(MIG_C, mig_parent=0, name=b"Fake GPU MIG 1g.5gb")
    fake.add_device(_SECOND_MIG, mig_parent=0, name=b"Fake GPU MIG 1g.5gb")
    fake.add_device(GPU_B)
    return fake


def uuids(**environ: str) -> list[str]:
    """Return the UUIDs of the usable GPUs."""
    return [device.uuid for device in usable_gpus(environ).devices]


@pytest.mark.parametrize("number", [0, 1, 2, 8])
def test_all_gpus_in_order(fake: FakeNvml, number: int) -> None:
    """Without CUDA_VISIBLE_DEVICES all GPUs are usable, in the order of nvidia-smi."""
    expected = [f"GPU-{index:08d}-0000-4000-8000-000000000000" for index in range(number)]
    for uuid in expected:
        fake.add_device(uuid)
    assert uuids() == expected


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("0,1", [GPU_A, GPU_B]),
        ("1", [GPU_B]),
        ("1,0", [GPU_B, GPU_A]),
        (f"{GPU_B},{GPU_A}", [GPU_B, GPU_A]),
        ("GPU-bbbb", [GPU_B]),
        ("1,5,0", [GPU_B]),
        ("0,-1,1", [GPU_A]),
        ("GPU-cccc,0", []),
        ("1,1", [GPU_B]),
        ("-1", []),
        ("", []),
        ("NoDevFiles", []),
    ],
)
def test_cuda_visible_devices(visible: str, expected: list[str]) -> None:
    """CUDA_VISIBLE_DEVICES chooses and orders by index and UUID, up to the first entry that names no device."""
    assert uuids(CUDA_VISIBLE_DEVICES=visible) == expected


@pytest.mark.usefixtures("mixed")
def test_mixed_models() -> None:
    """Where models differ, CUDA may number by speed: numbers have a meaning only by UUID or in the PCI order."""
    assert uuids() == [GPU_A, GPU_B]
    assert "by speed" in usable_gpus({}).ambiguity
    assert usable_gpus({"CUDA_VISIBLE_DEVICES": f"{GPU_B},{GPU_A}"}).ambiguity == ""
    assert uuids(CUDA_VISIBLE_DEVICES=f"{GPU_B},{GPU_A}") == [GPU_B, GPU_A]
    with pytest.raises(
        SettingsError, match=r"CUDA_VISIBLE_DEVICES=1 does not tell which GPUs are meant: .*Name them by UUID"
    ):
        usable_gpus({"CUDA_VISIBLE_DEVICES": "1"})
    in_order = usable_gpus({"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
    assert [(device.uuid, device.name) for device in in_order.devices] == [(GPU_B, "Fast GPU")]
    assert usable_gpus({"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}).ambiguity == ""


@pytest.mark.usefixtures("split")
def test_mig_instances() -> None:
    """A GPU that is split counts as its instances, each with its own UUID and model; numbers do not name them."""
    usable = usable_gpus({})
    assert [device.uuid for device in usable.devices] == [MIG_C, _SECOND_MIG, GPU_B]
    assert usable.devices[0].name == "Fake GPU MIG 1g.5gb"
    assert "MIG instances" in usable.ambiguity
    assert uuids(CUDA_VISIBLE_DEVICES=f"{_SECOND_MIG},{GPU_B}") == [_SECOND_MIG, GPU_B]
    with pytest.raises(SettingsError, match="MIG instances"):
        usable_gpus({"CUDA_VISIBLE_DEVICES": "0"})


def test_split_without_instances(fake: FakeNvml) -> None:
    """A GPU in MIG mode without any instance can train nothing."""
    fake.add_device(GPU_A, mig_mode=1)
    fake.add_device(GPU_B)
    assert uuids() == [GPU_B]


@pytest.mark.parametrize("code", [_NO_DRIVER, _NO_LIBRARY])
def test_no_driver(two: FakeNvml, code: int) -> None:
    """A machine without the library or the driver has no GPU; that is no error."""
    two.control.init_code = code
    assert uuids() == []


@pytest.mark.parametrize("code", [_NO_PERMISSION, _VERSION_MISMATCH, UNKNOWN])
def test_driver_that_fails(two: FakeNvml, code: int) -> None:
    """GPUs that cannot be listed are an error: training on the CPU instead would compare something else."""
    two.control.init_code = code
    with pytest.raises(SettingsError, match=r"cannot be listed: nvmlInit: .*Make nvidia-smi -L list them"):
        usable_gpus({})


def test_count_that_fails(two: FakeNvml) -> None:
    """So is a library that cannot count them."""
    two.fault("nvmlDeviceGetCount_v2", UNKNOWN)
    with pytest.raises(SettingsError, match=r"cannot be listed: nvmlDeviceGetCount"):
        usable_gpus({})


def test_driver_that_hangs(two: FakeNvml) -> None:
    """A driver that hangs ends in a sentence, not in a session that never starts."""
    two.fault("nvmlDeviceGetCount_v2", hang_s=0.5)
    with pytest.raises(SettingsError, match=r"NVML did not answer in 0\.1 s"):
        usable_gpus({}, deadline_s=0.1)


def test_lost_gpu(two: FakeNvml) -> None:
    """A GPU that has fallen off the bus is left out."""
    two.fault("nvmlDeviceGetHandleByIndex_v2", UNKNOWN, times=1)
    assert uuids() == [GPU_B]
