"""A working folder with everything that the pages name."""

from __future__ import annotations

import csv
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import datasets  # noqa: F401 - pytester forgets what its sessions import, and this one cannot be imported twice
import pytest

import freezebench.strategies.freeze  # noqa: F401 - classes of strategies are kept, so that they have to stay the same
from page_data import write_page_data
from snippets import ROOT
from strategy_packages import forget_strategies, pretend_to_install
from tiny import sentences, write_model


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what pages name: checkpoints of six and of two layers, data sets, and the benchmark."""
    folder = tmp_path_factory.mktemp("material")
    write_model(folder / "my-checkpoint", n_layers=6, is_pretrained=True)
    write_model(folder / "small-checkpoint", is_pretrained=True)
    write_page_data(folder)
    with (folder / "tickets.csv").open("w", encoding="utf-8", newline="") as file:
        teams = ("billing", "delivery")
        rows = [(number, text, teams[label]) for number, (text, label) in enumerate(sentences(160, 2, 0))]
        csv.writer(file).writerows([("id", "message", "team"), *rows])
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def install_packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Return a function that installs the packages in a folder, which pages tell readers to write."""

    def install(folder: Path) -> None:
        for path in folder.glob("*/pyproject.toml"):
            pretend_to_install(path.parent)
            monkeypatch.setenv("PYTHONPATH", str(path.parent), prepend=os.pathsep)
            monkeypatch.syspath_prepend(path.parent)
            forget_strategies()

    yield install
    monkeypatch.undo()
    forget_strategies()
    sys.modules.pop("queries", None)


@pytest.fixture
def workplace(material: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh working folder with that material, and an environment like that of a person at a terminal."""
    for path in material.iterdir():
        (pytester.path / path.name).symlink_to(path)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly")
    monkeypatch.syspath_prepend(str(pytester.path))
    return pytester.path
