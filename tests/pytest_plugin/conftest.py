"""Fixtures of the plugin's tests: a project in a temporary folder, and faults in its runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets  # noqa: F401 - pytester forgets what its sessions import, and this one cannot be imported twice
import pytest
import torch

import freezebench
import made_up
from freezebench.config import session_settings
from freezebench.records import contention
from freezebench.records.run_record import RunRecord
from freezebench.runs import experiment
from freezebench.runs.data_cache import DataCache
from freezebench.specs.run import RunSpec
from freezebench.training.device import device_name
from tiny import write_model

FAULTS = Path(__file__).resolve().parent.parent / "faults"

TEST = """
import pytest

@pytest.mark.freeze({marker})
def test_it(freeze_run):
    freeze_run()
"""

# A rate and a number of epochs with which the tiny model learns its data, where one word decides the class.
LEARNS = "epochs=8, lr=1e-2, batch_size=8, precision='float32', device='cpu'"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer checkpoint folder that learns something with any prefix frozen, so that no run guesses."""
    return write_model(tmp_path_factory.mktemp("model"), is_pretrained=True)


@pytest.fixture
def project(
    pytester: pytest.Pytester,
    tiny_model: Path,
    tiny_data: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., pytest.Pytester]:
    """Make a project with one freeze test on the tiny model and data; ``marker`` adds to its marker."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    temporary = str(tmp_path_factory.mktemp("temporary"))
    monkeypatch.setenv("TMPDIR", temporary)
    # Separate device locks, so that no test waits for another.
    monkeypatch.setenv("FREEZEBENCH_LOCK_DIR", temporary)
    monkeypatch.setattr(tempfile, "tempdir", temporary)
    # Tests share their machine, and no verdict on the times of the tiny model is to depend on that.
    monkeypatch.setattr(contention, "CONTENTION_LIMIT", 1.0)
    # The tests may run under pytest-xdist; their sessions do not.
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    # Many columns, so that the whole table is shown and every sentence is on one line.
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # pytest-randomly is installed for one test and would reorder the others. Without pytest's cache there is no store
    # unless a test names one.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:cacheprovider")
    # Sessions in this process train in it, since importing torch again takes seconds; subprocesses use a worker.
    monkeypatch.setattr(session_settings, "DEFAULT_ISOLATION", "none")

    def make(marker: str = "") -> pytest.Pytester:
        own = f"model={str(tiny_model)!r}, data={str(tiny_data)!r}, {LEARNS}"
        pytester.makepyfile(test_project=TEST.format(marker=", ".join(part for part in (own, marker) if part)))
        return pytester

    return make


@pytest.fixture
def cases(
    project: Callable[..., pytest.Pytester], tiny_model: Path, tiny_data: Path
) -> Callable[[str], pytest.Pytester]:
    """Make a project of one module, whose marker names the tiny model and data; ``freeze`` is short for the marker."""

    def make(source: str) -> pytest.Pytester:
        pytester = project()
        pytester.makeini("[pytest]")
        head = f"model={str(tiny_model)!r}, data={str(tiny_data)!r}, device='cpu', num_seeds=1, inconclusive='pass'"
        start = f"import pytest\n\nfreeze = pytest.mark.freeze\npytestmark = freeze({head})\nparam = pytest.param\n\n"
        (pytester.path / "test_project.py").write_text(start + source, encoding="utf-8")
        return pytester

    return make


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Replace training, so that configurations reach given accuracies at once; return the list of runs."""
    ran: list[str] = []

    def install(**accuracies: float | None) -> list[str]:
        def run(spec: RunSpec, *, data_cache: DataCache, **_: Any) -> RunRecord:
            ran.append(f"{spec.freeze} {spec.seed}")
            accuracy = accuracies.get(spec.freeze, 0.9)
            if accuracy is None:
                return made_up.broken(spec.freeze, spec.seed)
            record = made_up.record(spec.freeze, spec.seed, accuracy=accuracy, spec=spec)
            assert record.data
            # The session checks that all runs had its data and its model.
            facts, files = data_cache.data(spec).facts, data_cache.file_hashes(spec)
            hashes = {name: getattr(facts, name) for name in ("train_sha256", "validation_sha256", "test_sha256")}
            data = replace(record.data, **hashes)
            assert files
            return replace(record, data=data, model_sha256=files.weights_sha256, files_sha256=files.files_sha256)

        monkeypatch.setattr(experiment, "run", run)
        return ran

    return install


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace training by made-up runs; return their ``accuracy`` and ``slower``, which a test may change."""
    reaches: dict[str, Any] = {"accuracy": 0.9, "slower": 1.0, "ran": 0}

    def run(spec: RunSpec, *, data_cache: DataCache, **_: Any) -> RunRecord:
        reaches["ran"] += 1
        data, files = data_cache.data(spec), data_cache.file_hashes(spec)
        record = made_up.record(spec.freeze, spec.seed, accuracy=reaches["accuracy"], spec=spec)
        assert record.data is not None
        assert files
        facts = replace(
            record.data,
            train_sha256=data.train.sha256,
            validation_sha256=data.validation.sha256,
            test_sha256=data.test.sha256,
        )
        train_s = record.readings["train_s"]
        slower = replace(train_s, value=(train_s.value or 0) * reaches["slower"])
        name = device_name(torch.device("cpu"))
        return replace(
            record,
            data=facts,
            device_name=name,
            step_losses=(0.7 + spec.seed / 1e6,) * spec.protocol.num_epochs,
            epochs=tuple(replace(record.epochs[0], epoch=index + 1) for index in range(spec.protocol.num_epochs)),
            model_sha256=files.weights_sha256,
            files_sha256=files.files_sha256,
            readings={**record.readings, "train_s": slower},
        )

    monkeypatch.setattr(experiment, "run", run)
    return reaches


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes configurations break in subprocess sessions, as in ``faults(emb="segfault")``."""

    def inject(**by_freeze: str) -> None:
        # With this very package, which the faults are put into: another one may be installed.
        package = Path(freezebench.__file__).parent.parent
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (FAULTS, package))))
        specs = [f"{freeze.replace('_', '+')}:{fault}" for freeze, fault in by_freeze.items()]
        monkeypatch.setenv("FREEZEBENCH_FAULTS", ",".join(specs))

    return inject
