"""Progress on a terminal and in a log, on a virtual clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import made_up
import made_up_tasks
from freezebench.records.events import (
    ProgressEvent,
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
from freezebench.records.run_record import RunRecord
from freezebench.report.progress import Progress


class _Display:
    """A progress display on a virtual clock, and what it wrote.

    Attributes:
        now_s: The time of the clock.
        transient: The lines that the next one may replace.
        permanent: The lines that stay.
        short: The short form of the last line.
        progress: The display.
    """

    def __init__(self, *planned: RunRecord, live: bool = True, quiet: bool = False, label: str | None = None) -> None:
        self.now_s = 0.0
        self.transient: list[str] = []
        self.permanent: list[str] = []
        self.short = ""
        specs = [record.spec for record in planned]
        self.progress = Progress(
            self._write, live=live, planned=specs, quiet=quiet, label=label, clock=lambda: self.now_s
        )

    def _write(self, forms: Sequence[str], is_transient: bool) -> None:
        (self.transient if is_transient else self.permanent).append(forms[0])
        self.short = forms[-1]

    def emit(self, event: ProgressEvent) -> None:
        """Emit an event of training."""
        self.progress.on_event(RunProgressed(spec=NONE.spec, event=event))

    def start(self, record: RunRecord) -> None:
        """Start a run."""
        self.progress.on_event(RunStarted(spec=record.spec))

    def finish(self, record: RunRecord) -> None:
        """Finish a run."""
        self.progress.on_event(RunFinished(record=record))

    def load(self, record: RunRecord, *, seconds: float = 2.0) -> None:
        """Start a run and load its model."""
        self.start(record)
        self.now_s += seconds
        self.emit(TrainingStarted(epoch=1))

    def train(self, *, until: int, first: int = 1, step_s: float = 0.5, loss: float | None = 0.25) -> None:
        """Take steps of a run of twenty."""
        for step in range(first, until + 1):
            self.now_s += step_s
            self.emit(StepRecord(step=step, epoch=1, num_steps=20, loss=loss))

    def run(self, record: RunRecord, *, step_s: float = 0.5) -> None:
        """Do a whole run."""
        self.load(record)
        self.train(until=20, step_s=step_s)
        self.finish(record)


NONE, OTHER, EMB = made_up.record("none"), made_up.record("none", 43), made_up.record("emb")


def test_a_step_shows_state_and_remaining_time() -> None:
    """Epoch, step, loss, throughput, remaining time of the run, and of the grid if all its runs were like this one."""
    display = _Display(NONE, OTHER, EMB)
    display.load(NONE)
    assert display.transient == ["[1/3] none seed 42  preparing"]
    display.train(until=4)
    # 4 steps of 32 sentences in 2 s, 8 s for the other 16; loading counts for the runs to come: 2 × 12 s.
    assert display.transient[-1] == (
        "[1/3] none seed 42  epoch 1/2  step 4/20  loss 0.250  64 sentences/s  8 s left, grid 32 s"
    )
    assert display.short == "[1/3] none seed 42  1/2  4/20  loss 0.250  64/s  8 s, grid 32 s"


def test_remaining_time_follows_from_runs_that_have_ended() -> None:
    """A configuration is expected to take as long as before; a new one as long as the latest run."""
    display = _Display(NONE, OTHER, EMB)
    display.run(NONE, step_s=5.0)
    display.load(OTHER)
    display.train(until=10, step_s=0.1)
    # The first seed took 102 s, this one has 99 s to go by that; emb is not known, none's latest is.
    assert display.transient[-1].endswith("  2 min left, grid 3 min")
    display.train(first=11, until=20, step_s=0.1)
    display.finish(OTHER)
    display.load(EMB)
    display.train(until=10, step_s=0.1)
    assert display.transient[-1].endswith("320 sentences/s  1 s left, grid 1 s")


def test_the_time_of_a_contended_run_has_its_share() -> None:
    """Nobody takes it for the time of an undisturbed run."""
    display = _Display(NONE)
    display.run(made_up.contended(NONE))
    assert display.permanent[-1].endswith(", trained in 10.0 s, contended 41 %")


def test_evaluation_is_not_training() -> None:
    """It is shown while it lasts and does not count in the throughput."""
    display = _Display(NONE)
    display.load(NONE)
    display.train(until=10)
    display.emit(TrainingPaused(epoch=1))
    assert display.transient[-1] == "[1/1] none seed 42  epoch 1  evaluating"
    display.now_s += 60
    display.emit(TrainingStarted(epoch=2))
    display.train(first=11, until=12)
    assert "64 sentences/s  4 s left, grid 4 s" in display.transient[-1]


def test_lines_are_refreshed_five_times_a_second() -> None:
    """Faster steps do not write more lines."""
    display = _Display(NONE)
    display.load(NONE)
    display.train(until=20, step_s=0.0625)
    assert sum("step" in line for line in display.transient) == 5


def test_a_gpu_shows_no_loss() -> None:
    """Reading it would stall the device."""
    display = _Display(NONE)
    display.load(NONE)
    display.train(until=2, loss=None)
    assert "loss" not in display.transient[-1]


def test_a_log_has_one_line_per_finished_run() -> None:
    """No transient lines; an invalid run has its reason, and a run that was not planned is counted."""
    display = _Display(NONE, live=False)
    display.run(NONE)
    display.start(EMB)
    display.finish(replace(made_up.broken("emb"), spec=EMB.spec))
    assert not display.transient
    assert display.permanent == [
        "[1/1] none seed 42: test accuracy 89.5 %, trained in 10.0 s",
        "[2/2] emb seed 42: invalid: non-finite loss: at step 3",
    ]


def test_reused_and_waiting_runs_have_a_line() -> None:
    """A reused run counts among the planned ones; the reason for waiting is shown."""
    display = _Display(NONE, EMB, live=False)
    display.progress.on_event(RunReused(record=NONE))
    display.progress.on_event(RunWaiting(spec=EMB.spec, reason="another session trains it"))
    assert display.permanent == [
        "[1/2] none seed 42: reused from an earlier session, test accuracy 89.5 %",
        "waiting: another session trains it",
    ]


def test_a_label_replaces_number_and_name() -> None:
    """A run that is trained once more, to be saved, is none of the planned ones."""
    display = _Display(NONE, label="saving none, seed 42")
    display.load(NONE)
    display.finish(NONE)
    assert display.transient
    assert all(line.startswith("saving none, seed 42  ") for line in display.transient)
    assert display.permanent[-1].startswith("saving none, seed 42: test accuracy ")


def test_lines_name_the_experiment_where_there_are_several() -> None:
    """By the model, the data set or both, as in the ids of tests; so does the table after a seed."""
    others = [
        replace(record, spec=replace(record.spec, model=f"models/{name}")) for record in (NONE, EMB) for name in "ab"
    ]
    display = _Display(*others, live=False)
    for record in others:
        display.run(record)
    assert [line.partition(":")[0] for line in display.permanent] == [
        "[1/4] a none seed 42",
        "[2/4] b none seed 42",
        "[3/4] a emb seed 42",
        "[4/4] b emb seed 42",
    ]
    of_b = SeedsFinished(num_ended=1, num_seeds=3, records={"none": (others[1],), "emb": (others[3],)})
    display.progress.on_event(of_b)
    assert display.permanent[4] == "b: provisional, after seed 1 of 3 (drop in points):"


def test_the_end_of_a_run_has_the_time_that_all_others_will_take() -> None:
    """By the latest run of each configuration, whatever the order; the last run has none left."""
    display = _Display(NONE, EMB, OTHER, live=False)
    display.run(NONE, step_s=5.0)
    display.run(EMB, step_s=1.0)
    display.run(OTHER, step_s=5.0)
    assert display.permanent == [
        "[1/3] none seed 42: test accuracy 89.5 %, trained in 10.0 s; 3 min left",
        "[2/3] emb seed 42: test accuracy 89.8 %, trained in 5 s; 2 min left",
        "[3/3] none seed 43: test accuracy 89.2 %, trained in 10.0 s",
    ]


def test_the_number_of_runs_follows_the_plan() -> None:
    """Later looks add runs; a configuration that broke needs no more."""
    display = _Display(NONE, EMB, OTHER, live=False)
    display.run(NONE)
    display.progress.on_event(RunsPlanned(left=(EMB.spec, OTHER.spec, made_up.record("none", 44).spec)))
    display.run(EMB)
    display.progress.on_event(RunsPlanned(left=()))
    display.finish(EMB)
    assert [line.partition(":")[0] for line in display.permanent] == [
        "[1/3] none seed 42",
        "[2/4] emb seed 42",
        "[2/2] emb seed 42",
    ]


SEEDS = SeedsFinished(num_ended=1, num_seeds=3, records={"none": (NONE,), "emb": (EMB,)})


def test_a_table_follows_every_seed() -> None:
    """It is part of the log; the lines are those of ``report.provisional``."""
    display = _Display(NONE, EMB, live=False)
    display.progress.on_event(SEEDS)
    assert display.permanent[0] == "provisional, after seed 1 of 3 (drop in points, no verdicts yet):"
    assert len(display.permanent) == 5


def test_quiet_shows_which_run_goes_on() -> None:
    """A terminal shows one line, which is cleared at the end of a run; a log has a line per run, and no table."""
    display = _Display(NONE, EMB, quiet=True)
    display.run(NONE)
    display.progress.on_event(SEEDS)
    display.progress.on_event(RunReused(record=EMB))
    display.progress.on_event(RunWaiting(spec=EMB.spec, reason="another session trains it"))
    assert not display.permanent
    assert display.transient[0] == "[1/2] none seed 42  preparing"
    assert display.transient[-3:] == ["", "", "waiting: another session trains it"]
    log = _Display(NONE, EMB, live=False, quiet=True)
    log.run(NONE)
    log.progress.on_event(SEEDS)
    assert not log.transient
    assert log.permanent == ["[1/2] none seed 42: test accuracy 89.5 %, trained in 10.0 s; 12 s left"]


def test_trials_of_learning_rates_are_told_apart_by_their_rate() -> None:
    """The runs that follow them are named without it, and counted once, though planned at another rate."""

    def at(rate: float, seed: int) -> RunRecord:
        run = made_up.record("none", seed)
        return replace(run, spec=replace(run.spec, protocol=replace(run.spec.protocol, learning_rate=rate)))

    planned = [at(1e-4, 41), at(1e-3, 41), at(1e-4, 42), at(1e-4, 43)]
    display = _Display(*planned, live=False)
    for record in (*planned[:2], at(1e-3, 42), at(1e-3, 43)):
        display.start(record)
        display.finish(record)
    labels = [line.partition(":")[0] for line in display.permanent]
    assert labels == [
        "[1/4] none seed 41 rate 0.0001",
        "[2/4] none seed 41 rate 0.001",
        "[3/4] none seed 42",
        "[4/4] none seed 43",
    ]
    assert ["validation loss " in line for line in display.permanent] == [True, True, False, False]
    assert ["test accuracy " in line for line in display.permanent] == [False, False, True, True]


def test_a_run_that_has_ended_shows_the_metric_of_its_task() -> None:
    """Regression has no accuracy."""
    run = made_up_tasks.run("regression")
    display = _Display(run)
    display.start(run)
    display.finish(run)
    assert "test Pearson correlation 91." in display.permanent[-1]
    assert "accuracy" not in display.permanent[-1]
