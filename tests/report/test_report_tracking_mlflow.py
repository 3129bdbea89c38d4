"""MLflow: a database and a folder of files, read back through its client."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import experiments
import made_up
from freezebench.errors import SettingsError
from freezebench.report.experiment import Experiment
from freezebench.report.tracking.content import logged
from freezebench.report.tracking.registry import make_trackers, without_warnings

# Importing MLflow takes seconds.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not importlib.util.find_spec("mlflow"), reason="the extra `mlflow` is not installed"),
]


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send nothing, and write to the folder of the test."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_folder_that_is_refused_is_an_error_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Releases of 2026 write to a folder only if they are allowed to; none can write to a file in its place."""
    (tmp_path / "file").touch()
    for uri, allowed in (("./runs", "false"), (f"file:{tmp_path}/runs", "false"), ("./file", "true")):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", allowed)
        with pytest.raises(SettingsError, match=r"--freeze-log=mlflow: MLflow cannot write to .*sqlite:///runs\.db"):
            make_trackers(["mlflow"], "--freeze-log")
        assert not (tmp_path / "runs").exists()


def test_a_database_that_cannot_be_written_is_an_error_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of the default one, in the current folder; one that can be is not made yet."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'file' / 'runs.db'}")
    with pytest.raises(
        SettingsError, match=r"--freeze-log=mlflow: MLflow cannot write to the database .*another folder"
    ):
        make_trackers(["mlflow"], "--freeze-log")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///new/runs.db")
    make_trackers(["mlflow"], "--freeze-log")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("store", ["default", "files"])
def test_every_run_is_nested_below_its_experiment(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's own default, a database here, and its folder of files, which releases of 2026 have to be allowed."""
    if store == "files":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path / 'files'}")
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    files = {name: tmp_path / "reports" / name for name in ("report.md", "pictures/a.svg")}
    for path in files.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a file", encoding="utf-8")
    content = logged(experiments.experiment(num=2), reused=set(), files=files)
    (tracker,) = make_trackers(["mlflow"], "--freeze-log")
    place = f"file:{tmp_path / 'files'}, experiment mine" if store == "files" else "mlflow.db, experiment freezebench"
    assert tracker.destination.startswith("MLflow: ")
    assert tracker.destination.endswith(place)
    with without_warnings():
        places = [tracker.log(content) for _ in range(2)]
        from mlflow import MlflowClient

        client = MlflowClient()
        known = client.get_experiment_by_name("mine" if store == "files" else "freezebench")
        runs = client.search_runs([known.experiment_id])
        parent = client.get_run(places[0].removeprefix("run "))
        below = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        run_id = next(run.info.run_id for run in below if run.info.run_name == "emb+L0, seed 43")
        losses = client.get_metric_history(run_id, "train/loss")
        folders = [client.list_artifacts(parent.info.run_id, name) for name in ("report", "report/pictures")]
    assert len(runs) == 2 * (1 + len(content.runs))  # a second session has runs of its own
    assert (parent.info.run_name, parent.info.status) == ("tiny on made-up", "FINISHED")
    assert parent.data.metrics["drop_pp/emb_L0"] == content.metrics["drop_pp/emb+L0"]
    assert parent.data.tags["verdict/emb_L0-1"] == content.tags["verdict/emb+L0-1"]
    assert parent.data.tags["mlflow.note.content"] == content.answer
    assert sorted(file.path for folder in folders for file in folder) == [
        "report/pictures",
        "report/pictures/a.svg",
        "report/report.md",
    ]
    assert {run.info.run_name for run in below} == {run.name for run in content.runs}
    for run in content.runs:
        saved = next(item for item in below if item.info.run_name == run.name)
        assert saved.data.params == {name: str(value) for name, value in run.parameters.items()}
        last = {name: points[-1][1] for name, points in run.series.items()}
        assert saved.data.metrics == {**run.metrics, **last}
        assert run.tags.items() <= saved.data.tags.items()
    assert [(loss.step, loss.value) for loss in losses] == [(1, 0.7 + 43 / 1e6), (2, 0.5)]


def test_an_invalid_run_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parent has not: logging it was complete."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path / 'files'}")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    experiment: Experiment = experiments.broken_experiment()
    (tracker,) = make_trackers(["mlflow"], "--freeze-log")
    with without_warnings():
        parent = tracker.log(logged(experiment)).removeprefix("run ")
        from mlflow import MlflowClient

        client = MlflowClient()
        runs = client.search_runs([client.get_run(parent).info.experiment_id])
    assert {run.info.run_name: run.info.status for run in runs} == {
        "tiny on made-up": "FINISHED",
        "none, seed 42": "FAILED",
        "emb, seed 42": "FAILED",
    }
    assert made_up.broken("none").reason in [run.data.tags.get("reason") for run in runs]
