"""Fixtures that many tests share: a tiny checkpoint and tiny data sets."""

from __future__ import annotations

import gc
import importlib.util
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest import pytester as sessions_within
from hypothesis import settings

from fake_pip import Pip
from freezebench.config.session_settings import CI_VARIABLES
from strategy_packages import OWN, OWN_ENTRIES, forget_strategies, write_package
from tiny import write_data, write_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Coverage counts what runs in the test processes: in those that they start, importing torch takes a third longer by it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)

# Machines are shared: a slow example is no failure.
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")


@pytest.fixture(scope="module", autouse=True)
def _imports_are_no_garbage() -> None:
    """Leave what a file's tests find out of garbage collections: a session within a session ends with five."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_downloaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no test depend on the network, or on what the user's cache folder holds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("FREEZEBENCH_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_session_of_this_machine_is_waited_for(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the tests share no lock of a device with other sessions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FREEZEBENCH_LOCK_DIR", str(tmp_path_factory.mktemp("locks")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _not_in_continuous_integration() -> Iterator[None]:
    """Let no test depend on the service that runs it; a test of what holds there sets a variable itself."""
    with pytest.MonkeyPatch.context() as patch:
        for name in CI_VARIABLES:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True)
def _modules_of_a_test_end_with_it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no test import a module that another one wrote under the same name."""
    before = set(sys.modules)
    yield
    folder = str(tmp_path_factory.getbasetemp())
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(folder):
            del sys.modules[name]


@pytest.fixture(scope="session", autouse=True)
def _installed_packages_are_imported_once() -> Iterator[None]:
    """Let a session within a session forget the modules of its tests alone; some packages cannot be imported twice."""
    installed = tuple(sysconfig.get_paths()[name] for name in ("purelib", "platlib"))

    def is_installed(name: str) -> bool:
        return str(getattr(sys.modules[name], "__file__", "")).startswith(installed)

    class Snapshot(sessions_within.SysModulesSnapshot):
        def __init__(self, preserve: Callable[[str], bool]) -> None:
            super().__init__(lambda name: preserve(name) or is_installed(name))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions_within, "SysModulesSnapshot", Snapshot)
        yield


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run a command of a message as a user would, with ``python`` as the interpreter of the tests."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["/bin/bash", "-c", command], check=False, capture_output=True, text=True, timeout=100)

    return run


@pytest.fixture
def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is not installed: reports have no pictures, which take seconds to draw."""
    find = importlib.util.find_spec

    def absent(name: str, *rest: Any) -> Any:
        return None if name == "matplotlib" else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", absent)


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pip:
    """A pip with a made-up archive of the data set ``reviews``, and an empty cache folder."""
    return Pip(tmp_path / "pip", monkeypatch)


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Install a package of strategies for this test: ``offer("queries", "query = queries:Query", queries=source)``."""

    def install(package: str, entries: str, **modules: str) -> Path:
        folder = write_package(tmp_path / "packages" / package, package, entries, **modules)
        monkeypatch.syspath_prepend(folder)
        # Modules of PYTHONPATH are imported in workers, too, as installed ones are.
        monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        forget_strategies()
        return folder

    yield install
    monkeypatch.undo()
    forget_strategies()


@pytest.fixture
def own_strategies(offer: Callable[..., Path]) -> Path:
    """A package of three strategies with arguments: ``few``, ``later`` and ``slower``."""
    return offer("own-strategies", OWN_ENTRIES, own_strategies=OWN)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Run torch on one thread: tiny models are faster then, above all on shared machines."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer checkpoint folder."""
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two-class train, validation and test files."""
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def three_class_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three-class train, validation and test files."""
    return write_data(tmp_path_factory.mktemp("data3"), num_labels=3)
