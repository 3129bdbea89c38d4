"""The GPUs that this process may use, listed without torch and without CUDA, each for a worker process of its own.

``cuda:N`` is the N-th of them, as torch numbers them in this process: CUDA counts the devices that CUDA_VISIBLE_DEVICES
leaves, in its order where it lists UUIDs. Otherwise CUDA counts by speed, unless CUDA_DEVICE_ORDER=PCI_BUS_ID, and NVML
by PCI bus. Both agree where all GPUs are of one model. Where they may not, numbers are refused: training on a GPU that
is another user's is worse than an error. A GPU that is split into MIG instances is listed as its instances.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.meters.deadline import DeadlineWorker
from freezebench.meters.devices import DeviceInfo, full_uuid, identify, visible_entries
from freezebench.meters.nvml import Failure, Handle, Nvml, open_nvml

if TYPE_CHECKING:
    from collections.abc import Mapping

# The kernel module is not loaded; there is no library: this machine has no NVIDIA GPU that works.
_NO_GPU_CODES = {9, 12}


@dataclass(frozen=True, kw_only=True)
class UsableGpus:
    """The GPUs that this process may use.

    Attributes:
        devices: GPUs and MIG instances, in the order of their numbers.
        ambiguity: Why CUDA may number them in another order; empty if it does not.
    """

    devices: tuple[DeviceInfo, ...] = ()
    ambiguity: str = ""


def usable_gpus(environ: Mapping[str, str], *, deadline_s: float = 10.0) -> UsableGpus:
    """Return the GPUs that a process with this environment may use; none on a machine without GPUs.

    Args:
        environ: The environment.
        deadline_s: Limit of all NVML calls together, in seconds.

    Raises:
        SettingsError: If there may be GPUs that cannot be listed, or not be told apart.
    """
    answer: Future[UsableGpus] = Future()

    def job() -> None:
        try:
            answer.set_result(_usable(environ))
        except Exception as error:  # noqa: BLE001 - the waiting thread raises it
            answer.set_exception(error)

    worker = DeadlineWorker("freezebench-gpus")
    in_time = worker.run(job, deadline_s)
    worker.close()
    if not in_time:
        raise SettingsError(
            f"the GPUs of this machine cannot be listed: NVML did not answer in {deadline_s:g} s. Check whether "
            "nvidia-smi hangs as well, and reset the GPU or reload the driver."
        )
    return answer.result()


def _usable(environ: Mapping[str, str]) -> UsableGpus:
    """Return the GPUs that ``CUDA_VISIBLE_DEVICES`` leaves.

    Raises:
        SettingsError: If they cannot be listed or told apart.
    """
    nvml = open_nvml()
    if isinstance(nvml, Failure) and nvml.code in _NO_GPU_CODES:
        return UsableGpus()
    count = nvml if isinstance(nvml, Failure) else nvml.num_devices()
    if isinstance(nvml, Failure) or isinstance(count, Failure):
        raise SettingsError(f"the GPUs of this machine cannot be listed: {count}. Make nvidia-smi -L list them first.")
    gpus = [_with_instances(nvml, index) for index in range(count)]
    ambiguity = _ambiguity(gpus, environ)
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        devices = [device for gpu in gpus for device in gpu]
    else:
        devices = _visible(nvml, gpus, visible, ambiguity)
        ambiguity = ""  # its order is that of CUDA
    nvml.close()
    return UsableGpus(devices=tuple({device.uuid: device for device in devices}.values()), ambiguity=ambiguity)


def _with_instances(nvml: Nvml, index: int) -> list[DeviceInfo]:
    """Return a GPU; its MIG instances if it is split into some, and nothing if NVML has lost it."""
    handle = nvml.handle(f"index:{index}")
    if isinstance(handle, Failure):
        return []
    if not nvml.is_mig(handle, ""):
        return [identify(nvml, handle, f"index:{index}")]
    return [identify(nvml, instance, f"index:{index}") for instance in nvml.mig_instances(handle)]


def _ambiguity(gpus: list[list[DeviceInfo]], environ: Mapping[str, str]) -> str:
    """Return why CUDA may number these GPUs in another order; empty if it does not."""
    if any(device.mig for gpu in gpus for device in gpu):
        return "CUDA numbers only one of several MIG instances"
    names = {device.name for gpu in gpus for device in gpu}
    if len(names) > 1 and environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        return "this machine has GPUs of several models, which CUDA numbers by speed and nvidia-smi by PCI bus"
    return ""


def _visible(nvml: Nvml, gpus: list[list[DeviceInfo]], visible: str, ambiguity: str) -> list[DeviceInfo]:
    """Return the devices that a value of ``CUDA_VISIBLE_DEVICES`` lists, in its order.

    Raises:
        SettingsError: If it lists a number, and numbers may mean another device to CUDA.
    """
    devices: list[DeviceInfo] = []
    for entry in visible_entries(visible):
        if entry.isdecimal() and ambiguity:
            raise SettingsError(
                f"CUDA_VISIBLE_DEVICES={visible} does not tell which GPUs are meant: {ambiguity}. Name them by UUID "
                "(nvidia-smi -L)."
            )
        device = _listed(nvml, gpus, entry)
        if device is None:  # CUDA ignores what follows a device that does not exist
            break
        devices.append(device)
    return devices


def _listed(nvml: Nvml, gpus: list[list[DeviceInfo]], entry: str) -> DeviceInfo | None:
    """Return the device of an index or UUID; ``None`` if there is none."""
    if entry.isdecimal():
        return gpus[int(entry)][0] if int(entry) < len(gpus) and gpus[int(entry)] else None
    uuid = full_uuid(nvml, entry)
    handle: Handle | Failure = nvml.handle(uuid)
    return None if isinstance(handle, Failure) else identify(nvml, handle, uuid)
