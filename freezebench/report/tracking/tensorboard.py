"""TensorBoard: a folder of event files per experiment, with a folder for each of its runs; without torch."""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from freezebench.errors import SettingsError
from freezebench.records.files import check_writable
from freezebench.report.tracking.base import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from freezebench.report.tracking.base import LoggedExperiment, LoggedRun

_NOT_IN_NAMES = re.compile(r"(?:\./|[^\w.+=-])+")
_LONGEST_NAME = 80


class TensorboardTracker:
    """Logs to the folder of TENSORBOARD_LOGGING_DIR, else to ``runs``, as most writers of event files do."""

    name = "tensorboard"

    def __init__(self) -> None:
        """Read the variable, and check the folder.

        Raises:
            SettingsError: If it cannot be written to.
        """
        self._folder = Path(os.environ.get("TENSORBOARD_LOGGING_DIR") or "runs").absolute() / PROJECT
        try:
            check_writable(self._folder)
        except OSError as error:
            raise SettingsError(
                f"TensorBoard cannot write to the folder {self._folder} ({error.strerror or error}). Set "
                "TENSORBOARD_LOGGING_DIR to another one."
            ) from error

    @property
    def destination(self) -> str:
        """The folder."""
        return f"TensorBoard: {self._folder}"

    def log(self, experiment: LoggedExperiment) -> str:
        """Log one experiment with its runs, and return its folder."""
        # Local time, as in the names of other writers; a second session must not write to the same folder.
        now = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S-%f")
        folder = self._folder / _file_name(f"{now} {experiment.name}")
        with _writing(folder) as add:
            add(text_pb("summary", experiment.markdown), 0)
            for name, value in experiment.metrics.items():
                add(scalar_pb(name, value), 0)
        for run in experiment.runs:
            with _writing(folder / _file_name(run.name)) as add:
                _log_run(run, add)
        return folder.name


@contextmanager
def _writing(folder: Path) -> Iterator[Callable[[object, int], None]]:
    """Open an event file in a folder, and return what adds a summary at a step."""
    writer = EventFileWriter(str(folder))

    def add(summary: object, step: int) -> None:
        writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    try:
        yield add
    finally:
        writer.close()


def _log_run(run: LoggedRun, add: Callable[[object, int], None]) -> None:
    """Log one training run."""
    add(hparams_pb({**run.parameters, **run.tags}), 0)
    for name, value in run.metrics.items():
        add(scalar_pb(name, value), 0)
    for name, points in run.series.items():
        for step, value in points:
            add(scalar_pb(name, value), step)


def _file_name(text: str) -> str:
    return _NOT_IN_NAMES.sub("-", text)[:_LONGEST_NAME]
