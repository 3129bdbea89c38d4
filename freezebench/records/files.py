"""Files that are whole or absent, and values in JSON's types."""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that whoever looks finds all of it, the one before, or none.

    Raises:
        OSError: If it cannot be written; nothing is left behind then.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            Path(file.name).unlink()
            raise
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def plain(value: Any) -> Any:
    """Return a value in JSON's types; numbers that are not finite become ``None``: JSON has no word for them."""
    if hasattr(value, "to_json"):
        return value.to_json()
    if hasattr(value, "__dataclass_fields__"):
        return {name.name: plain(getattr(value, name.name)) for name in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
