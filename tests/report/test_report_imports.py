"""The report needs neither the libraries that train nor, but for its plots, matplotlib."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import freezebench.report

MODULES = {f"freezebench.report.{module.name}" for module in pkgutil.iter_modules(freezebench.report.__path__)}


def test_every_module_but_the_plots_is_in_the_contract() -> None:
    """A new module of the report has to be added to the contract of import-linter."""
    content = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8"))
    contracts = content["tool"]["importlinter"]["contracts"]
    contract = next(item for item in contracts if "matplotlib" in item.get("forbidden_modules", ()))
    listed = {name for name in contract["source_modules"] if name.startswith("freezebench.report.")}
    assert listed == MODULES - {"freezebench.report.plots"}


def test_importing_the_report_imports_no_large_library() -> None:
    """The subprocess imports every module but the plots."""
    names = sorted(MODULES - {"freezebench.report.plots"})
    script = (
        f"import importlib, sys; [importlib.import_module(name) for name in {names!r}]\n"
        "assert not {'torch', 'transformers', 'datasets', 'matplotlib', 'pytest'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
