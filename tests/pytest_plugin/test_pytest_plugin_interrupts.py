"""Ctrl-C ends a session with two devices within seconds, wherever it is, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import made_up
from freezebench import child_process
from freezebench.executors.turns import Ticket
from leftovers import processes

Project = Callable[..., pytest.Pytester]

# Stands for the workers: it answers at once, but never what the session is to be interrupted in.
_WORKER = """
import json, os, pathlib, socket, sys, time
moments, stops_at, broken, descriptor = sys.argv[1:]
channel = socket.socket(fileno=int(descriptor))
lines, events = channel.makefile("r"), channel.makefile("w")
def send(event, **fields):
    print(json.dumps({"event": event, **fields}), file=events, flush=True)
def reach(moment):
    pathlib.Path(moments, f"{moment}-{os.getpid()}").touch()
    if moment.startswith(stops_at):
        time.sleep(1000)
next(lines)
reach("start")
send("Ready")
for line in lines:
    request = json.loads(line)["request"]
    kind = request["kind"]
    reach(f"run-{request['spec']['freeze']}" if kind == "run" else kind)
    machine = {"device": "cpu", "device_name": "a CPU", "precision": "float32", "environment": {}}
    trains = {freeze: {"num_params": 1, "sha256": freeze} for freeze in request.get("grid", [])}
    record = {**json.loads(broken), "spec": request.get("spec")}
    send("Answer", value={"machine": machine, "preflight": trains, "run": record}[kind])
"""
_THREE = """
import pathlib, time
import pytest

freeze = pytest.mark.freeze(model={model!r}, data={data!r}, num_seeds=1)

@freeze(grid="none")
def test_first(freeze_run):
    freeze_run()

def test_between():
    pathlib.Path({moments!r}, "between-0").touch()
    time.sleep(1000)

@freeze(grid="emb")
def test_last(freeze_run):
    freeze_run()
"""
_CONFTEST = """
import sys
from freezebench import child_process

child_process.command = lambda _, __, descriptor: [sys.executable, "-Ic", {worker!r}, *{arguments!r}, descriptor]

def pytest_terminal_summary():  # stands for a summary that takes long
    import pathlib, time
    pathlib.Path({moments!r}, "summary-0").touch()
    time.sleep(1000)
"""
_FLAGS = ("--freeze-devices=cpu,cpu", "--freeze-isolate=worker", "--freeze-device=auto")
_LIMIT_S = 3.0


class Session:
    """A session in this process that is interrupted."""

    def __init__(self, pytester: pytest.Pytester, folder: Path) -> None:
        self._pytester = pytester
        self.moments, self.store, self.temporary = (folder / name for name in ("moments", "store", "temporary"))
        self._is_over = False
        self.sent_at = 0.0
        self.arguments: list[str] = []

    def write_conftest(self) -> None:
        """Let a session in another process have the workers of this one, and a summary that does not end."""
        source = _CONFTEST.format(worker=_WORKER, arguments=self.arguments, moments=str(self.moments))
        (self._pytester.path / "conftest.py").write_text(source, encoding="utf-8")

    def start(self) -> subprocess.Popen[bytes]:
        """Return the process of a session."""
        # Background jobs of a shell ignore Ctrl-C, and so do the processes that they start: restore its default.
        heed = "import signal, sys, pytest; signal.signal(signal.SIGINT, signal.default_int_handler); "
        flags = (*_FLAGS, f"--freeze-store={self.store}")
        return subprocess.Popen(
            [sys.executable, "-c", f"{heed} sys.exit(pytest.main(sys.argv[1:]))", *flags],
            cwd=self._pytester.path,
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait_for(self, process: subprocess.Popen[bytes], moment: str, times: int = 1) -> None:
        """Wait until a process has come to some point."""
        deadline = time.monotonic() + 60
        while not self.has_reached(moment, times):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)

    def interrupt(self, is_time: Callable[[], bool], *flags: str) -> pytest.RunResult:
        """Run the session, and send SIGINT to this process as soon as the time has come."""
        thread = threading.Thread(target=self._send, args=[is_time])
        thread.start()
        try:
            return self._pytester.runpytest_inprocess(
                "-Wdefault::pytest.PytestWarning",
                *_FLAGS,
                f"--freeze-store={self.store}",
                *flags,
                no_reraise_ctrlc=True,
            )
        finally:
            self._is_over = True
            thread.join()

    def _send(self, is_time: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not (is_time() or self._is_over) and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.05)  # the other slot gets as far
        if not self._is_over:
            self.sent_at = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)

    def has_reached(self, moment: str, times: int = 1) -> bool:
        """Return whether workers have come to some point."""
        return len(list(self.moments.glob(f"{moment}-*"))) >= times


@pytest.fixture
def session(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Session]:
    """A session whose workers stop at the moment that the test's marker names; afterwards nothing may be left."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what runs in the background
    threads = set(threading.enumerate())  # other tests of this process may have left some
    found = Session(project(), tmp_path)
    for folder in (found.moments, found.store, found.temporary):
        folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(found.temporary))
    monkeypatch.setenv("FREEZEBENCH_LOCK_DIR", str(tmp_path / "turns"))
    monkeypatch.setenv("FREEZEBENCH_TEST", str(tmp_path))
    arguments = [str(found.moments), request.param, json.dumps(made_up.broken("none").to_json())]
    found.arguments = arguments
    monkeypatch.setattr(
        child_process, "command", lambda _, __, descriptor: [sys.executable, "-Ic", _WORKER, *arguments, descriptor]
    )
    yield found
    signal.signal(signal.SIGINT, before)
    assert processes(f"FREEZEBENCH_TEST={tmp_path}") == []
    assert list(found.temporary.iterdir()) == []
    assert [path.name for path in found.store.iterdir() if path.suffix != ".json"] == []
    assert not [thread for thread in set(threading.enumerate()) - threads if thread.name.startswith("freezebench")]
    with suppress(FileNotFoundError):
        assert list((tmp_path / "turns").iterdir()) == []


