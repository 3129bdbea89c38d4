"""Find processes that a test started and that still run."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def processes(variable: str) -> list[int]:
    """Return the ids of other processes whose environment contains ``variable``, given as ``NAME=value``."""
    ids = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"{variable}\0".encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                ids.append(int(path.parent.name))
    return ids
