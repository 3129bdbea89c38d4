"""The devices of this machine on which one session trains at the same time: the values of ``--freeze-devices``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.specs.slots import Slot
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.meters.usable_gpus import UsableGpus

_MOST_LISTED = 8
ALL = ("all",)


@dataclass(frozen=True, kw_only=True)
class LocalDevice:
    """A device for one worker process.

    Attributes:
        name: What progress and messages call it, unique in the session: ``cuda:1``, ``cpu``, ``cpu:0``.
        uuid: UUID of a GPU or MIG instance; ``None`` for a CPU.
        model: Product name of a GPU; empty for a CPU, or if NVML does not report it.
    """

    name: str
    uuid: str | None = None
    model: str = ""

    @property
    def is_cpu(self) -> bool:
        """Whether it is the CPU, which several of these may share."""
        return self.uuid is None


def local_slots(names: Sequence[str], environ: Mapping[str, str]) -> tuple[Slot, ...]:
    """Return one slot for each device that ``--freeze-devices`` names; without names one for the device of each test.

    Args:
        names: ``("all",)``, or names of devices; may be empty.
        environ: The environment, which may hide GPUs.

    Raises:
        SettingsError: If a device does not exist, or GPUs cannot be listed.
    """
    if not names:
        return (Slot(),)
    devices = resolve_devices(names, environ)
    is_only = len(devices) == 1
    return tuple(
        Slot(
            name="" if is_only else device.name,
            shares_processor=device.is_cpu and not is_only,
            # The device ``auto`` of the worker is then this one, so that run specs do not name devices.
            visible_devices=device.uuid or "",
        )
        for device in devices
    )


def resolve_devices(names: Sequence[str], environ: Mapping[str, str]) -> tuple[LocalDevice, ...]:
    """Return the devices that ``--freeze-devices`` names.

    Args:
        names: ``("all",)``, or names of devices: ``cuda:N``, or ``cpu`` once or several times.
        environ: The environment, which may hide GPUs.

    Raises:
        SettingsError: If one does not exist, or GPUs cannot be listed.
    """
    cpus = names.count("cpu")
    if cpus:  # the option's parser admits no GPUs beside it
        return tuple(LocalDevice(name="cpu" if cpus == 1 else f"cpu:{number}") for number in range(cpus))
    from freezebench.meters.usable_gpus import usable_gpus

    usable = usable_gpus(environ)
    gpus = {
        f"cuda:{number}": LocalDevice(name=f"cuda:{number}", uuid=device.uuid, model=device.name or "")
        for number, device in enumerate(usable.devices)
    }
    if tuple(names) == ALL:
        return tuple(gpus.values()) or (LocalDevice(name="cpu"),)
    _check(names, gpus, usable, environ)
    return tuple(gpus[name] for name in names)


def _check(
    names: Sequence[str], gpus: Mapping[str, LocalDevice], usable: UsableGpus, environ: Mapping[str, str]
) -> None:
    """Make sure that GPUs exist, and that their numbers have one meaning.

    Raises:
        SettingsError: If one does not.
    """
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    hides = "" if visible is None else f" with CUDA_VISIBLE_DEVICES={visible!r}"
    if not gpus:
        raise SettingsError(
            f"--freeze-devices={','.join(names)}: there is no CUDA GPU here{hides}, and torch is {version('torch')}. "
            "Use cpu, or all. If this machine has a GPU, install its driver and torch for CUDA, and check both by "
            "python -m freezebench doctor."
        )
    if usable.ambiguity:
        raise SettingsError(
            f"--freeze-devices={','.join(names)} does not tell which GPUs are meant: {usable.ambiguity}. Use all, and "
            "name UUIDs in CUDA_VISIBLE_DEVICES to leave some out (nvidia-smi -L)."
        )
    missing = [name for name in names if name not in gpus]
    if missing:
        absent = listed(missing, _MOST_LISTED)
        exist = listed([f"{gpu.name} ({gpu.model or 'unnamed'})" for gpu in gpus.values()], _MOST_LISTED)
        raise SettingsError(
            f"--freeze-devices={','.join(names)}: there is no {absent}{hides}, only {exist}. Choose from these, "
            "or use all."
        )