def _check(session: Session, result: pytest.RunResult) -> None:
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert time.monotonic() - session.sent_at < _LIMIT_S
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*"])


@pytest.mark.parametrize("session", ["start", "machine", "preflight"], indirect=True)
def test_before_the_first_test(session: Session, request: pytest.FixtureRequest) -> None:
    """While the workers start, say what they are, or try the model."""
    moment = request.node.callspec.params["session"]
    _check(session, session.interrupt(lambda: session.has_reached(moment)))


@pytest.mark.parametrize("flags", [[], ["--freeze-isolate=run"], ["-x", "-v"]], ids=" ".join)
@pytest.mark.parametrize("session", ["run-"], indirect=True)
def test_while_both_devices_train(session: Session, flags: list[str]) -> None:
    """Both runs end at once, and no slot begins another one."""
    _check(session, session.interrupt(lambda: session.has_reached("run", 2), *flags))
    assert session.has_reached("run", 2)
    assert not session.has_reached("run", 3)


@pytest.mark.parametrize("session", ["run-emb"], indirect=True)
def test_between_tests(session: Session, pytester: pytest.Pytester, tiny_model: Path, tiny_data: Path) -> None:
    """While a test trains nothing and the run of a later test goes on."""
    names = {"model": str(tiny_model), "data": str(tiny_data), "moments": str(session.moments)}
    (pytester.path / "test_project.py").write_text(_THREE.format(**names), encoding="utf-8")
    result = session.interrupt(lambda: session.has_reached("between") and session.has_reached("run-emb"))
    _check(session, result)


@pytest.mark.parametrize("session", ["run-"], indirect=True)
def test_while_another_session_has_the_device(session: Session) -> None:
    """The places in the queue are given back, and the other session keeps its own."""
    other = Ticket("cpu")
    assert other.is_first()
    try:
        _check(session, session.interrupt(other.is_followed))
        assert not other.is_followed()
        assert not session.has_reached("run")
    finally:
        other.give_back()


@pytest.mark.slow
@pytest.mark.parametrize("session", ["run-"], indirect=True)
@pytest.mark.parametrize("is_in_summary", [False, True])
def test_ctrl_c_twice(session: Session, *, is_in_summary: bool) -> None:
    """The second one ends pytest, whose summary would go on, and leaves neither a process nor a folder behind."""
    session.write_conftest()
    process = session.start()
    session.wait_for(process, "run", 2)
    process.send_signal(signal.SIGINT)
    if is_in_summary:
        session.wait_for(process, "summary")
    else:
        time.sleep(0.1)  # two signals at once would be one
    sent_at = time.monotonic()
    while process.poll() is None and time.monotonic() - sent_at < _LIMIT_S:
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)  # a user who goes on pressing: one may have come while an earlier one was being raised
    assert process.wait(timeout=1) == -signal.SIGINT
