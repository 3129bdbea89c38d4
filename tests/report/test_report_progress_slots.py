"""Progress of several slots that train at the same time, on a virtual clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

import made_up
from freezebench.records.events import (
    ProgressEvent,
    ResultAwaited,
    RunDropped,
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
from freezebench.specs.slots import Slot

NONE, OTHER, EMB = made_up.record("none"), made_up.record("none", 43), made_up.record("emb")
_CPUS = tuple(Slot(name=name, shares_processor=True) for name in ("cuda:0", "cuda:1"))
_GPUS = tuple(Slot(name=slot.name) for slot in _CPUS)


class _Display:
    """A display of two slots, and what it wrote.

    Attributes:
        now_s: The time of the clock.
        shown: The lines that are shown now, in their long forms.
        num_shown: How often lines were shown.
        permanent: The lines that stay.
        progress: The display.
    """

    def __init__(self, *planned: RunRecord, live: bool = True, slots: Sequence[Slot] = _CPUS) -> None:
        self.now_s, self.num_shown = 0.0, 0
        self.shown: list[str] = []
        self.permanent: list[str] = []
        specs = [record.spec for record in planned]
        self.progress = Progress(
            self._write, live=live, planned=specs, slots=slots, show=self._show, clock=lambda: self.now_s
        )

    def _write(self, forms: Sequence[str], is_transient: bool) -> None:
        assert not is_transient
        self.permanent.append(forms[0])

    def _show(self, lines: Sequence[Sequence[str]]) -> None:
        self.shown = [forms[0] for forms in lines]
        self.num_shown += 1

    def start(self, record: RunRecord, slot: str) -> None:
        """Start a run on a slot."""
        self.progress.on_event(RunStarted(spec=record.spec, slot=slot))

    def emit(self, record: RunRecord, slot: str, event: ProgressEvent) -> None:
        """Emit an event of training."""
        self.progress.on_event(RunProgressed(spec=record.spec, event=event, slot=slot))

    def step(self, record: RunRecord, slot: str, number: int, *, after_s: float = 1.0) -> None:
        """Take a step of a run of twenty."""
        self.now_s += after_s
        self.emit(record, slot, StepRecord(step=number, epoch=1, num_steps=20, loss=0.25))

    def finish(self, record: RunRecord, slot: str) -> None:
        """Finish a run."""
        self.progress.on_event(RunFinished(record=record, slot=slot))


def test_a_line_per_slot_in_the_order_of_the_slots() -> None:
    """Each has the name of its slot, and the number and the state of its run."""
    display = _Display(NONE, EMB, OTHER)
    display.start(NONE, "cuda:1")
    display.start(EMB, "cuda:0")
    assert display.shown == ["cuda:0 [2/3] emb seed 42  preparing", "cuda:1 [1/3] none seed 42  preparing"]
    display.emit(NONE, "cuda:1", TrainingStarted(epoch=1))
    display.step(NONE, "cuda:1", 1)
    display.emit(EMB, "cuda:0", TrainingStarted(epoch=1))
    display.step(NONE, "cuda:1", 2)
    display.step(EMB, "cuda:0", 1, after_s=0.0)
    display.emit(NONE, "cuda:1", TrainingPaused(epoch=1))
    assert display.shown[0].startswith("cuda:0 [2/3] emb seed 42  epoch 1/2  step 1/20  loss 0.250  32 sentences/s")
    assert display.shown[1] == "cuda:1 [1/3] none seed 42  epoch 1  evaluating"


def test_runs_end_in_any_order() -> None:
    """A line that stays has the number that the run had from its start; its slot has no line until it trains again."""
    display = _Display(NONE, EMB, OTHER)
    display.start(NONE, "cuda:0")
    display.start(EMB, "cuda:1")
    display.finish(EMB, "cuda:1")
    assert display.permanent == [
        "cuda:1 [2/3] emb seed 42: test accuracy 89.8 %, trained in 5 s",
    ]
    assert display.shown == ["cuda:0 [1/3] none seed 42  preparing"]
    display.start(OTHER, "cuda:1")
    display.finish(NONE, "cuda:0")
    assert display.permanent[-1].startswith("cuda:0 [1/3] none seed 42: ")
    assert display.shown == ["cuda:1 [3/3] none seed 43  preparing"]


def test_the_time_of_the_grid_counts_the_slots() -> None:
    """Four runs of 21 s that wait take 42 s on two slots, after what is left of the two that train."""
    waiting = [made_up.record("none", seed) for seed in (44, 45, 46, 47)]
    display = _Display(NONE, OTHER, *waiting)
    display.start(NONE, "cuda:0")
    display.start(OTHER, "cuda:1")
    display.now_s += 1
    display.emit(NONE, "cuda:0", TrainingStarted(epoch=1))
    display.emit(OTHER, "cuda:1", TrainingStarted(epoch=1))
    for number in range(1, 11):
        display.step(OTHER, "cuda:1", number)
        display.step(NONE, "cuda:0", number, after_s=0.0)
    assert all(line.endswith("  10 s left, grid 52 s") for line in display.shown), display.shown


def test_the_configurations_of_a_seed_wait_for_one_gpu() -> None:
    """Where each slot has a device of its own, they train on one of them, and the time of the grid says so."""
    for slots, text in ((_GPUS, "40 s left"), (_CPUS, "20 s left")):
        display = _Display(NONE, EMB, made_up.record("emb+L0"), OTHER, live=False, slots=slots)
        display.start(NONE, "cuda:0")
        display.start(OTHER, "cuda:1")
        display.now_s += 20
        display.finish(NONE, "cuda:0")
        # Two runs of 20 s are left, both of seed 42; that of seed 43 is about to end.
        assert display.permanent[-1].endswith(text), display.permanent


def test_a_run_that_was_interrupted_is_shown_no_longer() -> None:
    """Nor one whose slot was lost: there is no end of it."""
    display = _Display(NONE, EMB)
    display.start(NONE, "cuda:0")
    display.start(EMB, "cuda:1")
    display.progress.on_event(RunDropped(slot="cuda:0"))
    display.progress.on_event(ResultAwaited(is_awaited=True))
    assert display.shown == ["cuda:1 [2/2] emb seed 42  preparing"]


@pytest.mark.parametrize("plan_first", [True, False])
def test_a_run_that_the_plan_leaves_out_is_counted_once(*, plan_first: bool) -> None:
    """Both runs are submitted before the first one reports its start: the second plan is without the first run."""
    display = _Display(NONE, EMB, OTHER)
    display.progress.on_event(RunsPlanned(left=(NONE.spec, EMB.spec, OTHER.spec)))
    if plan_first:
        display.progress.on_event(RunsPlanned(left=(EMB.spec, OTHER.spec)))
    display.start(NONE, "cuda:0")
    display.start(EMB, "cuda:1")
    assert [line.split(" ")[1] for line in display.shown] == ["[1/3]", "[2/3]"]


def test_a_busy_slot_hides_no_other() -> None:
    """All lines are current whenever they are shown, however rarely a slot takes a step."""
    display = _Display(NONE, EMB)
    for record, slot in ((NONE, "cuda:0"), (EMB, "cuda:1")):
        display.start(record, slot)
        display.emit(record, slot, TrainingStarted(epoch=1))
    for number in range(1, 16):
        display.step(NONE, "cuda:0", number, after_s=0.125)
        if number == 14:
            display.emit(EMB, "cuda:1", StepRecord(step=1, epoch=1, num_steps=20, loss=0.5))
            num_shown = display.num_shown
    display.step(NONE, "cuda:0", 16, after_s=0.125)
    assert display.num_shown == num_shown + 1, "five times a second, together"
    assert "step 16/20" in display.shown[0]
    assert "step 1/20" in display.shown[1]


def test_lines_are_shown_only_while_a_test_waits() -> None:
    """In between pytest writes, and events that arrive show nothing."""
    display = _Display(NONE, EMB)
    display.progress.on_event(ResultAwaited(is_awaited=True))
    display.start(NONE, "cuda:0")
    display.progress.on_event(ResultAwaited(is_awaited=False))
    assert display.shown == []
    display.start(EMB, "cuda:1")
    assert display.shown == []
    display.progress.on_event(ResultAwaited(is_awaited=True))
    assert [line.split(" ")[0] for line in display.shown] == ["cuda:0", "cuda:1"]


def test_a_log_has_one_line_per_finished_run() -> None:
    """With its slot; what was not measured has no time, and what broke has its reason."""
    display = _Display(NONE, EMB, OTHER, live=False)
    display.start(NONE, "cuda:0")
    display.start(EMB, "cuda:1")
    display.finish(NONE.without_times("other runs trained beside it"), "cuda:0")
    display.finish(replace(made_up.broken("emb"), spec=EMB.spec), "cuda:1")
    display.progress.on_event(RunReused(record=OTHER))
    display.progress.on_event(RunWaiting(spec=OTHER.spec, reason="another session trains on it", slot="cuda:1"))
    display.progress.on_event(RunWaiting(spec=OTHER.spec, reason="another session trains it"))
    assert display.num_shown == 0
    assert display.permanent == [
        "cuda:0 [1/3] none seed 42: test accuracy 89.5 %",
        "cuda:1 [2/3] emb seed 42: invalid: non-finite loss: at step 3",
        "[3/3] none seed 43: reused from an earlier session, test accuracy 89.2 %",
        "cuda:1 waiting: another session trains on it",
        "waiting: another session trains it",
    ]


def test_the_lines_come_back_after_what_stays() -> None:
    """A table takes many lines; the runs that train are shown below it."""
    display = _Display(NONE, EMB)
    display.start(NONE, "cuda:0")
    before = display.num_shown
    display.progress.on_event(SeedsFinished(num_ended=1, num_seeds=3, records={"none": (NONE,), "emb": (EMB,)}))
    assert display.permanent[0].startswith("provisional, after seed 1 of 3")
    assert (display.num_shown, display.shown) == (before + 1, ["cuda:0 [1/2] none seed 42  preparing"])
