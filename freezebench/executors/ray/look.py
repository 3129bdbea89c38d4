"""What a node of a Ray cluster has installed, as a task reports it that needs nothing there but Python.

Ray sends this module to the nodes as it is here, since freezebench may be missing there, or be another version. So it
imports the standard library alone, and its functions import the rest.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import TypedDict


class Look(TypedDict):
    """What a node reports.

    Attributes:
        versions: Versions by name, as ``environment.versions`` returns them.
        problem: Why freezebench cannot be imported there; ``None`` if it can.
        machine: Identity of the running system: nodes with the same one are containers, or processes, of one machine.
        measures: What can be measured, as ``Capability.to_json`` gives it; empty unless it was requested.
    """

    versions: dict[str, str]
    problem: str | None
    machine: str
    measures: list[dict[str, object]]


def look(with_measures: bool) -> str:
    """Return the JSON of a ``Look`` at the node that this runs on.

    Args:
        with_measures: Whether to try what can be measured, which takes seconds.
    """
    result = Look(
        versions={"python": platform.python_version()},
        problem=None,
        machine=_machine(),
        measures=[],
    )
    try:
        from freezebench.runs.environment import versions

        result["versions"] = versions()
        if with_measures:
            from freezebench.meters.probe import probe

            result["measures"] = [dict(capability.to_json()) for capability in probe()]
    except Exception as error:  # noqa: BLE001 - another freezebench may raise anything
        result["problem"] = f"{type(error).__name__}: {error}"
    return json.dumps(result)


def _machine() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return platform.node()
