"""The environment of a run: versions of Python and libraries, and the hash of freezebench's own source."""

from __future__ import annotations

import functools
import hashlib
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench import __version__

if TYPE_CHECKING:
    from freezebench.specs.run import Precision

_DISTRIBUTIONS = ("torch", "transformers", "accelerate", "datasets", "tokenizers", "numpy", "scipy")


@functools.cache
def source_digest() -> str:
    """Return the SHA-256 of freezebench's own source files: runs of different code are not interchangeable."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Return versions by name, without importing what they are versions of; what is not installed is left out."""
    found = {
        "python": platform.python_version(),
        "source_sha256": source_digest(),
        # Not from the installed distribution: the source may be used without being installed.
        "freezebench": __version__,
    }
    for name in _DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def environment() -> dict[str, str]:
    """Return the versions and what else figures of this process depend on, by name."""
    import torch

    return {
        **versions(),
        "platform": platform.platform(),  # for information: the key of a run does not contain it
        # With another number of threads, a CPU's sums round differently and its times are not comparable.
        "torch_num_threads": str(torch.get_num_threads()),
    }


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The properties of a machine on which a run's outcome depends.

    Attributes:
        device: The resolved device: ``cpu`` or ``cuda:N``.
        device_name: Model of the GPU or CPU.
        precision: Resolved number format.
        environment: Versions by name.
        device_id: What distinguishes the device from all others of this machine, see ``training.device.device_id``.
    """

    device: str
    device_name: str
    precision: Precision
    environment: dict[str, str]
    device_id: str = "cpu"


def machine(device: str, precision: Precision) -> Machine:
    """Return the properties of this machine on which runs on a device depend.

    Raises:
        SettingsError: If there is no such device.
    """
    from freezebench.training.device import device_id, device_name, resolve_device, resolve_precision

    resolved = resolve_device(device)
    return Machine(
        device=str(resolved),
        device_name=device_name(resolved),
        precision=resolve_precision(precision, resolved),
        environment=environment(),
        device_id=device_id(resolved),
    )
