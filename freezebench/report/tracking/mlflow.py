"""MLflow: a run per training run, below a run per experiment; through its client, so that no active run changes."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from freezebench.errors import SettingsError, named
from freezebench.records.files import check_writable
from freezebench.report.tracking.base import PROJECT, without_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.report.tracking.base import LoggedExperiment, LoggedRun, Parameter

Value = TypeVar("Value")

# System tags of MLflow: the run above, and the description that the page of a run shows.
_PARENT, _DESCRIPTION = "mlflow.parentRunId", "mlflow.note.content"
_LONGEST_DESCRIPTION = 5000
_MOST_METRICS = 1000  # of one request
_NOT_IN_NAMES = re.compile(r"[^\w./ -]")


class MlflowTracker:
    """Logs to the server or folder of MLFLOW_TRACKING_URI; without it, where MLflow does by default."""

    name = "mlflow"

    def __init__(self) -> None:
        """Read the variables of MLflow, and open a folder that they name, which its releases of 2026 refuse.

        Raises:
            SettingsError: If MLflow does not write to a folder, or a database's cannot be written to.
        """
        uri = mlflow.get_tracking_uri()
        if urlsplit(uri).scheme == "sqlite" and (path := urlsplit(uri).path.removeprefix("/")):
            try:
                check_writable(Path(path).absolute().parent)
            except OSError as error:
                raise SettingsError(
                    f"MLflow cannot write to the database {uri} ({error.strerror or error}). Set MLFLOW_TRACKING_URI "
                    "to one in another folder."
                ) from error
        if urlsplit(uri).scheme in ("", "file"):
            try:
                MlflowClient()
            except (MlflowException, OSError) as error:
                raise SettingsError(
                    f"MLflow cannot write to the folder {uri} ({named(error)}). Set MLFLOW_TRACKING_URI to a database, "
                    "such as sqlite:///runs.db, or to a server. MLFLOW_ALLOW_FILE_STORE=true lets it write to a folder."
                ) from error
        self._id = os.environ.get("MLFLOW_EXPERIMENT_ID")
        self._name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT

    @property
    def destination(self) -> str:
        """The address, and the experiment of MLflow."""
        uri = without_credentials(mlflow.get_tracking_uri())
        return f"MLflow: {uri}, experiment {self._id or self._name}"

    def log(self, experiment: LoggedExperiment) -> str:
        """Log one experiment with its runs, and return the id of the run above them."""
        client = MlflowClient()
        experiment_id = self._id or self._experiment_id(client)
        tags = {**experiment.tags, _DESCRIPTION: experiment.answer[:_LONGEST_DESCRIPTION]}
        parent = client.create_run(experiment_id, run_name=experiment.name, tags=_named(tags))
        parent_id: str = parent.info.run_id
        _log(client, parent_id, experiment.parameters, experiment.metrics, {})
        for run in experiment.runs:
            _log_run(client, experiment_id, parent_id, run)
        for name, path in experiment.files.items():
            client.log_artifact(parent_id, str(path), str(PurePosixPath("report", name).parent))
        client.set_terminated(parent_id)
        return f"run {parent_id}"

    def _experiment_id(self, client: MlflowClient) -> str:
        """Return the id of the experiment of MLflow, which is made if there is none of its name."""
        known = client.get_experiment_by_name(self._name)
        return str(client.create_experiment(self._name) if known is None else known.experiment_id)


def _log_run(client: MlflowClient, experiment_id: str, parent_id: str, run: LoggedRun) -> None:
    """Log one training run, as long as its training took and at the time when it was trained."""
    start = _millis(datetime.fromisoformat(run.started_at)) if run.started_at else None
    tags = _named({**run.tags, _PARENT: parent_id})
    run_id = client.create_run(experiment_id, start_time=start, run_name=run.name, tags=tags).info.run_id
    _log(client, run_id, run.parameters, run.metrics, run.series)
    seconds = run.metrics.get("train_and_eval_s", 0.0)
    end = None if start is None else start + round(1000 * seconds)
    client.set_terminated(run_id, "FINISHED" if run.is_valid else "FAILED", end_time=end)


def _log(
    client: MlflowClient,
    run_id: str,
    parameters: Mapping[str, Parameter],
    metrics: Mapping[str, float],
    series: Mapping[str, Sequence[tuple[int, float]]],
) -> None:
    """Log parameters and figures of one run."""
    now = _millis(datetime.now(UTC))
    points = [(name, 0, value) for name, value in metrics.items()]
    points += [(name, step, value) for name, values in series.items() for step, value in values]
    client.log_batch(run_id, params=[Param(name, str(value)) for name, value in _named(parameters).items()])
    for first in range(0, len(points), _MOST_METRICS):
        part = points[first : first + _MOST_METRICS]
        client.log_batch(run_id, metrics=[Metric(_name(name), value, now, step) for name, step, value in part])


def _named(values: Mapping[str, Value]) -> dict[str, Value]:
    return {_name(name): value for name, value in values.items()}


def _name(name: str) -> str:
    """Return a name in the characters that MLflow takes: ``drop_pp/emb_L0`` for ``drop_pp/emb+L0``."""
    return _NOT_IN_NAMES.sub("_", name)


def _millis(time: datetime) -> int:
    """Return a time as MLflow counts it."""
    return round(1000 * time.timestamp())
