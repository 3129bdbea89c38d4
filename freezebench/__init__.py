"""freezebench: which encoder layers can be frozen, what accuracy it costs, and what time, memory and energy it saves.

The public names are loaded on first use (PEP 562), so that importing the pytest plugin loads neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freezebench.meters.window import measure
    from freezebench.models.load import load_model
    from freezebench.pytest_plugin.fixtures import FreezeRun
    from freezebench.runs.experiment import run
    from freezebench.specs.freeze import FreezeSpec
    from freezebench.specs.grid import parse_grid
    from freezebench.specs.run import DataSpec, Protocol, RunSpec
    from freezebench.strategies.freeze import freeze
    from freezebench.verdicts.noninferiority import noninferiority

# The only place of the version: pyproject.toml reads it from here.
__version__ = "0.1.0"

__all__ = [
    "DataSpec",
    "FreezeRun",
    "FreezeSpec",
    "Protocol",
    "RunSpec",
    "freeze",
    "load_model",
    "measure",
    "noninferiority",
    "parse_grid",
    "run",
]

_MODULES = {
    "DataSpec": "specs.run",
    "FreezeRun": "pytest_plugin.fixtures",
    "FreezeSpec": "specs.freeze",
    "Protocol": "specs.run",
    "RunSpec": "specs.run",
    "freeze": "strategies.freeze",
    "load_model": "models.load",
    "measure": "meters.window",
    "noninferiority": "verdicts.noninferiority",
    "parse_grid": "specs.grid",
    "run": "runs.experiment",
}


def __getattr__(name: str) -> object:
    """Return a public name from the module that defines it, which is imported now.

    Raises:
        AttributeError: If the name is not public.
    """
    if name not in _MODULES:
        raise AttributeError(f"module 'freezebench' has no attribute {name!r}. Public names: {', '.join(__all__)}.")
    return getattr(import_module(f"freezebench.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """Return the names of the package, the public ones included."""
    return sorted([*globals(), *__all__])
