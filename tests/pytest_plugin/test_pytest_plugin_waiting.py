"""A session that waits for the device says so, however little it shows."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from freezebench.executors import device_lock, in_process
from freezebench.executors.turns import Ticket

Project = Callable[..., pytest.Pytester]


@pytest.fixture
def busy_device(project: Project, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose first run finds the device taken; it is free as soon as the session has waited once."""
    session = project("max_drop=90, grid='none', num_seeds=1")
    other = Ticket("cpu")
    assert other.is_first()

    class Waiting(threading.Event):
        """The event that a waiting session looks at before it tries again."""

        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002
            other.give_back()
            return self.is_set()

    wait_for = device_lock.device_lock
    monkeypatch.setattr(in_process, "device_lock", lambda device, on_wait, _: wait_for(device, on_wait, Waiting()))
    return session


@pytest.mark.usefixtures("reached")
@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["-q"],
        ["-qq", "--no-header"],
        ["-q", "-s"],
        ["-q", "--capture=sys"],
        ["-q", "--capture=tee-sys"],
        ["-p", "no:terminal"],
        ["-p", "no:terminal", "-s"],
        ["-p", "no:terminal", "-p", "no:capture"],
        ["-p", "no:terminal", "--capture=sys"],
    ],
    ids=" ".join,
)
def test_a_session_that_waits_says_so(busy_device: pytest.Pytester, flags: list[str]) -> None:
    """Once, and not into what pytest captures of the test; without a terminal on the standard error."""
    result = busy_device.runpytest_inprocess("-Wdefault::pytest.PytestWarning", *flags)
    assert result.ret == pytest.ExitCode.OK
    line = "freezebench waiting: another session trains on cpu"
    (result.stderr if "no:terminal" in flags else result.stdout).fnmatch_lines([line])
    assert (result.outlines + result.errlines).count(line) == 1
    if "no:terminal" in flags:
        assert result.errlines == [line]
