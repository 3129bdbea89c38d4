"""What the strategies of a run depend on: their source, where other packages have it, and the libraries they use."""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.installed_strategies import package_of
from freezebench.specs.strategies import STRATEGIES, strategy_class


def strategy_versions(freeze: str) -> dict[str, str]:
    """Return versions by name, as part of the environment of a run; none without a strategy of this kind.

    The hash of freezebench's own source covers its own strategies. Of others, the hash is that of all Python files of
    the packages, or single modules, that have the class and those it inherits from.

    Args:
        freeze: Id of the run's freeze spec.
    """
    versions = {}
    for strategy in FreezeSpec.parse(freeze).strategies:
        if strategy.library is not None:
            with suppress(metadata.PackageNotFoundError):
                versions[strategy.library] = metadata.version(strategy.library)
        if strategy.name not in STRATEGIES:
            versions[f"strategy {strategy.name}"] = _described(strategy.name)
    return versions


@cache
def _described(name: str) -> str:
    """Return the package of a strategy, its version and the hash of its source."""
    digest = hashlib.sha256()
    for root in sorted({root for kind in strategy_class(name).__mro__ if (root := _root(kind.__module__)) is not None}):
        for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            with suppress(OSError):  # a file that is gone, or in an archive: what is left is hashed
                digest.update(path.relative_to(root.parent).as_posix().encode() + b"\0" + path.read_bytes())
    package = package_of(name)
    with suppress(metadata.PackageNotFoundError):
        package += f" {metadata.version(package)}"
    return f"{package}, SHA-256 {digest.hexdigest()}"


def _root(module: str) -> Path | None:
    """Return the folder of the outermost package of a module, or its file; ``None`` if the hash need not cover it."""
    names = module.split(".")
    if names[0] in ("freezebench", *sys.stdlib_module_names):
        return None
    for length in range(1, len(names) + 1):
        # Namespace packages, which several distributions may share, have no file of their own.
        file = getattr(sys.modules.get(".".join(names[:length])), "__file__", None)
        if file is not None:
            path = Path(file).resolve()
            return path.parent if path.name == "__init__.py" else path
    return None
