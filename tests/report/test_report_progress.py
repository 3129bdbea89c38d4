"""Progress by a virtual clock: what a terminal sees while runs train, and what a log sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import made_up
from freezebench.records.events import StepRecord, TrainingPaused, TrainingStarted
from freezebench.records.run_record import RunRecord
from freezebench.report.progress import Progress


class _Watch:
    """A progress display, its clock, and what it wrote: lines that may be replaced, and lines that stay."""

    def __init__(self, *planned: RunRecord, live: bool = True) -> None:
        self.now_s = 0.0
        self.passing: list[str] = []
        self.short = ""
        self.lasting: list[str] = []
        self.progress = Progress(
            self._write, live=live, planned=[record.spec for record in planned], clock=lambda: self.now_s
        )

    def _write(self, forms: Sequence[str], is_transient: bool) -> None:
        (self.passing if is_transient else self.lasting).append(forms[0])
        self.short = forms[-1]

    def load(self, record: RunRecord, *, seconds: float = 2.0) -> None:
        """Begin a run and load its model."""
        self.progress.begin(record.spec)
        self.now_s += seconds
        self.progress.emit(TrainingStarted(epoch=1))

    def train(self, *, until: int, first: int = 1, step_s: float = 0.5, loss: float | None = 0.25) -> None:
        """Take steps of a run of twenty."""
        for step in range(first, until + 1):
            self.now_s += step_s
            self.progress.emit(StepRecord(step=step, epoch=1, num_steps=20, loss=loss))

    def whole(self, record: RunRecord, *, step_s: float = 0.5) -> None:
        """Do a whole run."""
        self.load(record)
        self.train(until=20, step_s=step_s)
        self.progress.end(record)


NONE, OTHER, EMB = made_up.record("none"), made_up.record("none", 43), made_up.record("emb")


def test_a_step_tells_all_that_matters() -> None:
    """Epoch, step, loss, throughput, what is left of the run, and of the grid as if all its runs were like this one."""
    watch = _Watch(NONE, OTHER, EMB)
    watch.load(NONE)
    assert watch.passing == ["[1/3] none seed 42  preparing"]
    watch.train(until=4)
    # 4 steps of 32 sentences in 2 s, 8 s for the other 16; loading counts for the runs to come: 2 × 12 s.
    assert watch.passing[-1] == (
        "[1/3] none seed 42  epoch 1/2  step 4/20  loss 0.250  64 sentences/s  8 s left, grid 32 s"
    )
    assert watch.short == "[1/3] none seed 42  1/2  4/20  loss 0.250  64/s  8 s, grid 32 s"


def test_what_is_left_is_learnt_from_runs_that_ended() -> None:
    """A configuration takes what it took before; one that has not run takes what the latest run took."""
    watch = _Watch(NONE, OTHER, EMB)
    watch.whole(NONE, step_s=5.0)
    watch.load(OTHER)
    watch.train(until=10, step_s=0.1)
    # The first seed took 102 s, this one has 99 s to go by that; emb is not known, none's latest is.
    assert watch.passing[-1].endswith("  2 min left, grid 3 min")
    watch.train(first=11, until=20, step_s=0.1)
    watch.progress.end(OTHER)
    watch.load(EMB)
    watch.train(until=10, step_s=0.1)
    assert watch.passing[-1].endswith("320 sentences/s  1 s left, grid 1 s")


def test_evaluation_is_not_training() -> None:
    """It is said while it lasts, and counts for no throughput."""
    watch = _Watch(NONE)
    watch.load(NONE)
    watch.train(until=10)
    watch.progress.emit(TrainingPaused(epoch=1))
    assert watch.passing[-1] == "[1/1] none seed 42  epoch 1  evaluating"
    watch.now_s += 60
    watch.progress.emit(TrainingStarted(epoch=2))
    watch.train(first=11, until=12)
    assert "64 sentences/s  4 s left, grid 4 s" in watch.passing[-1]


def test_lines_are_not_written_faster_than_they_are_read() -> None:
    """Five times a second, however fast the steps."""
    watch = _Watch(NONE)
    watch.load(NONE)
    watch.train(until=20, step_s=0.0625)
    assert sum("step" in line for line in watch.passing) == 5


def test_a_gpu_tells_no_loss() -> None:
    """Reading it would make the device wait."""
    watch = _Watch(NONE)
    watch.load(NONE)
    watch.train(until=2, loss=None)
    assert "loss" not in watch.passing[-1]


def test_a_log_has_one_line_per_finished_run() -> None:
    """Nothing passes by; a broken run says why, and one more than planned is counted."""
    watch = _Watch(NONE, live=False)
    watch.whole(NONE)
    watch.progress.begin(EMB.spec)
    watch.progress.end(replace(made_up.broken("emb"), spec=EMB.spec))
    assert not watch.passing
    assert watch.lasting == [
        "[1/1] none seed 42: test accuracy 89.5 %, trained in 10.0 s",
        "[2/2] emb seed 42: invalid: non-finite loss: at step 3",
    ]
