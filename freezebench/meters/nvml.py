"""NVML through pynvml: every call returns a value or a ``Failure`` with the reason, and never raises.

An older library may lack a function, a permission may be missing, a device may be lost: each of these leaves out the
one figure that needs the call. Only the public C interface is used. Whether a feature exists is found by calling it,
since architecture names and driver versions do not determine it reliably.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NewType

if TYPE_CHECKING:
    from types import ModuleType

# An opaque reference to a device, valid in the process that received it from NVML.
Handle = NewType("Handle", object)
PowerSource = Literal["instant", "average"]

POWER_SOURCES: dict[PowerSource, str] = {
    "instant": "nvmlDeviceGetFieldValues(NVML_FI_DEV_POWER_INSTANT)",
    # On Ampere (except GA100) and newer this call reports a 1 s average, which the label repeats in every report.
    "average": "nvmlDeviceGetPowerUsage (1 s average on Ampere, except GA100, and newer)",
}

# By bit; the bits for idle clocks and for application settings are left out, since they are no throttling.
THROTTLE_REASONS = {
    0x04: "software power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}

_POWER_INSTANT_FIELD = 186  # NVML_FI_DEV_POWER_INSTANT
_MEMORY_V2 = 0x02000028  # the structure's version in the high byte, its size in bytes in the others
_TEMPERATURE_GPU = 0
_LIBRARY_NOT_FOUND = 12
_FUNCTION_NOT_FOUND = 13
_GPU_IS_LOST = 15
_MAX_PLAUSIBLE_MW = 10_000_000  # no device draws 10 kW: larger figures are "not available" markers

# The member of NVML's value union by the value type that the field declares.
_FIELD_MEMBERS = {0: "dVal", 1: "uiVal", 2: "ulVal", 3: "ullVal", 4: "sllVal", 5: "siVal"}

# By NVML's return code.
_WHAT_TO_DO = {
    4: "run as a user that may query the device",
    9: "load the NVIDIA kernel module (nvidia-smi as root does)",
    12: "install the NVIDIA driver; without one, GPU figures cannot be measured here",
    18: "reboot, or reload the kernel module: library and driver differ in version",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """The reason why a call gave no value.

    Attributes:
        call: Name of the function in NVML.
        message: Description of the error, NVML's own if it has one.
        code: NVML's return code; ``None`` if the error is not NVML's.
    """

    call: str
    message: str
    code: int | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the device has fallen off the bus, so that every further call fails."""
        return self.code == _GPU_IS_LOST

    @property
    def is_permanent(self) -> bool:
        """Whether the library lacks the function, so that every further call fails."""
        return self.code == _FUNCTION_NOT_FOUND

    def __str__(self) -> str:
        advice = _WHAT_TO_DO.get(self.code or 0)
        return f"{self.call}: {self.message}" + (f" ({advice})" if advice else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryUse:
    """Memory in use on a device, by all processes together.

    Attributes:
        used_bytes: Bytes in use. Version 1 includes the driver's own reserve (since driver 510).
        version: Version of NVML's structure, 1 or 2.
    """

    used_bytes: int
    version: int


class Nvml:
    """The initialised NVML library of this process; ``open_nvml`` creates it."""

    def __init__(self, pynvml: ModuleType) -> None:
        self._pynvml = pynvml

    def call(self, name: str, *args: object) -> Any:
        """Return what the pynvml function ``name`` returns, or a ``Failure``."""
        return _call(self._pynvml, name, *args)

    def close(self) -> None:
        """Release NVML. A failure has no effect, since the library stays loaded in this process."""
        self.call("nvmlShutdown")

    def driver_version(self) -> str | None:
        """Return the driver's version; ``None`` if NVML does not report it."""
        version = self.call("nvmlSystemGetDriverVersion")
        return None if isinstance(version, Failure) else str(version)

    def num_devices(self) -> int | Failure:
        """Return the number of devices, which NVML lists in the order of their PCI bus ids, or a ``Failure``."""
        count: int | Failure = self.call("nvmlDeviceGetCount")
        return count

    def handle(self, address: str) -> Handle | Failure:
        """Return the handle of ``address`` (``GPU-…``, ``MIG-…``, ``pci:…`` or ``index:N``), or a ``Failure``."""
        handle: Handle | Failure
        if match := re.fullmatch(r"index:(\d+)", address):
            handle = self.call("nvmlDeviceGetHandleByIndex", int(match[1]))
        elif address.startswith("pci:"):
            handle = self.call("nvmlDeviceGetHandleByPciBusId", address.removeprefix("pci:"))
        else:
            handle = self.call("nvmlDeviceGetHandleByUUID", address)
        return handle

    def energy_mj(self, handle: Handle) -> int | Failure:
        """Return the energy counter in millijoules since the driver was loaded, or a ``Failure``."""
        energy: int | Failure = self.call("nvmlDeviceGetTotalEnergyConsumption", handle)
        return energy

    def power_mw(self, handle: Handle, source: PowerSource) -> int | Failure:
        """Return the power in milliwatts from ``source``, or a ``Failure``, as for 0 mW: no running GPU draws none."""
        power = self._instant_mw(handle) if source == "instant" else self.call("nvmlDeviceGetPowerUsage", handle)
        if isinstance(power, Failure):
            return power
        if not 0 < power <= _MAX_PLAUSIBLE_MW:
            return Failure(call=POWER_SOURCES[source], message=f"reported {power} mW")
        return int(power)

    def _instant_mw(self, handle: Handle) -> int | Failure:
        values = self.call("nvmlDeviceGetFieldValues", handle, [(_POWER_INSTANT_FIELD, 0)])
        if isinstance(values, Failure):
            return values
        field = values[0]
        # The call as a whole succeeds even if the requested field does not exist: each field has its own return code.
        if field.nvmlReturn != 0:
            message = _message(self._pynvml, field.nvmlReturn)
            return Failure(call=POWER_SOURCES["instant"], message=message, code=field.nvmlReturn)
        member = _FIELD_MEMBERS.get(field.valueType)
        if member is None:
            return Failure(call=POWER_SOURCES["instant"], message=f"unknown value type {field.valueType}")
        return int(getattr(field.value, member))

    def choose_power(self, handle: Handle) -> PowerSource | Failure:
        """Return the better of the power sources that work now, or a ``Failure`` if none does."""
        instant = self.power_mw(handle, "instant")
        if not isinstance(instant, Failure):
            return "instant"
        average = self.power_mw(handle, "average")
        if not isinstance(average, Failure):
            return "average"
        return average if average.is_lost or instant.is_permanent else instant

    def memory(self, handle: Handle) -> MemoryUse | Failure:
        """Return the device's memory use, by version 2 of the structure if it exists, else 1, or a ``Failure``."""
        second = self.call("nvmlDeviceGetMemoryInfo", handle, _MEMORY_V2)
        if not isinstance(second, Failure):
            return MemoryUse(used_bytes=int(second.used), version=2)
        if second.is_lost:
            return second
        first = self.call("nvmlDeviceGetMemoryInfo", handle)
        return first if isinstance(first, Failure) else MemoryUse(used_bytes=int(first.used), version=1)

    def temperature_c(self, handle: Handle) -> int | Failure:
        """Return the core temperature in degrees Celsius, or a ``Failure``."""
        return self._either("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature", handle, _TEMPERATURE_GPU)

    def throttle_reasons(self, handle: Handle) -> int | Failure:
        """Return the bit mask of the reasons that reduce the clocks now, or a ``Failure``."""
        names = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
        return self._either(*names, handle)

    def _either(self, name: str, older_name: str, *args: object) -> int | Failure:
        """Return the result of ``name``, or of its predecessor if the library or pynvml lacks it."""
        answer: int | Failure = self.call(name, *args)
        if not isinstance(answer, Failure) or answer.code not in {_FUNCTION_NOT_FOUND, None}:
            return answer
        older: int | Failure = self.call(older_name, *args)
        return answer if isinstance(older, Failure) else older

    def power_limit_mw(self, handle: Handle) -> int | Failure:
        """Return the power limit in force in milliwatts, or a ``Failure``."""
        limit: int | Failure = self.call("nvmlDeviceGetEnforcedPowerLimit", handle)
        return limit

    def process_ids(self, handle: Handle) -> tuple[int, ...] | Failure:
        """Return the ids of the processes that compute on the device, or a ``Failure``.

        The driver takes a lock for this call: it is meant for the edges of a window, not for every tick.
        """
        processes = self.call("nvmlDeviceGetComputeRunningProcesses", handle)
        return processes if isinstance(processes, Failure) else tuple(sorted({int(p.pid) for p in processes}))

    def is_mig(self, handle: Handle, uuid: str) -> bool:
        """Return whether the device is a MIG instance, or a GPU that is split into instances."""
        if uuid.startswith("MIG-"):
            return True
        mode = self.call("nvmlDeviceGetMigMode", handle)
        return not isinstance(mode, Failure) and mode[0] == 1

    def mig_instances(self, handle: Handle) -> list[Handle]:
        """Return the MIG instances of a GPU that is split; none if NVML cannot list them."""
        most = self.call("nvmlDeviceGetMaxMigDeviceCount", handle)
        numbers = range(0 if isinstance(most, Failure) else most)
        # A number without an instance is no error: only as many exist as were created.
        instances = [self.call("nvmlDeviceGetMigDeviceHandleByIndex", handle, number) for number in numbers]
        return [instance for instance in instances if not isinstance(instance, Failure)]


def open_nvml() -> Nvml | Failure:
    """Return the initialised library, or a ``Failure`` that says what to install or load."""
    try:
        import pynvml
    except ImportError as error:
        return Failure(call="import pynvml", message=f"{error} (pip install nvidia-ml-py)")
    outcome = _call(pynvml, "nvmlInit")
    return outcome if isinstance(outcome, Failure) else Nvml(pynvml)


def throttle_text(mask: int) -> str:
    """Return the throttle reasons in ``mask`` in words; ``""`` if none is set (idle clocks are not throttling)."""
    return ", ".join(f"{name} (0x{bit:x})" for bit, name in THROTTLE_REASONS.items() if mask & bit)


def _call(pynvml: ModuleType, name: str, *args: object) -> Any:
    """Return what a function of pynvml returns, or a ``Failure``."""
    try:
        return getattr(pynvml, name)(*args)
    except pynvml.NVMLError as error:
        code = int(error.value)
        return Failure(call=name, message=_message(pynvml, code), code=code)
    except pynvml.NVMLLibraryMismatchError:
        # This exception is no NVMLError: pynvml raises it if the library lacks the versioned symbol.
        return Failure(call=name, message="the library lacks this function", code=_FUNCTION_NOT_FOUND)
    except (AttributeError, OSError, TypeError, ValueError) as error:
        return Failure(call=name, message=f"{type(error).__name__}: {error}")


def _message(pynvml: ModuleType, code: int) -> str:
    if code == _LIBRARY_NOT_FOUND:
        return "no NVML library (libnvidia-ml.so.1) on this machine"
    return f"{pynvml.NVMLError(code)} (NVML error {code})"
