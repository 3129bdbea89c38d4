"""What runs depend on by their strategies."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import pytest

import made_up
from freezebench.records.store import Store
from freezebench.runs.data_cache import DataCache
from freezebench.runs.environment import Machine
from freezebench.runs.reuse import Reuse
from freezebench.runs.strategy_source import _described, strategy_versions
from strategy_packages import OWN, forget_strategies

CPU = Machine(device="cpu", device_name="a CPU", precision="float32", environment={"torch": "2.13.0"})


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """Hash what is there, as a new process does."""
    _described.cache_clear()


def again() -> dict[str, str]:
    """Return what a new process would."""
    forget_strategies()
    _described.cache_clear()
    for name in [name for name in sys.modules if name.startswith("own_strategies")]:
        del sys.modules[name]
    return strategy_versions("emb+few(rank=2)")


def test_freezebenchs_own_strategies_are_part_of_its_source() -> None:
    """The environment of runs without other ones is what it was."""
    assert strategy_versions("none") == strategy_versions("emb+L0-1") == strategy_versions("emb+bitfit") == {}


def test_the_source_of_a_package_is_hashed(own_strategies: Path) -> None:
    """A change of its code is a change of the run, and so is one of its name; other strategies of it are not there."""
    first = strategy_versions("emb+few(rank=2)")
    assert list(first) == ["strategy few"]
    assert first["strategy few"].startswith("own-strategies 1.0, SHA-256 ")
    assert again() == first
    module = own_strategies / "own_strategies.py"
    module.write_text(OWN.replace("rank: int = 8", "rank: int = 4"), encoding="utf-8")
    assert again() != first
    module.write_text(OWN, encoding="utf-8")
    assert again() == first


def test_all_modules_of_a_package_are_hashed(offer: Callable[..., Path]) -> None:
    """Also those that the module of the class imports, and those of the classes that it inherits from."""
    folder = offer("ours", "few = own_strategies.inner.few:Own", base_of_few=OWN)
    inner = folder / "own_strategies" / "inner"
    inner.mkdir(parents=True)
    for path in (inner.parent / "__init__.py", inner / "__init__.py", inner.parent / "helper.py"):
        path.touch()
    code = "from base_of_few import Few\nclass Own(Few): pass\n"
    (inner / "few.py").write_text(code, encoding="utf-8")
    hashes = [again()["strategy few"]]
    for path in (inner.parent / "helper.py", folder / "base_of_few.py"):
        path.write_text(path.read_text(encoding="utf-8") + "# another version\n", encoding="utf-8")
        hashes.append(again()["strategy few"])
    assert len(set(hashes)) == 3
    (folder / "other.py").touch()
    assert again()["strategy few"] == hashes[-1]


def test_the_version_of_a_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which a strategy of freezebench needs; freezebench's source says nothing about it."""
    from freezebench.strategies.bitfit import BitFit

    monkeypatch.setattr(BitFit, "library", "pytest")
    assert strategy_versions("emb+bitfit") == {"pytest": metadata.version("pytest")}
    monkeypatch.setattr(BitFit, "library", "no_such_library")
    assert strategy_versions("emb+bitfit") == {}


def test_stored_runs_of_other_code_are_not_reused(own_strategies: Path, tmp_path: Path) -> None:
    """Neither is their file moved: with the former code they are found again."""

    def find(spec: Any) -> list[Any]:
        inputs = cast("DataCache", made_up.Inputs())
        return list(Reuse(tmp_path / "runs", inputs, resume=True).find([spec], CPU).records.values())

    record = made_up.record("emb+few(rank=2)")
    record = made_up.record("emb+few(rank=2)", environment=CPU.environment | strategy_versions(record.spec.freeze))
    assert Store(tmp_path / "runs").save(record)
    assert find(record.spec) == [record]
    module = own_strategies / "own_strategies.py"
    module.write_text(OWN + "# another version\n", encoding="utf-8")
    again()
    assert find(record.spec) == []
    module.write_text(OWN, encoding="utf-8")
    again()
    assert find(record.spec) == [record]
