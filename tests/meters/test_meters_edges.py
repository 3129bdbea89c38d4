"""Who else is on the device, and edges that a hanging call cuts short."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from freezebench.meters.deadline import DeadlineWorker
from freezebench.meters.edges import Edge, EdgeDraft, judge_sharing
from freezebench.meters.nvml import Failure

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = Failure(call="none", message="none")


def edge(pids: tuple[int, ...] | Failure) -> Edge:
    """Return an edge with a list of processes only."""
    return Edge(time_s=0.0, energy_mj=NOTHING, memory=NOTHING, temperature_c=NOTHING, reasons=NOTHING, process_ids=pids)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Processes: 10 (a shell) > 20 (this one) > 30 > 31, and 40 as another child of the same shell."""
    for pid, parent in {10: 1, 20: 10, 30: 20, 31: 30, 40: 10}.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "status").write_text(f"Name:\tx\nPid:\t{pid}\nPPid:\t{parent}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("start", "end", "uses_cuda", "status"),
    [
        ((20,), (20,), True, "alone"),
        ((), (20,), True, "alone"),
        ((20, 31), (20,), True, "alone"),
        ((10, 20), (20,), True, "alone"),
        ((20,), (20, 40), True, "shared"),
        ((20, 99), (20,), True, "shared"),
        ((30,), (40,), True, "shared"),
        ((99,), (99,), True, "unknown"),
        ((99,), (99,), False, "unknown"),
        ((), (), True, "unknown"),
        ((), (), False, "alone"),
        (Failure(call="x", message="denied"), (20,), True, "unknown"),
    ],
)
def test_sharing(
    proc: Path, start: tuple[int, ...] | Failure, end: tuple[int, ...] | Failure, uses_cuda: bool, status: str
) -> None:
    """This process, its ancestors and descendants are one family; if none is listed, sharing is unknown."""
    (sharing,) = judge_sharing([(edge(start), edge(end))], own_pid=20, uses_cuda=uses_cuda, proc=proc)
    assert sharing.status == status
    assert (sharing.detail == "") == (status == "alone")


@pytest.mark.parametrize(("other", "status"), [((), "alone"), ((99,), "shared"), ((30,), "alone")])
def test_sharing_of_a_device_that_we_do_not_use(proc: Path, other: tuple[int, ...], status: str) -> None:
    """If one list has this process under its own id, the other devices' lists use the same ids."""
    ours, others = (edge((20,)), edge((20,))), (edge(other), edge(other))
    judged = judge_sharing([ours, others], own_pid=20, uses_cuda=True, proc=proc)
    assert [sharing.status for sharing in judged] == ["alone", status]


def test_a_draft_keeps_what_came_before_the_hang() -> None:
    """Figures that were read before the deadline are used; the others have the reason."""
    draft = EdgeDraft()
    draft._figures["energy_mj"] = 123
    draft._time_s = 5.0
    finished = draft.finish(9.0, "did not return")
    assert finished.energy_mj == 123
    assert finished.time_s == 5.0
    assert isinstance(finished.memory, Failure)
    assert finished.memory.message == "did not return"


def test_a_deadline_is_kept_once() -> None:
    """A call that hangs delays its caller once; later calls fail at once until it returns."""
    worker = DeadlineWorker("test")
    done: list[str] = []
    comes_back = threading.Event()

    def hang() -> None:
        comes_back.wait()

    assert worker.run(lambda: done.append("first"), 30.0)
    assert not worker.run(hang, 0.05)
    begin_s = time.monotonic()
    assert not worker.run(lambda: done.append("never"), 60.0)
    assert time.monotonic() - begin_s < 30
    comes_back.set()
    while worker.is_stuck:
        time.sleep(0.01)
    assert worker.run(lambda: done.append("second"), 30.0)
    assert done == ["first", "second"]
    worker.close()
