"""The loop of a session: plan the next runs, look in the store, train what is missing, record it, judge."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError, traceback_end
from freezebench.executors.base import machine_or_none
from freezebench.planning.finished import FinishedRuns
from freezebench.planning.results import baseline_so_far
from freezebench.planning.retries import forget_faults
from freezebench.records.events import RunFinished, RunsPlanned, RunWaiting
from freezebench.records.run_record import RunRecord
from freezebench.verdicts.judge import ConfigurationResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from freezebench.config.settings import Settings
    from freezebench.executors.base import Executor, OnEvent
    from freezebench.planning.finished import NeededRun
    from freezebench.planning.session_plan import SessionPlan
    from freezebench.runs.input_check import InputCheck
    from freezebench.runs.reuse import Reuse
    from freezebench.specs.run import RunSpec

# Between two looks at a run that another session trains.
_POLL_S = 0.5


class Runner:
    """Does the runs that results need, each run once.

    Attributes:
        finished: The runs that have ended.
    """

    def __init__(
        self,
        executor: Executor,
        plan: SessionPlan,
        *,
        reuse: Reuse | None = None,
        inputs: InputCheck | None = None,
        on_event: OnEvent = lambda _: None,
    ) -> None:
        """Take where runs train, and the configurations that they are planned for.

        Args:
            executor: Trains the runs.
            plan: The configurations of the session.
            reuse: Runs of earlier sessions; ``None``: all runs are trained and none is saved.
            inputs: Checks that all runs had the same data and weights; ``None``: they are not checked.
            on_event: Receives the plan before every run, the end of every run that was trained, and that of a seed.
        """
        self._executor, self._plan, self._on_event = executor, plan, on_event
        self._reuse, self._inputs = reuse, inputs
        self.finished = FinishedRuns()
        # Records in the store keep it, so that the times of two sessions can be told apart.
        self._session = uuid.uuid4().hex
        # Number of seeds whose end was reported, by settings.
        self._num_reported: dict[Settings, int] = {}

    def result(self, settings: Settings, freeze: str) -> ConfigurationResult:
        """Return one configuration's result, training the runs that are missing, the baseline's included.

        Runs of other configurations that come earlier in the order of the plan are trained as well.

        Args:
            settings: The settings of the test.
            freeze: Canonical id of the configuration.
        """
        # Runs end in any order. After each the plan is made anew, for what is still needed may depend on its outcome.
        running: dict[Future[RunRecord], NeededRun] = {}
        try:
            while True:
                step = self._plan.next_step(settings, freeze, self.finished)
                if not isinstance(step, ConfigurationResult):
                    self._submit([needed for needed in step if needed not in running.values()], running)
                elif not running:
                    return step
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in [future for future in running if future in ended]:
                    needed = running.pop(future)
                    self.finished.add(needed, self._record(needed, future))
                    self._report_seed(settings)
        except BaseException:
            # Nothing trains on behind an interruption.
            self._executor.cancel()
            raise

    def baseline(self, settings: Settings) -> ConfigurationResult:
        """Return the baseline's result with all its seeds that have run so far; none is trained."""
        return baseline_so_far(settings, self.finished)

    def retry(self, settings: Settings, freeze: str) -> list[RunRecord]:
        """Return the broken runs of a configuration and its baseline that its next result trains again."""
        return forget_faults(settings, freeze, self.finished)

    def _submit(self, needed_runs: Sequence[NeededRun], running: dict[Future[RunRecord], NeededRun]) -> None:
        """Submit runs while devices are free, or take the first one that an earlier session finished."""
        for needed in needed_runs[: len(self._executor.devices) - len(running)]:
            record = None if needed.must_be_new else self._find(needed.spec)
            if record is not None:
                self.finished.add(needed, record, is_reused=True)
                return
            left = [other for other in self._plan.runs_left(self.finished) if other not in running.values()]
            self._on_event(RunsPlanned(left=tuple(other.spec for other in left)))
            running[self._executor.submit(needed.spec)] = needed

    def _find(self, spec: RunSpec) -> RunRecord | None:
        """Return the run of an earlier session, waiting while another one trains it; if there is none, claim it."""
        if self._reuse is None:
            return None
        machine = machine_or_none(self._executor, spec)
        found = self._reuse.find([spec], machine)
        if found.busy:
            reason = f"another session trains {spec.freeze} seed {spec.seed}"
            self._on_event(RunWaiting(spec=spec, reason=reason))
        while found.busy:
            time.sleep(_POLL_S)
            found = self._reuse.find([spec], machine)
        return found.records.get(spec.run_id)

    def _report_seed(self, settings: Settings) -> None:
        """Report the end of a seed once, that of one whose last run was reused excepted: the next one follows soon."""
        seeds = self._plan.seeds_finished(settings, self.finished)
        key = settings.of_table
        if seeds is not None and seeds.num_ended > self._num_reported.get(key, 0):
            self._num_reported[key] = seeds.num_ended
            self._on_event(seeds)

    def _record(self, needed: NeededRun, future: Future[RunRecord]) -> RunRecord:
        """Return the record of a run that ended; an invalid one if it could not be trained."""
        try:
            record = replace(future.result(), session=self._session)
            record = record if self._inputs is None else self._inputs.checked(record)
            self._on_event(RunFinished(record=record))
        except FreezebenchError as error:
            started_at = datetime.now(UTC).isoformat(timespec="seconds")
            record = RunRecord(
                spec=needed.spec,
                status="invalid",
                cause="crash",
                reason=str(error),
                log=traceback_end(error),
                started_at=started_at,
            )
        if self._reuse:
            self._reuse.save(record)
        return record
