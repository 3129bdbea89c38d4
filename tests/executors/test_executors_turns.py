"""Tickets for a device: the first who asks has the first turn, and nothing in the shared folder does harm."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.executors import turns
from freezebench.executors.turns import FOLDER_VARIABLE, Ticket


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of tickets."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "locks"))
    return tmp_path / "locks"


def _kill(ticket: Ticket) -> None:
    """Do what the kernel does when the process of a ticket ends: the file stays, its lock does not."""
    os.close(ticket._handle)


@given(st.lists(st.tuples(st.sampled_from(["take", "give back", "kill"]), st.integers(0, 5)), max_size=40))
def test_the_longest_waiting_has_the_turn(steps: list[tuple[str, int]]) -> None:
    """Whatever comes, leaves and dies in whatever order: it is first, no other is, and void tickets do not stay."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, folder)
        queue: list[Ticket] = []
        for step, position in steps:
            if step == "take":
                queue.append(Ticket("a GPU"))
            elif position < len(queue):
                ticket = queue.pop(position)
                _kill(ticket) if step == "kill" else ticket.give_back()
            assert [ticket.is_first() for ticket in queue] == [number == 0 for number in range(len(queue))]
            assert [ticket.is_followed() for ticket in queue] == [number > 0 for number in range(len(queue))][::-1]
        for ticket in queue:
            ticket.give_back()
        last = Ticket("a GPU")
        assert last.is_first()
        last.give_back()
        assert list(Path(folder).iterdir()) == []


def test_devices_have_queues_of_their_own(folder: Path) -> None:
    """The name of one may be the beginning of another's."""
    tickets = [Ticket("GPU-1"), Ticket("GPU-1-2"), Ticket("GPU-12"), Ticket("cpu")]
    assert all(ticket.is_first() and not ticket.is_followed() for ticket in tickets)
    for ticket in tickets:
        ticket.give_back()
    assert list(folder.iterdir()) == []


def test_numbers_that_do_not_count(folder: Path) -> None:
    """Two tickets of one process may have their turn together; one of another process between them still counts."""
    assert not folder.exists()
    first, other, second = (Ticket("cpu") for _ in range(3))
    ours = [first.number, second.number]
    assert first.is_first(besides=ours)
    assert not second.is_first(besides=ours)
    other.give_back()
    assert second.is_first(besides=ours)
    for ticket in (first, second):
        ticket.give_back()


def test_all_sessions_of_a_machine_have_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever TMPDIR says; where the fixed one cannot be used, it is among temporary files."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert turns._shared_folder() == turns._FOLDER
    assert stat.S_IMODE(turns._FOLDER.stat().st_mode) == 0o1777
    monkeypatch.setattr(turns, "_FOLDER", tmp_path / "missing" / "folder")
    assert turns._shared_folder() == tmp_path / "folder"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(OSError, match="no folder"):
        turns._shared_folder()


@pytest.mark.parametrize("mask", [0o022, 0o077], ids=oct)
def test_any_user_can_share_the_folder(folder: Path, mask: int) -> None:
    """Whatever the umask: others add tickets, remove their own, and open ours to see whether they are locked."""
    before = os.umask(mask)
    try:
        ticket = Ticket("cpu")
    finally:
        os.umask(before)
    (path,) = folder.iterdir()
    assert [stat.S_IMODE(place.stat().st_mode) for place in (folder, path)] == [0o1777, 0o644]
    ticket.give_back()


@contextmanager
def _as_user(number: int) -> Iterator[None]:
    """Act as another user, whose files nobody else can change."""
    before = os.umask(0o077)
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can act as other users")
def test_users_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticket that another user's process left behind counts no more, although it cannot be removed."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o777)
        monkeypatch.setenv(FOLDER_VARIABLE, f"{parent}/locks")
        with _as_user(65534):
            first = Ticket("cpu")
        with _as_user(1000):
            second = Ticket("cpu")
            assert not second.is_first()
            _kill(first)
            assert second.is_first()
        assert sorted(path.name for path in Path(parent, "locks").iterdir()) == ["cpu.1", "cpu.2"]
        with _as_user(65534):
            third = Ticket("cpu")
            assert not third.is_first()
            assert second.is_followed()
        second.give_back()
        assert third.is_first()
        third.give_back()
        assert list(Path(parent, "locks").iterdir()) == []


def test_a_link_in_place_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    """It could lead to any folder of this user. The usual folder is used then."""
    (tmp_path / "private").mkdir()
    folder.symlink_to(tmp_path / "private")
    ticket = Ticket("test-of-a-link")
    assert list((tmp_path / "private").iterdir()) == []
    ticket.give_back()


def test_hostile_files_are_no_tickets(folder: Path, tmp_path: Path) -> None:
    """Pipes, links, folders, other names and files without permission neither block nor are read."""
    Ticket("cpu").give_back()
    os.mkfifo(folder / "cpu.1")
    (folder / "cpu.2").symlink_to(tmp_path / "elsewhere")
    (folder / "cpu.3").mkdir()
    (folder / "cpu.4").write_bytes(b"\xff" * 1000)
    (folder / "cpu.5").symlink_to("cpu.5")
    for name in ("cpu.007", "cpu.-1", "cpu.٣", "cpu.", "cpu.x", "cpu.1e9"):
        (folder / name).write_text("x")
    ticket = Ticket("cpu")
    assert ticket.number == 6
    assert ticket.is_first()
    assert not ticket.is_followed()
    assert not (tmp_path / "elsewhere").exists()
    assert (folder / "cpu.007").read_text() == "x"
    ticket.give_back()
    (folder / f"cpu.{'9' * 251}").write_text("")
    with pytest.raises(OSError, match="too long"):
        Ticket("cpu")


def test_a_folder_that_stays_locked_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped, or another user, holds it: a run that may be disturbed is better than none."""
    monkeypatch.setattr(turns, "_LOCKED_FOR_S", 0.05)
    ticket = Ticket("cpu")
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(BlockingIOError):
        Ticket("cpu")
    with pytest.raises(BlockingIOError):
        ticket.is_first()
    os.close(handle)
    assert ticket.is_first()
    ticket.give_back()


def test_a_folder_whose_files_anyone_can_exchange_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of another user needs the sticky bit."""
    folder.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(turns, "_ROOT", -1)
    for mode, expected in ((0o1777, folder), (0o777, turns._FOLDER)):
        folder.chmod(mode)
        assert turns._shared_folder() == expected
