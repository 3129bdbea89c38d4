"""The environment of a run: versions of what took part, and the hash of freezebench's own source."""

from __future__ import annotations

import functools
import hashlib
import platform
from importlib import metadata
from pathlib import Path

_DISTRIBUTIONS = ("freezebench", "torch", "transformers", "accelerate", "datasets", "tokenizers", "numpy", "scipy")


@functools.cache
def source_digest() -> str:
    """Return the SHA-256 of freezebench's own source files: results of different code are different results."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def environment() -> dict[str, str]:
    """Return versions by name; a distribution that is not installed is left out."""
    import torch

    found = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "source_sha256": source_digest(),
        # Sums in another order round differently, and times mean little without it.
        "torch_num_threads": str(torch.get_num_threads()),
    }
    for name in _DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
