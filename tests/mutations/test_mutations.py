"""Faults that are put into a training, a measurement or a verdict: none of them may be green."""

from __future__ import annotations

import fnmatch
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from catalogue import FAULTS, table, table_in_the_page
from freezebench.config import session_settings
from freezebench.records import contention
from mutant import Fault, Mutant
from tiny_experiment import run, write_experiment

# These end with their first run, and stand for the others in the tests that run on every change.
_FAST = {"frozen-layer-trains", "rate-constant", "half-of-the-data", "training-sentences-evaluated", "edited-record"}
_GREEN = 0

pytestmark = pytest.mark.usefixtures("one_thread", "without_matplotlib")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with model and data."""
    folder = tmp_path_factory.mktemp("material")
    write_experiment(folder)
    return folder


@pytest.fixture
def project(
    pytester: pytest.Pytester, material: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> pytest.Pytester:
    """A project folder with model and data, in whose sessions runs train in this process."""
    for name in ("CI", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:cacheprovider")
    # Many columns, so that every sentence is on one line.
    monkeypatch.setenv("COLUMNS", "400")
    # Device locks of its own, and times that do not depend on what else the machine does.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(contention, "CONTENTION_LIMIT", 1.0)
    monkeypatch.setattr(session_settings, "DEFAULT_ISOLATION", "none")
    for name in ("model", "data"):
        shutil.copytree(material / name, pytester.path / name)
    return pytester


@pytest.mark.parametrize(
    "fault", [pytest.param(f, id=f.name, marks=() if f.name in _FAST else pytest.mark.slow) for f in FAULTS]
)
def test_no_fault_is_green(fault: Fault, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session fails, or shows a warning; the output says what is wrong."""
    for name, value in fault.environment.items():
        monkeypatch.setenv(name, value)
    if fault.before:
        run(project, **fault.marker)
    mutant = Mutant(monkeypatch, project.path)
    fault.put_in(mutant)
    outcome = run(project, **fault.marker)
    assert mutant.num_calls > 0
    assert fnmatch.fnmatch(outcome.output, f"*{fault.sentence}*"), outcome.output
    if fault.ending == "warning":
        assert outcome.exit_code == _GREEN
        return
    assert outcome.exit_code == 1
    assert fault.ending in outcome.output


def _groups() -> dict[str, list[Fault]]:
    """Return the faults by the marker, in a readable form, of the session that they are put into."""
    groups: dict[str, list[Fault]] = {}
    for fault in FAULTS:
        # In CI, a session that decides nothing fails with or without the fault.
        if not fault.environment:
            groups.setdefault(str({**fault.marker, "before": fault.before}), []).append(fault)
    return groups


@pytest.mark.slow
@pytest.mark.parametrize("faults", _groups().values(), ids=_groups())
def test_without_the_fault_the_session_is_green(faults: list[Fault], project: pytest.Pytester) -> None:
    """No sentence of a fault is in the output of a sound session: each is there because of its fault."""
    if faults[0].before:
        run(project, **faults[0].marker)
    outcome = run(project, **faults[0].marker)
    assert outcome.exit_code == _GREEN, outcome.output
    shown = [fault.name for fault in faults if fnmatch.fnmatch(outcome.output, f"*{fault.sentence}*")]
    assert shown == [], outcome.output
    assert "Warning: " not in outcome.output


@pytest.mark.slow
def test_the_sound_experiment_is_deterministic(project: pytest.Pytester) -> None:
    """Two sessions have the same losses and predictions; the baseline has learned, and seeds differ."""
    first = _trained(project)
    assert first == _trained(project)
    accuracies = [run["test"]["accuracy"] for (freeze, _), run in first.items() if freeze == "none"]
    assert len(accuracies) == 3
    assert min(accuracies) > 0.8
    predictions = {tuple(run["test"]["predictions"]) for run in first.values()}
    assert len(predictions) > 3


def _trained(project: pytest.Pytester) -> dict[tuple[str, int], Any]:
    """Run a session and return losses and evaluations by configuration and seed."""
    assert run(project).exit_code == _GREEN
    store = project.path / "store"
    records = [json.loads(path.read_text(encoding="utf-8"))["record"] for path in store.glob("*.json")]
    shutil.rmtree(store)
    return {
        (record["spec"]["freeze"], record["spec"]["seed"]): {name: record[name] for name in ("step_losses", "test")}
        for record in records
    }


def test_the_page_lists_the_faults() -> None:
    """Page and suite cannot disagree: ``catalogue.py`` writes the table."""
    assert table_in_the_page() == table()


def test_there_are_many_faults() -> None:
    """Each has a name of its own, and the fast ones exist."""
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names)) >= 25
    assert set(names) >= _FAST
