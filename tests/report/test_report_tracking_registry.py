"""The registry of trackers: what is missing is said before anything is trained."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from freezebench.errors import FreezebenchError, SettingsError
from freezebench.report.tracking import registry
from freezebench.report.tracking.registry import TRACKERS, make_trackers
from freezebench.specs import names


def test_the_option_takes_the_names_of_the_registry() -> None:
    """No name without a tracker, and no tracker without a name."""
    assert set(names.TRACKERS) == set(TRACKERS)


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is called like the tracker."""
    find = importlib.util.find_spec

    def absent(module: str, *rest: Any) -> Any:
        return None if module == name else find(module, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", absent)
    with pytest.raises(SettingsError) as caught:
        make_trackers([name], "--freeze-log")
    assert str(caught.value) == (
        f"--freeze-log={name} needs the package {name}, which is not installed. Install it with: python -m pip install "
        f"'freezebench[{name}]'"
    )


def test_a_folder_is_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B writes to a folder ``wandb`` of the project, which Python would import as a package."""
    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    assert not registry.is_installed("wandb")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (ImportError("no symbol x"), "the package mlflow cannot be used (ImportError: no symbol x). Install it with: "),
        (FreezebenchError("there is no key. Set one."), "there is no key. Set one."),
    ],
)
def test_a_library_that_cannot_be_used_is_an_error(
    fault: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it raises when it is imported or set up."""

    def fail() -> Any:
        raise fault

    monkeypatch.setattr(registry, "is_installed", lambda _: True)
    monkeypatch.setitem(TRACKERS, "mlflow", fail)
    with pytest.raises(SettingsError) as caught:
        make_trackers(["mlflow"], "--to")
    assert str(caught.value).startswith(f"--to=mlflow: {sentence}")
