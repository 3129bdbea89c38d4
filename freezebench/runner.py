"""The loop of a session: plan the next runs, look in the store, train what is missing, record it, judge.

Each slot has a thread that supervises its runs. A record is checked and stored there, as soon as its run ends; all
else happens in the thread of the tests: plans, events and results. Runs of later tests go on training while a test
ends and the next one begins.

    next_step ─► blocks ─► place on free slots ─► look in the store ─► submit ─┐ (a slot's thread: train, check, store)
        ▲                                                                      │
        └────────────────── add the record ◄───────────── calls that wait ◄────┘
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from concurrent.futures import CancelledError
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError
from freezebench.executors.base import SlotLostError, machine_or_none, untrained
from freezebench.planning.blocks import Training, ends_block
from freezebench.planning.finished import FinishedRuns
from freezebench.planning.placement import place
from freezebench.planning.results import baseline_so_far
from freezebench.planning.retries import forget_faults
from freezebench.records.events import RunDropped, RunFinished, RunsPlanned, RunWaiting
from freezebench.runs.several_devices import trained_beside_others
from freezebench.verdicts.judge import ConfigurationResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from freezebench.config.settings import Settings
    from freezebench.executors.base import Executor, OnEvent
    from freezebench.executors.call_queue import CallQueue
    from freezebench.planning.blocks import Block
    from freezebench.planning.finished import NeededRun
    from freezebench.planning.session_plan import SessionPlan
    from freezebench.records.run_record import RunRecord
    from freezebench.runs.input_check import InputCheck
    from freezebench.runs.reuse import Found, Reuse
    from freezebench.specs.run import RunSpec
    from freezebench.specs.slots import Slot

_MOST_ATTEMPTS = 3
_POLL_S = 0.5  # between two looks at a run that another session trains


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
        calls: CallQueue,
        reuse: Reuse | None = None,
        inputs: InputCheck | None = None,
        on_event: OnEvent = lambda _: None,
    ) -> None:
        """Take where runs train, and the configurations that they are planned for.

        Args:
            executor: Trains the runs.
            plan: The configurations of the session.
            calls: Carries out what other threads want done in this one.
            reuse: Runs of earlier sessions; ``None``: all runs are trained and none is saved.
            inputs: Checks that all runs had the same data and weights; ``None``: they are not checked.
            on_event: Receives the plan before every block, the end of every run that was trained, and that of a seed.
        """
        self._executor, self._plan, self._calls, self._on_event = executor, plan, calls, on_event
        self._reuse, self._inputs = reuse, inputs
        self.finished = FinishedRuns()
        # Records in the store keep it, so that the times of two sessions can be told apart.
        self._session = uuid.uuid4().hex
        self._training: dict[Slot, Training] = {}
        self._has_news = False  # whether the plan has to be made anew
        self._is_checked = threading.Lock()  # slots end their runs at any time
        self._losses: Counter[tuple[str, str | None]] = Counter()
        self._last_loss = "the executor has none"
        self._waited_for: set[str] = set()
        # Number of seeds whose end was reported, by settings.
        self._num_reported: dict[Settings, int] = {}

    def result(self, settings: Settings, freeze: str) -> ConfigurationResult:
        """Return one configuration's result, training the runs that are missing, the baseline's included.

        Runs of other configurations that come earlier in the order of the plan are trained as well, and on slots that
        would be idle those that come later.

        Args:
            settings: The settings of the test.
            freeze: Canonical id of the configuration.
        """
        # Runs end in any order. After each the plan is made anew, for what is still needed may depend on its outcome.
        try:
            while True:
                self._calls.drain()
                step = self._plan.next_step(settings, freeze, self.finished)
                if isinstance(step, ConfigurationResult):
                    return step
                self._has_news = False
                is_busy_elsewhere = self._train(step)
                if self._plan.budget.refused and not (self._training or self._has_news):
                    return self._plan.result_so_far(settings, freeze, self.finished, self._plan.budget.reason)
                while not self._has_news:
                    self._calls.wait(_POLL_S if is_busy_elsewhere else None)
                    if is_busy_elsewhere:
                        break
                self._report_seed(settings)
        except BaseException:
            self._stop()
            raise

    def baseline(self, settings: Settings) -> ConfigurationResult:
        """Return the baseline's result with all its seeds that have run so far; none is trained."""
        return baseline_so_far(settings, self.finished)

    def retry(self, settings: Settings, freeze: str) -> list[RunRecord]:
        """Return the broken runs of a configuration and its baseline that its next result trains again."""
        return forget_faults(settings, freeze, self.finished)

    def save_model(self, spec: RunSpec, folder: Path) -> RunRecord:
        """Train a run anew and save its model to an empty folder, an absolute path; the record joins no result."""
        records: list[RunRecord] = []

        def on_end(_: int, record: RunRecord) -> bool:
            records.append(record)
            return True

        if not all(training.is_over for training in self._training.values()):
            self._stop()  # what still trains after the last test is for tests that did not ask for it
        slots = self._executor.slots
        if not slots:
            return untrained(spec, self._no_slot(), cause="killed")
        try:
            self._calls.result(self._executor.submit([spec], slots[0], on_end, save_to=folder))
        except SlotLostError as error:
            return untrained(spec, error, cause="killed")
        except BaseException:
            self._stop()
            raise
        return records[0]

    def _stop(self) -> None:
        """Cancel all that trains, so that nothing trains on behind an interruption."""
        self._executor.cancel()
        self._calls.drain()

    # --- in the thread of the tests -------------------------------------------------------------------------------

    def _train(self, step: Sequence[NeededRun]) -> bool:
        """Submit blocks while slots are free, or take the first runs that an earlier session finished.

        Args:
            step: The runs that the current test needs.

        Returns:
            Whether a run was left out because another session trains it now.
        """
        slots = self._executor.slots
        if not slots:
            self._keep(step[0], untrained(step[0].spec, self._no_slot(), cause="killed"))
            return False
        blocks = self._plan.blocks(
            step,
            self.finished,
            under_way={run.key for training in self._training.values() for run in training.block.runs},
            slots=slots,
        )
        busy: list[RunSpec] = []
        self._plan.budget.refused = None
        while placed := place(blocks, slots, {slot: training.block for slot, training in self._training.items()}):
            block, slot = placed[0]
            blocks.remove(block)
            found = self._find(block, slot)
            may_start = self._plan.budget.admits(block, self._training.values())
            if found.busy:
                busy += found.busy
            elif found.records:
                self._take(block, found.records)
            elif may_start:
                self._submit(block, slot)
            else:
                self._take(block, {})  # another session may train it
            if self._has_news:  # an executor may train within ``submit``
                return False
        if busy and not self._training:
            self._wait_for_other_session(busy[0])
        return bool(busy)

    def _no_slot(self) -> SlotLostError:
        return SlotLostError(
            f"no slot is left to train on: {self._last_loss}; repair the cluster and run the session again, which "
            "reuses finished runs"
        )

    def _keep(self, run: NeededRun, record: RunRecord, *, is_reused: bool = False) -> None:
        """Add a record to those that plans and results rest on."""
        self.finished.add(run, record, is_reused=is_reused)
        self._has_news = True

    def _find(self, block: Block, slot: Slot) -> Found:
        """Return the runs of a block that earlier sessions finished or that another one trains; claim the others."""
        from freezebench.runs.reuse import Found

        specs = [run.spec for run in block.runs if not run.must_be_new]
        if self._reuse is None or not specs:
            return Found()
        slots = (slot, *self._executor.slots)
        return self._reuse.find(specs, *(machine_or_none(self._executor, specs[0], other) for other in slots))

    def _take(self, block: Block, records: Mapping[str, RunRecord]) -> None:
        """Add the runs of a block that earlier sessions finished; the others are planned anew."""
        for run in block.runs:
            record = records.get(run.spec.run_id)
            if record is not None:
                self._keep(run, record, is_reused=True)
            elif self._reuse is not None:
                self._reuse.release(run.spec)

    def _wait_for_other_session(self, spec: RunSpec) -> None:
        """Report once that a run waits for another session that trains it."""
        if spec.run_id not in self._waited_for:
            self._waited_for.add(spec.run_id)
            self._on_event(RunWaiting(spec=spec, reason=f"another session trains {spec.freeze} seed {spec.seed}"))

    def _submit(self, block: Block, slot: Slot) -> None:
        """Let a block train on a slot."""
        trainings = self._training.values()
        started = {run.key for other in trainings for run in other.block.runs[: other.num_ended + 1]}
        left = [run for run in self._plan.runs_left(self.finished) if run.key not in started]
        self._on_event(RunsPlanned(left=tuple(run.spec for run in left)))
        # Slots on other nodes are no neighbours, and one that is lost meanwhile was one.
        is_alone = block.is_alone or [other.node for other in self._executor.slots].count(slot.node) == 1
        self._training[slot] = training = Training(block=block, slot=slot, is_alone=is_alone)
        future = self._executor.submit([run.spec for run in block.runs], slot, partial(self._end_run, training))
        future.add_done_callback(lambda future: self._calls.put(partial(self._end_block, training, future)))

    def _add(self, training: Training, run: NeededRun, record: RunRecord) -> None:
        """Add the record of a run that has ended."""
        training.num_ended += 1
        self._plan.budget.num_ended += 1
        if run.interleaved_with is None:
            self._keep(run, record)
        else:
            training.series.append(record)
        self._on_event(RunFinished(record=record, slot=training.slot.name))

    def _end_block(self, training: Training, future: Future[None]) -> None:
        """Free the slot of a block that has ended, one way or another."""
        del self._training[training.slot]
        self._has_news = True
        if self._reuse is not None:
            for run in training.block.runs:
                self._reuse.release(run.spec)
        try:
            future.result()
        except (CancelledError, SlotLostError) as error:
            self._on_event(RunDropped(slot=training.slot.name))
            if isinstance(error, SlotLostError):
                self._lose(training, error)
            return
        for run, record in zip(training.block.runs, training.series, strict=False):
            self._keep(run, record)

    def _lose(self, training: Training, error: SlotLostError) -> None:
        """Plan the run that was lost with its slot again, or let it be invalid after some attempts.

        A series of interleaved runs begins anew: what is compared has to train in the same minutes.
        """
        runs = training.block.runs
        run = runs[0] if runs[0].interleaved_with else runs[training.num_ended]
        self._losses[run.key] += 1
        self._last_loss = str(error)
        if self._losses[run.key] == _MOST_ATTEMPTS:
            lost = SlotLostError(f"its slot was lost {_MOST_ATTEMPTS} times, the last time since {error}")
            self._keep(run, untrained(run.spec, lost, cause="killed"))

    def _report_seed(self, settings: Settings) -> None:
        """Report the end of a seed once, that of one whose last run was reused excepted: the next one follows soon."""
        seeds = self._plan.seeds_finished(settings, self.finished)
        key = settings.of_table
        if seeds is not None and seeds.num_ended > self._num_reported.get(key, 0):
            self._num_reported[key] = seeds.num_ended
            self._on_event(seeds)

    # --- in the thread of a slot ----------------------------------------------------------------------------------

    def _end_run(self, training: Training, position: int, record: RunRecord) -> bool:
        """Check and store the record of a run that has ended; return whether the next one of its block trains."""
        run = training.block.runs[position]
        record = replace(record, session=self._session)
        if not training.is_alone:
            record = trained_beside_others(record, shares_processor=training.slot.shares_processor)
        with self._is_checked:
            try:
                record = record if self._inputs is None else self._inputs.checked(record)
            except FreezebenchError as error:
                record = untrained(record.spec, error)
            if self._reuse:
                self._reuse.save(record)
        training.is_over = ends_block(run, record) or position + 1 == len(training.block.runs)
        self._calls.put(partial(self._add, training, run, record))
        return not training.is_over
