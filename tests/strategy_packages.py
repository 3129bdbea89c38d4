"""Packages that offer strategies, as ``pip`` installs them: modules, and a folder of metadata with entry points."""

from __future__ import annotations

import tomllib
from pathlib import Path

from freezebench.specs import installed_strategies, strategies
from freezebench.specs.installed_strategies import GROUP

# Strategies of each kind, with arguments of each type.
OWN = """
from dataclasses import dataclass
from freezebench import SpecError, Strategy, Trainable

@dataclass(frozen=True, kw_only=True)
class Few(Strategy):
    name = "few"
    summary = "biases of some modules"
    rank: int = 8
    share: float = 0.5
    targets: str = "attention"

    def __post_init__(self):
        if self.rank < 1:
            raise SpecError(f"few(rank={self.rank}): give 1 or more.")

    def apply(self, model, layers, trainable):
        return trainable.only({name for name in trainable.names if name.endswith("bias")} | set(layers.head))

@dataclass(frozen=True, kw_only=True)
class Later(Strategy):
    name = "later"
    kind = "schedule"
    epochs: int = 1

    def apply(self, model, layers, trainable):
        return trainable

@dataclass(frozen=True, kw_only=True)
class Slower(Strategy):
    name = "slower"
    kind = "rates"
    factor: float = 0.9

    def apply(self, model, layers, trainable):
        return trainable
"""
OWN_ENTRIES = "few = own_strategies:Few\nlater = own_strategies:Later\nslower = own_strategies:Slower"


def write_package(folder: Path, package: str, entries: str, **modules: str) -> Path:
    """Write a package; return the folder, which belongs on the search path of modules.

    Args:
        folder: Where to write it.
        package: Its name.
        entries: Lines of its entry points, such as ``few = own_strategies:Few``.
        modules: Sources of its modules.
    """
    metadata = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(f"[freezebench.strategies]\n{entries}\n", encoding="utf-8")
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    return folder


def pretend_to_install(folder: Path) -> None:
    """Write the metadata that ``pip`` makes of the ``pyproject.toml`` of a folder, beside its modules."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = project["entry-points"][GROUP]
    write_package(folder, project["name"], "\n".join(f"{name} = {value}" for name, value in entries.items()))


def forget_strategies() -> None:
    """Forget which strategies were found, as a new process does."""
    installed_strategies._offered.cache_clear()
    installed_strategies.installed_strategies.cache_clear()
    strategies.strategy_class.cache_clear()
