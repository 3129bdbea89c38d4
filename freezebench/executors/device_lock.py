"""One session at a time trains on a device, across all sessions of this machine."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from freezebench.executors.turns import Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_POLL_EVERY_S = 0.1


class _Turn:
    """A ticket for a device, and how many threads of this process use it or wait for it."""

    def __init__(self, device: str) -> None:
        self.ticket = Ticket(device)
        self.num_users = 0


# The turns of this process by device, the latest last: slots that train on one processor share a turn.
_turns: dict[str, list[_Turn]] = {}
_lock = threading.Lock()


@contextmanager
def device_lock(device: str, on_wait: Callable[[], None], cancelled: threading.Event) -> Iterator[None]:
    """Hold a device, once no other session of this machine does; whoever came first has it first.

    Threads of this process hold it together. While another session waits, no further thread joins: it waits for its
    session's next turn, so that a session with several slots lets others have theirs. Where no lock can be made, a run
    that may be disturbed is better than none.

    Args:
        device: What distinguishes the device from all others of this machine: ``Machine.device_id``.
        on_wait: Called once if the device is not free.
        cancelled: Ends the waiting once it is set.

    Raises:
        CancelledError: If ``cancelled`` was set before it had the device.
    """
    turn = None
    with suppress(OSError):
        turn = _joined(device)
    try:
        if turn is not None:
            _wait(device, turn, on_wait, cancelled)
        yield
    finally:
        if turn is not None:
            _leave(device, turn)


def _joined(device: str) -> _Turn:
    """Return the turn that a thread may join: the latest one of this process, or a new one if others wait behind it.

    Raises:
        OSError: If no lock can be made.
    """
    with _lock:
        turns = _turns.setdefault(device, [])
        if not turns or turns[-1].ticket.is_followed():
            turns.append(_Turn(device))
        turns[-1].num_users += 1
        return turns[-1]


def _wait(device: str, turn: _Turn, on_wait: Callable[[], None], cancelled: threading.Event) -> None:
    """Wait until the turn has come."""
    has_waited = False
    while not _has_come(device, turn):
        if not has_waited:
            on_wait()
            has_waited = True
        if cancelled.wait(_POLL_EVERY_S):
            raise CancelledError


def _has_come(device: str, turn: _Turn) -> bool:
    with _lock:
        ours = [other.ticket.number for other in _turns[device]]
    try:
        return turn.ticket.is_first(besides=ours)
    except OSError:
        return True


def _leave(device: str, turn: _Turn) -> None:
    with _lock:
        turn.num_users -= 1
        if turn.num_users == 0:
            _turns[device].remove(turn)
            turn.ticket.give_back()
