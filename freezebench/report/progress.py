"""Progress from the events of runs: a line while a run trains and when it has ended, and a table after each seed."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.planning.blocks import trains_arms_together
from freezebench.records.events import (
    ProgressEvent,
    ResultAwaited,
    RunDropped,
    RunEvent,
    RunFinished,
    RunProgressed,
    RunReused,
    RunsPlanned,
    RunStarted,
    RunWaiting,
    SeedsFinished,
    StepRecord,
    TrainingPaused,
    TrainingStarted,
)
from freezebench.report.durations import Durations, duration_text, seconds_on_slots
from freezebench.report.metric_text import metric_of_data, value_of, value_text
from freezebench.report.provisional import provisional_lines
from freezebench.specs.node_ids import experiment_names
from freezebench.units import percent_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.specs.run import RunSpec
    from freezebench.specs.slots import Slot

_REFRESH_S = 0.2
_TABLE_COLUMNS = 68  # 80 without the "freezebench " at the beginning of each line


@dataclass(kw_only=True)
class _Run:
    """A run that trains now.

    Attributes:
        spec: The run.
        number: Its number among all runs of the session.
        started_at: When it started, on the clock of the progress.
        state: What it does, if it takes no steps.
        step: Its latest step, if it takes steps.
        step_at: When that step ended.
        trained_s: Seconds of training before the latest evaluation, which interrupts it.
        resumed_at: When training went on after it.
    """

    spec: RunSpec
    number: int
    started_at: float
    state: str = "preparing"
    step: StepRecord | None = None
    step_at: float = 0.0
    trained_s: float = 0.0
    resumed_at: float = 0.0


class Progress:
    """Writes the state of the runs that train.

    Args:
        write: Receives a line in a long and a short form, and whether the next line may replace it.
        live: Whether lines can be replaced, as on a terminal; otherwise there is one line per finished run.
        planned: The runs that the session needs at least; if their models or data sets differ, lines name those, too.
        label: What lines begin with; ``None``: the number and the name of each run.
        quiet: Whether nothing is shown but which run goes on; without a terminal that is a line per finished run.
        slots: The slots that train at the same time.
        show: Receives what replaces the lines that it was given before: a line per slot that trains, each in a long and
            a short form. With several slots ``write`` receives only lines that stay.
        metric: Name of the metric that lines show; ``None``: the usual one of a run's task.
        clock: Returns seconds from an arbitrary start.
    """

    def __init__(
        self,
        write: Callable[[Sequence[str], bool], None],
        *,
        live: bool,
        planned: Sequence[RunSpec],
        label: str | None = None,
        quiet: bool = False,
        slots: Sequence[Slot] = (),
        show: Callable[[Sequence[Sequence[str]]], None] = lambda _: None,
        metric: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._show, self._clock, self._metric = write, show, clock, metric
        self._slots = [slot.name for slot in slots] if len(slots) > 1 else [""]
        self._arms_together = trains_arms_together(slots)
        self._live, self._quiet = live, quiet
        self._is_brief = quiet and live  # nothing stays
        self._own_label, self._num_started = label, 0
        self._experiments = experiment_names((spec.model, spec.data.source) for spec in planned)
        # Trials of learning rates, which differ in nothing else, so that lines name the rate.
        self._tried: set[Hashable] = set()
        self._plan(planned)
        self._durations = Durations()
        self._running: dict[str, _Run] = {}
        self._is_awaited = True
        self._shown = 0.0

    def on_event(self, event: RunEvent) -> None:
        """Show an event of a run."""
        match event:
            case RunStarted():
                self._start(event.spec, self._slot(event.slot))
            case RunWaiting():
                self._wait(event.reason, self._slot(event.slot))
            case RunProgressed():
                self._train(event.event, self._slot(event.slot))
            case RunReused():
                self._reuse(event.record)
            case RunFinished():
                self._finish(event.record, self._slot(event.slot))
            case RunDropped():
                self._running.pop(self._slot(event.slot), None)
            case RunsPlanned():
                self._plan(event.left)
            case SeedsFinished():
                self._compare(event)
            case ResultAwaited():
                self._await(is_awaited=event.is_awaited)

    def _slot(self, name: str) -> str:
        """Return the name of a slot, which is not shown if there is only one."""
        return name if len(self._slots) > 1 else ""

    def _plan(self, left: Iterable[RunSpec]) -> None:
        """Take the runs that have not started: later looks add some, and what broke needs no more."""
        self._left = Counter(left)
        numbers = Counter(map(_without_rate, self._left))
        self._tried |= {run for run, number in numbers.items() if number > 1}

    def _start(self, spec: RunSpec, slot: str) -> None:
        """Show the start of a run, which loads the model first."""
        self._count(spec)
        self._running[slot] = _Run(spec=spec, number=self._num_started, started_at=self._clock())
        self._refresh()

    def _count(self, spec: RunSpec) -> None:
        """Count a run as started."""
        self._num_started += 1
        # With several slots, a plan may have been made since the run was submitted, and leave it out.
        run = _without_rate(spec)
        if not self._left[spec] and run not in self._tried:  # it may be planned at the rate that it had before trials
            spec = next((other for other in self._left if _without_rate(other) == run and self._left[other]), spec)
        if self._left[spec]:
            self._left[spec] -= 1

    def _wait(self, reason: str, slot: str) -> None:
        """Show why a run waits for another session."""
        self._write([f"{slot} waiting: {reason}".lstrip()], self._is_brief)
        self._refresh()

    def _reuse(self, record: RunRecord) -> None:
        """Show that a run of an earlier session is reused."""
        self._count(record.spec)
        value = "" if record.test is None else f", {self._value(record)}"
        self._end(f"{self._label(record.spec, self._num_started)}: reused from an earlier session{value}")

    def _value(self, record: RunRecord) -> str:
        """Return how good a run is: ``test accuracy 90.4 %``; of a trial, the loss by which its rate is chosen."""
        if _without_rate(record.spec) in self._tried and record.best_validation_loss is not None:
            return f"validation loss {record.best_validation_loss:.4g}"
        metric = metric_of_data(record.data, self._metric)
        return f"test {metric.label} {value_text(value_of(record, metric), metric)}"

    def _train(self, event: ProgressEvent, slot: str) -> None:
        """Show the state of training."""
        run, now = self._running.get(slot), self._clock()
        if run is None:
            return
        if isinstance(event, TrainingStarted):
            run.resumed_at = now
        elif isinstance(event, TrainingPaused):
            run.trained_s += now - run.resumed_at
            run.state, run.step = f"epoch {event.epoch}  evaluating", None
            self._refresh()
        else:
            run.step, run.step_at = event, now
            if now - self._shown >= _REFRESH_S:
                self._refresh()

    def _finish(self, record: RunRecord, slot: str) -> None:
        """Show the outcome of a run, and the time that the others will take."""
        run, left = self._running.pop(slot, None), ""
        if record.test is None:
            outcome = f"invalid: {record.reason}"
        else:
            if run is not None:
                self._durations.add(record.spec, self._clock() - run.started_at)
            train_s, share = record.value("train_s"), percent_text(record.contended_share, 0)
            trained = "" if train_s is None else f", trained in {seconds_text(train_s)}"
            contended = f", contended {share}" if record.is_contended else ""
            outcome = f"{self._value(record)}{trained}{contended}"
            seconds = self._grid_s(fallback=None)
            left = f"; {duration_text(seconds)} left" if seconds else ""
        number = self._num_started if run is None else run.number
        self._end(f"{self._label(record.spec, number, slot)}: {outcome}{left}")

    def _end(self, line: str) -> None:
        """Write a line that stays; where only the run that goes on is shown, clear its line instead."""
        self._write([""] if self._is_brief else [line], self._is_brief)
        if self._running:
            self._refresh()

    def _compare(self, seeds: SeedsFinished) -> None:
        """Show how the configurations compare so far."""
        spec = next((record.spec for record in seeds.records["none"]), None)
        experiment = self._experiments.get((spec.model, spec.data.source), "") if spec else ""
        for line in () if self._quiet else provisional_lines(seeds, _TABLE_COLUMNS, experiment):
            self._write([line], False)
        if self._running:
            self._refresh()

    def _await(self, *, is_awaited: bool) -> None:
        """Show which runs train while a test waits for its result; the terminal is the test's before and after."""
        self._is_awaited = is_awaited
        if len(self._slots) > 1:
            self._refresh()

    def _label(self, spec: RunSpec, number: int, slot: str = "") -> str:
        """Return what lines begin with: slot, number of the run, of all that are known to be needed, a run's name."""
        if self._own_label is not None:
            return self._own_label
        name = " ".join(filter(None, (self._experiments.get((spec.model, spec.data.source)), spec.freeze)))
        rate = f" rate {spec.protocol.learning_rate:g}" if _without_rate(spec) in self._tried else ""
        return f"{slot} [{number}/{self._num_started + self._left.total()}] {name} seed {spec.seed}{rate}".lstrip()

    def _refresh(self) -> None:
        """Show the runs that train, in place of what was shown of them before."""
        if not self._live:
            return
        self._shown = self._clock()
        runs = [(slot, self._running[slot]) for slot in self._slots if slot in self._running]
        # What has not run in an experiment without any finished run is expected to take as long as these.
        lasting = [self._shown - run.started_at + self._remaining_s(run) for _, run in runs if run.step is not None]
        grid_s = self._grid_s(fallback=max(lasting)) if lasting else None
        lines = [self._forms(slot, run, grid_s) for slot, run in runs]
        if len(self._slots) > 1:
            self._show(lines if self._is_awaited else [])
        else:
            for forms in lines:
                self._write(forms, True)

    def _forms(self, slot: str, run: _Run, grid_s: float | None) -> list[str]:
        """Return the line of a run in a long and a short form."""
        label = self._label(run.spec, run.number, slot)
        states = (run.state,) if run.step is None else self._step(run, run.step, grid_s)
        return [f"{label}  {state}" for state in states]

    def _step(self, run: _Run, step: StepRecord, grid_s: float | None) -> tuple[str, ...]:
        """Return step, loss, throughput and remaining time in a long and a short form."""
        trained_s = run.trained_s + run.step_at - run.resumed_at
        if trained_s <= 0:
            return ("training",)
        rate = step.step * run.spec.protocol.batch_size / trained_s
        loss = "" if step.loss is None else f"  loss {step.loss:.3f}"
        left = duration_text(self._remaining_s(run))
        grid = "" if grid_s is None else f", grid {duration_text(grid_s)}"
        epoch, number = f"{step.epoch}/{run.spec.protocol.num_epochs}", f"{step.step}/{step.num_steps}"
        return (
            f"epoch {epoch}  step {number}{loss}  {rate:,.0f} sentences/s  {left} left{grid}",
            f"{epoch}  {number}{loss}  {rate:,.0f}/s  {left}{grid}",
        )

    def _remaining_s(self, run: _Run) -> float:
        """Return the seconds until a run ends: at least its steps, and by the duration of earlier seeds."""
        now, steps_s = self._clock(), 0.0
        if run.step is not None:
            trained_s = run.trained_s + run.step_at - run.resumed_at
            steps_s = trained_s / run.step.step * (run.step.num_steps - run.step.step) - (now - run.step_at)
        # Earlier seeds include loading and evaluations, which the steps do not.
        earlier_s = self._durations.of(run.spec)
        return max(steps_s, 0.0 if earlier_s is None else earlier_s - (now - run.started_at), 0.0)

    def _grid_s(self, fallback: float | None) -> float | None:
        """Return the seconds until all runs have ended, each on the slot that is free first; ``None`` if unknown.

        Args:
            fallback: Seconds of a run of an experiment without any finished run.
        """
        waiting_s: dict[Hashable, float] = defaultdict(float)
        for spec, number in self._left.items():
            each_s = self._durations.expected(spec, fallback) if number else 0.0
            if each_s is None:
                return None
            waiting_s[self._block(spec)] += number * each_s
        busy_s = [self._remaining_s(run) + waiting_s.pop(self._block(run.spec), 0.0) for run in self._running.values()]
        return seconds_on_slots(waiting_s.values(), len(self._slots), busy_s)

    def _block(self, spec: RunSpec) -> Hashable:
        """Return what the runs have in common that train on one slot, one after another."""
        return (spec.experiment_id, spec.seed) if self._arms_together else spec


def _without_rate(spec: RunSpec) -> Hashable:
    return spec.experiment_id, spec.freeze, spec.seed
