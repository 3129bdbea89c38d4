"""One session at a time on a device: sessions take turns, slots of one session share a turn, and nothing blocks."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from freezebench.executors import device_lock as module
from freezebench.executors.device_lock import device_lock
from freezebench.executors.turns import FOLDER_VARIABLE, Ticket

# A session that trains runs of some duration, and appends to a file that it asks for the device, has it and leaves it.
_SESSION = """
import os, sys, threading, time
from freezebench.executors.device_lock import device_lock
name, log, runs, seconds = sys.argv[1], os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND), *map(float, sys.argv[3:])
write = lambda word: os.write(log, f"{name} {word}\\n".encode())
for _ in range(int(runs)):
    with device_lock("cpu", lambda: write("waits"), threading.Event()):
        write("begins")
        time.sleep(seconds)
        write("ends")
"""


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the tests share no lock with other sessions of this machine; they leave none behind."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "locks"))
    yield
    assert not any(module._turns.values())
    assert not (tmp_path / "locks").exists() or list((tmp_path / "locks").iterdir()) == []


@pytest.fixture
def other() -> Iterator[Ticket]:
    """Return the ticket of another session, which has device ``cuda:0``."""
    ticket = Ticket("cuda:0")
    yield ticket
    if ticket.number:
        ticket.give_back()


def _give_back(ticket: Ticket) -> None:
    ticket.give_back()
    ticket.number = 0


def test_a_block_waits_for_its_device(other: Ticket) -> None:
    """The waiting is told once, and the block has the device as soon as it is free."""
    waits: list[bool] = []

    def on_wait() -> None:
        waits.append(True)
        _give_back(other)

    with device_lock("cuda:0", on_wait, threading.Event()):
        assert waits == [True]


@pytest.mark.usefixtures("other")
def test_waiting_can_be_cancelled() -> None:
    """The block ends without having trained, and leaves the queue."""
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(CancelledError), device_lock("cuda:0", lambda: None, cancelled):
        pytest.fail("it has the device")


@pytest.mark.parametrize("fails", ["taken", "looked at"])
def test_a_block_trains_where_no_lock_can_be_made(monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    """A run that others may disturb is better than none."""

    def fail(*_: object, **__: object) -> bool:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Ticket, "__init__" if fails == "taken" else "is_first", fail)
    with device_lock("cuda:0", lambda: pytest.fail("it waits"), threading.Event()):
        pass


def test_a_failure_of_training_is_no_failure_of_the_lock() -> None:
    """An OSError in the block is raised, and the device is free again."""
    for _ in range(2):
        with pytest.raises(OSError, match="disk"), device_lock("cpu", pytest.fail, threading.Event()):
            raise OSError(28, "disk full")


class _Slot:
    """A thread that holds a device from ``start`` until ``end``."""

    def __init__(self, device: str) -> None:
        self.waits, self.holds, self._may_end = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(device,))
        self._thread.start()

    def _run(self, device: str) -> None:
        with device_lock(device, self.waits.set, threading.Event()):
            self.holds.set()
            self._may_end.wait(10)

    def end(self) -> None:
        """Leave the device."""
        self._may_end.set()
        self._thread.join()


def test_slots_of_a_session_hold_a_device_together() -> None:
    """The second joins at once; another session has its turn once both have left."""
    slots = [_Slot("cpu"), _Slot("cpu")]
    assert all(slot.holds.wait(5) for slot in slots)
    other = Ticket("cpu")
    slots[0].end()
    assert not other.is_first()
    slots[1].end()
    assert other.is_first()
    other.give_back()


def test_no_slot_joins_while_another_session_waits() -> None:
    """It waits for the next turn of its session, which further slots join, too."""
    first = _Slot("cpu")
    assert first.holds.wait(5)
    other = Ticket("cpu")
    later = [_Slot("cpu"), _Slot("cpu")]
    assert all(slot.waits.wait(5) for slot in later)
    first.end()
    assert other.is_first()
    assert not any(slot.holds.wait(0.3) for slot in later)
    other.give_back()
    assert all(slot.holds.wait(5) for slot in later)
    for slot in later:
        slot.end()


def test_a_slot_goes_on_once_the_other_session_has_given_up() -> None:
    """It need not wait for the slots of its own session that still train."""
    first = _Slot("cpu")
    assert first.holds.wait(5)
    other = Ticket("cpu")
    second = _Slot("cpu")
    assert second.waits.wait(5)
    other.give_back()
    assert second.holds.wait(5)
    for slot in (second, first):
        slot.end()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The file to which sessions append what they do."""
    (tmp_path / "log").touch()
    return tmp_path / "log"


def _begin(name: str, log: Path, runs: int, seconds: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _SESSION, name, str(log), str(runs), str(seconds)])


def _lines(log: Path) -> list[tuple[str, str]]:
    words = (line.split() for line in log.read_text(encoding="utf-8").splitlines())
    return [(name, word) for name, word in words]


def _await(log: Path, *lines: tuple[str, str]) -> None:
    """Wait until these lines are in the log."""
    pause = threading.Event()
    for _ in range(1000):
        if set(lines) <= set(_lines(log)):
            return
        pause.wait(0.01)
    pytest.fail(f"{lines} do not come: {_lines(log)}")


@pytest.mark.slow
def test_a_long_session_waits_for_one_run_of_each_other(log: Path) -> None:
    """Of several processes that want the device again at once, nobody overtakes one that waits; no runs overlap."""
    sessions = [_begin("long", log, 5, 0.2), *(_begin(f"short{index}", log, 15, 0.03) for index in range(3))]
    assert [session.wait(60) for session in sessions] == [0] * 4
    lines = _lines(log)
    holds = [line for line in lines if line[1] != "waits"]
    assert holds[::2] == [(name, "begins") for name, _ in holds[1::2]]
    waiting: dict[str, list[str]] = {}
    num_waits = 0
    for name, word in lines:
        if word == "waits":
            waiting[name] = []
            num_waits += 1
        elif word == "begins":
            overtaking = waiting.pop(name, [])
            assert len(overtaking) == len(set(overtaking)), f"{name} waited while {overtaking} trained"
            for others in waiting.values():
                others.append(name)
    assert num_waits > 20


def test_killed_sessions_hold_nobody_up(log: Path) -> None:
    """Neither one that trains nor one that waits: the next in the queue has its turn, and no file is left."""
    training = _begin("training", log, 1, 60)
    _await(log, ("training", "begins"))
    waiting = _begin("waiting", log, 1, 60)
    _await(log, ("waiting", "waits"))
    last = _begin("last", log, 1, 0)
    _await(log, ("last", "waits"))
    for session in (waiting, training):
        session.kill()
        assert session.wait() < 0
    assert last.wait(10) == 0
    assert _lines(log)[-2:] == [("last", "begins"), ("last", "ends")]


def test_a_stopped_session_keeps_its_turn(log: Path) -> None:
    """It may go on at any time, so that nobody else trains beside it."""
    training = _begin("training", log, 1, 60)
    _await(log, ("training", "begins"))
    training.send_signal(19)
    other = Ticket("cpu")
    assert not other.is_first()
    training.kill()
    training.wait()
    assert other.is_first()
    other.give_back()
