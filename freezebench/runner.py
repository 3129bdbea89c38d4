"""The loop of a session: plan the next runs, look in the store, train what is missing, record it, judge."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, wait
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError
from freezebench.planning.finished import FinishedRuns
from freezebench.planning.looks import baseline_so_far, next_step
from freezebench.records.events import RunFinished
from freezebench.records.run_record import RunRecord
from freezebench.verdicts.judge import ConfigurationResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from freezebench.config.settings import Settings
    from freezebench.executors.base import Executor, OnEvent
    from freezebench.planning.finished import NeededRun
    from freezebench.runs.input_check import InputCheck
    from freezebench.runs.reuse import Reuse


class Runner:
    """Does the runs that results need, each run once.

    Attributes:
        finished: The runs that have ended.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        reuse: Reuse | None = None,
        inputs: InputCheck | None = None,
        on_event: OnEvent = lambda _: None,
    ) -> None:
        """Take where runs train.

        Args:
            executor: Trains the runs.
            reuse: Runs of earlier sessions; ``None``: all runs are trained and none is saved.
            inputs: Checks that all runs had the same data and weights; ``None``: they are not checked.
            on_event: Receives the end of every run that was trained.
        """
        self._executor, self._reuse, self._inputs, self._on_event = executor, reuse, inputs, on_event
        self.finished = FinishedRuns()

    def result(
        self, settings: Settings, freeze: str, *, grid: Sequence[str] = (), with_times: bool = True
    ) -> ConfigurationResult:
        """Return one configuration's result, training the runs that are missing, the baseline's included.

        Args:
            settings: The settings of the test.
            freeze: Canonical id of the configuration.
            grid: All configurations of the session, over which the variance between seeds may be pooled.
            with_times: Whether required savings of time and energy are checked, which takes further runs.
        """
        # Runs end in any order. After each the plan is made anew, for what is still needed may depend on its outcome.
        running: dict[Future[RunRecord], NeededRun] = {}
        look = 0
        try:
            while True:
                step = next_step(settings, freeze, self.finished, grid=grid, with_times=with_times, look=look)
                if isinstance(step, ConfigurationResult):
                    if not running:
                        return step
                else:
                    look = max(look, *(needed.look for needed in step))
                    self._submit([needed for needed in step if needed not in running.values()], running)
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in [future for future in running if future in ended]:
                    needed = running.pop(future)
                    self.finished.add(needed, self._record(needed, future))
        except BaseException:
            # Nothing trains on behind an interruption.
            self._executor.cancel()
            raise

    def baseline(self, settings: Settings) -> ConfigurationResult:
        """Return the baseline's result with all its seeds that have run so far; none is trained."""
        return baseline_so_far(settings, self.finished)

    def _submit(self, needed_runs: Sequence[NeededRun], running: dict[Future[RunRecord], NeededRun]) -> None:
        """Submit runs while devices are free, or take the first one that an earlier session finished."""
        for needed in needed_runs[: len(self._executor.devices) - len(running)]:
            # One lookup at a time: it claims the run, and may wait for another session that trains it.
            record = self._reuse.find(needed.spec) if self._reuse and not needed.must_be_new else None
            if record is not None:
                self.finished.add(needed, record, is_reused=True)
                return
            running[self._executor.submit(needed.spec)] = needed

    def _record(self, needed: NeededRun, future: Future[RunRecord]) -> RunRecord:
        """Return the record of a run that ended; an invalid one if it could not be trained."""
        try:
            record = future.result()
            record = record if self._inputs is None else self._inputs.checked(record)
            self._on_event(RunFinished(record=record))
        except FreezebenchError as error:
            started_at = datetime.now(UTC).isoformat(timespec="seconds")
            record = RunRecord(
                spec=needed.spec, status="invalid", cause="crash", reason=str(error), started_at=started_at
            )
        if self._reuse:
            self._reuse.save(record)
        return record
