"""Weights & Biases: a group of runs per experiment, one per training run, and one that has the verdicts."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import wandb

from freezebench.errors import SettingsError
from freezebench.report.tracking.base import PROJECT

if TYPE_CHECKING:
    from freezebench.report.tracking.base import LoggedExperiment, LoggedRun

# Of the process nothing is sent but the name of its machine: no command, packages, code, load or output.
_NOT_SENT = {
    "console": "off",
    "disable_code": True,
    "disable_git": True,
    "save_code": False,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
}


class WandbTracker:
    """Logs to the server and project of the library's own settings; with WANDB_MODE=offline, to a folder."""

    name = "wandb"

    def __init__(self) -> None:
        """Read the library's settings, and check that there is an API key where one is needed.

        Raises:
            SettingsError: If there is none.
        """
        self._settings = wandb.setup().settings
        self._project = self._settings.project or PROJECT
        if self._settings.mode == "online" and not wandb.login(prompt=False, verify=False):
            raise SettingsError(
                f"Weights & Biases ({self._settings.base_url}) needs an API key, and there is none. Run: wandb login; "
                "or set WANDB_API_KEY, or WANDB_MODE=offline."
            )

    @property
    def destination(self) -> str:
        """Server or folder, and project."""
        is_online = self._settings.mode == "online"
        place = self._settings.base_url if is_online else f"{self._settings.mode}, {self._settings.wandb_dir}"
        return f"Weights & Biases: {place}, project {self._project}"

    def log(self, experiment: LoggedExperiment) -> str:
        """Log one experiment with its runs, and return the name of their group."""
        # Groups of one name would be one group.
        group = f"{experiment.name} {uuid.uuid4().hex[:8]}"
        for run in experiment.runs:
            self._log_run(run, group)
        config = {**experiment.parameters, **experiment.tags}
        with self._start(group, "experiment", experiment.name, config, notes=experiment.answer) as parent:
            self._settings = parent.settings  # the library takes another folder where its own cannot be written to
            parent.summary.update(experiment.metrics)
            columns = list(experiment.table[0])
            cells = [list(entry.values()) for entry in experiment.table]
            parent.log({"configurations": wandb.Table(columns=columns, data=cells)})
            if experiment.files:
                artifact = wandb.Artifact(f"report-{parent.id}", type="report")
                for name, path in experiment.files.items():
                    artifact.add_file(str(path), name=name)
                parent.log_artifact(artifact)
        return f"group {group}"

    def _log_run(self, run: LoggedRun, group: str) -> None:
        """Log one training run."""
        rows: dict[int, dict[str, float]] = {}
        for name, points in run.series.items():
            for step, value in points:
                rows.setdefault(step, {})[name] = value
        with self._start(group, "run", run.name, {**run.parameters, **run.tags}) as target:
            for step in sorted(rows):
                target.log(rows[step], step=step)
            target.summary.update(run.metrics)

    def _start(self, group: str, kind: str, name: str, config: dict[str, Any], notes: str | None = None) -> Any:
        """Return a new run beside those that the process has already."""
        return wandb.init(
            project=self._project,
            id=uuid.uuid4().hex,
            name=name,
            notes=notes,
            group=group,
            job_type=kind,
            config=config,
            reinit="create_new",
            settings=wandb.Settings(silent=True, **_NOT_SENT),
        )
