"""Ctrl-C: the first one ends what trains and lets pytest show its summary, a second one ends pytest at once."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from freezebench.session import FreezeSession


class Interruption:
    """Hooks of a session that Ctrl-C ends.

    Python would raise a second ``KeyboardInterrupt`` wherever pytest is then. Pytest goes on to its summary if that is
    not in it already, and the summary takes seconds. The process ends instead, as from a signal without a handler: by
    then nothing trains any more, and claims and temporary files are gone.
    """

    def __init__(self, find_session: Callable[[], FreezeSession | None]) -> None:
        self._find_session = find_session
        self._is_repeated = False
        self._is_replaced = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """End what trains, and let the next Ctrl-C end the process."""
        session = self._find_session()
        # Only this thread may set a handler, and a program that has one of its own decides by itself.
        is_main = threading.current_thread() is threading.main_thread()
        may_replace = is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if session is None or not may_replace or not isinstance(excinfo.value, KeyboardInterrupt):
            return
        self._is_replaced = True
        signal.signal(signal.SIGINT, self._wait)
        session.close()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if self._is_repeated:
            signal.raise_signal(signal.SIGINT)

    def pytest_unconfigure(self) -> None:
        """Give the handler back to a program that goes on after pytest."""
        if self._is_replaced:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _wait(self, _: int, __: FrameType | None) -> None:
        self._is_repeated = True
