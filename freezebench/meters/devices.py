"""Selection of the GPUs that a window measures.

The caller, torch or CUDA_VISIBLE_DEVICES name the devices; NVML needs handles. NVML ignores CUDA_VISIBLE_DEVICES and
numbers devices by PCI bus, while CUDA may number them by speed. So devices are mapped by UUID. A device that cannot be
mapped is refused with the reason, since measuring another one would give wrong figures.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.meters.nvml import Failure, Handle, Nvml

if TYPE_CHECKING:
    from types import ModuleType

    from freezebench.specs.json_types import Json

# None for the default devices, the string "all", NVML indices or UUIDs.
Gpus = None | str | int | Sequence[int | str]


@dataclass(frozen=True, kw_only=True)
class DeviceInfo:
    """The identity of one measured GPU.

    Attributes:
        uuid: ``GPU-…`` or ``MIG-…``; ``index:N`` if NVML does not report it.
        name: Product name; this and the following are ``None`` if NVML does not report them.
        driver: Driver version.
        pci_bus_id: PCI bus id, for example ``00000000:3B:00.0``.
        mig: Whether this is a MIG instance or a GPU with instances, whose energy cannot be attributed to one process.
        power_limit_w: The enforced power limit in watts.
    """

    uuid: str
    name: str | None = None
    driver: str | None = None
    pci_bus_id: str | None = None
    mig: bool = False
    power_limit_w: float | None = None

    def to_json(self) -> dict[str, Json]:
        """Return this identity in JSON types."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A requested device that cannot be measured.

    Attributes:
        label: The request, as it was written.
        reason: Why the device cannot be measured, and what to do.
    """

    label: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Device:
    """One GPU with its NVML handle, which is valid in this process only."""

    info: DeviceInfo
    handle: Handle


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The devices of a window, in the requested order, and those that were refused."""

    devices: tuple[Device, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def check_gpus(gpus: Gpus) -> tuple[int | str, ...] | None:
    """Return ``gpus`` as a tuple of NVML indices and UUIDs, ``("all",)``, or ``None`` for the default.

    Raises:
        SettingsError: If it is no value that ``measure`` documents.
    """
    if gpus is None:
        return None
    items: Sequence[object] = tuple(gpus) if isinstance(gpus, list | tuple | range | set) else (gpus,)
    checked: list[int | str] = []
    for item in items:
        if isinstance(item, bool) or not isinstance(item, int | str) or (isinstance(item, int) and item < 0):
            raise SettingsError(f"cannot measure GPU {item!r}: give NVML indices (0, 1, …), UUIDs, 'all' or None.")
        if isinstance(item, str) and item != "all" and not item.startswith(("GPU-", "MIG-")):
            raise SettingsError(
                f"cannot measure GPU {item!r}: it is neither 'all' nor a UUID. Give one that `nvidia-smi -L` lists."
            )
        checked.append(item)
    if "all" in checked and len(checked) > 1:
        raise SettingsError(f"cannot measure GPUs {gpus!r}: 'all' is joined with other devices. Give 'all' alone.")
    return tuple(dict.fromkeys(checked))


def select_devices(nvml: Nvml, gpus: tuple[int | str, ...] | None, environ: Mapping[str, str]) -> Selection:
    """Return the devices that ``gpus`` selects in this process.

    ``None`` selects the devices that torch uses if it has initialised CUDA in this process, else those that the UUIDs
    in ``CUDA_VISIBLE_DEVICES`` allow, else all. Indices are NVML indices.
    """
    if gpus is None:
        in_torch = _torch_addresses()
        addresses = _visible_addresses(nvml, environ) if in_torch is None else in_torch
    elif gpus == ("all",):
        addresses = _all_addresses(nvml)
    else:
        addresses = [_explicit_address(nvml, item) for item in gpus]
    if isinstance(addresses, Refusal):
        return Selection(refusals=(addresses,))
    outcomes = [address if isinstance(address, Refusal) else _find(nvml, address) for address in addresses]
    # By UUID, since two addresses may be the same device: index 0 and its UUID.
    devices = {outcome.info.uuid: outcome for outcome in outcomes if isinstance(outcome, Device)}
    refusals = tuple(outcome for outcome in outcomes if isinstance(outcome, Refusal))
    if not devices and not refusals:
        refusals = (Refusal(label="gpus", reason="NVML lists no device"),)
    return Selection(devices=tuple(devices.values()), refusals=refusals)


def torch_cuda() -> ModuleType | None:
    """Return ``torch.cuda`` if this process has imported torch and initialised CUDA, else ``None``."""
    # Without importing torch, which takes seconds and memory that a window would charge to the measured code.
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None


def torch_indices(cuda: ModuleType) -> tuple[int, ...]:
    """Return the indices of the devices on which torch holds memory, or of all visible ones if it holds none."""
    visible = tuple(range(cuda.device_count()))
    try:
        used = tuple(index for index in visible if cuda.memory_reserved(index) > 0)
    except (AttributeError, RuntimeError, AssertionError, ValueError):
        return visible
    return used or visible


# The address of a device: all forms in which NVML may know it, the most reliable one first.
_Addresses = list[tuple[str, ...] | Refusal]


def _torch_addresses() -> _Addresses | None:
    """Return the addresses of the devices that torch uses; ``None`` if it does not use CUDA."""
    cuda = torch_cuda()
    if cuda is None:
        return None
    addresses: _Addresses = []
    for index in torch_indices(cuda):
        properties = cuda.get_device_properties(index)
        spellings: list[str] = []
        if (uuid := getattr(properties, "uuid", None)) is not None:
            bare = str(uuid)
            # Under MIG, CUDA reports the UUID of the instance, and some versions leave out the prefix.
            spellings += [bare] if bare.startswith(("GPU-", "MIG-")) else [f"GPU-{bare}", f"MIG-{bare}"]
        elif hasattr(properties, "pci_bus_id"):
            domain, bus = getattr(properties, "pci_domain_id", 0), properties.pci_bus_id
            spellings.append(f"pci:{domain:08X}:{bus:02X}:{properties.pci_device_id:02X}.0")
        if spellings:
            addresses.append(tuple(spellings))
        else:
            reason = "this torch gives neither UUID nor PCI bus id: pass gpus= as UUIDs (nvidia-smi -L)"
            addresses.append(Refusal(label=f"cuda:{index}", reason=reason))
    return addresses


def _visible_addresses(nvml: Nvml, environ: Mapping[str, str]) -> _Addresses | Refusal:
    """Return the addresses of the devices that ``CUDA_VISIBLE_DEVICES`` allows."""
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return _all_addresses(nvml)
    entries = visible_entries(visible)
    if not entries:
        reason = f"CUDA_VISIBLE_DEVICES={visible!r} allows this process no GPU"
        return Refusal(label="CUDA_VISIBLE_DEVICES", reason=reason)
    if any(entry.isdecimal() for entry in entries) and not _is_same_order(nvml, environ):
        reason = (
            f"CUDA_VISIBLE_DEVICES={visible!r} counts devices in CUDA's order, NVML in PCI order: initialise CUDA "
            "first, set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name the devices by UUID (nvidia-smi -L)"
        )
        return Refusal(label="CUDA_VISIBLE_DEVICES", reason=reason)
    return [(f"index:{entry}" if entry.isdecimal() else full_uuid(nvml, entry),) for entry in entries]


def visible_entries(visible: str) -> list[str]:
    """Return the indices and UUIDs in a value of ``CUDA_VISIBLE_DEVICES``."""
    entries: list[str] = []
    for entry in (part.strip() for part in visible.split(",")):
        # CUDA ignores everything from the first entry on that names no device, such as -1.
        if not (entry.isdecimal() or entry.startswith(("GPU-", "MIG-"))):
            break
        entries.append(entry)
    return entries


def _is_same_order(nvml: Nvml, environ: Mapping[str, str]) -> bool:
    """Return whether CUDA and NVML are known to number the devices in the same order."""
    count = nvml.num_devices()
    if isinstance(count, Failure):
        return False
    handles = [nvml.handle(f"index:{index}") for index in range(count)]
    if any(isinstance(handle, Failure) or nvml.is_mig(handle, "") for handle in handles):
        return False  # CUDA counts MIG instances as devices, NVML does not
    return count == 1 or environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"


def _all_addresses(nvml: Nvml) -> _Addresses | Refusal:
    count = nvml.num_devices()
    if isinstance(count, Failure):
        return Refusal(label="all", reason=str(count))
    return [(f"index:{index}",) for index in range(count)]


def _explicit_address(nvml: Nvml, item: int | str) -> tuple[str, ...] | Refusal:
    if isinstance(item, str):
        # A UUID that CUDA reports may be that of an instance although it begins with GPU-.
        return (full_uuid(nvml, item), "MIG-" + item.removeprefix("GPU-").removeprefix("MIG-"))
    count = nvml.num_devices()
    if not isinstance(count, Failure) and item >= count:
        have = f"NVML lists devices 0 to {count - 1}" if count else "NVML lists no device"
        return Refusal(label=f"gpu {item}", reason=f"there is no GPU {item}: {have}")
    return (f"index:{item}",)


def full_uuid(nvml: Nvml, text: str) -> str:
    """Return the UUID that ``text`` abbreviates, as CUDA allows; ``text`` itself if not exactly one begins with it."""
    if not isinstance(nvml.handle(text), Failure):
        return text
    count = nvml.num_devices()
    handles = [] if isinstance(count, Failure) else [nvml.handle(f"index:{index}") for index in range(count)]
    uuids = [nvml.call("nvmlDeviceGetUUID", handle) for handle in handles if not isinstance(handle, Failure)]
    matches = [uuid for uuid in uuids if isinstance(uuid, str) and uuid.startswith(text)]
    return matches[0] if len(matches) == 1 else text


def _find(nvml: Nvml, spellings: tuple[str, ...]) -> Device | Refusal:
    """Return the device that NVML finds under one of the forms of its address."""
    failure = ""
    for address in spellings:
        handle = nvml.handle(address)
        if not isinstance(handle, Failure):
            return Device(handle=handle, info=identify(nvml, handle, address))
        failure = str(handle)
    return Refusal(label=spellings[0], reason=f"NVML does not find {' or '.join(dict.fromkeys(spellings))}: {failure}")


def identify(nvml: Nvml, handle: Handle, address: str) -> DeviceInfo:
    """Return the identity of a device."""
    uuid, name = nvml.call("nvmlDeviceGetUUID", handle), nvml.call("nvmlDeviceGetName", handle)
    pci, limit = nvml.call("nvmlDeviceGetPciInfo", handle), nvml.power_limit_mw(handle)
    uuid = address if isinstance(uuid, Failure) else uuid
    bus_id = None if isinstance(pci, Failure) else pci.busId
    return DeviceInfo(
        uuid=uuid,
        name=None if isinstance(name, Failure) else name,
        driver=nvml.driver_version(),
        pci_bus_id=bus_id.decode() if isinstance(bus_id, bytes) else bus_id,
        mig=nvml.is_mig(handle, uuid),
        power_limit_w=None if isinstance(limit, Failure) else limit / 1000,
    )
