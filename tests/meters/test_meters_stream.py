"""The parent's end of the sampler process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from fake_nvml_control import FakeNvml

from freezebench.meters.nvml import Failure
from freezebench.meters.stream import SampleStream, open_stream
from freezebench.meters.window import measure

if TYPE_CHECKING:
    from pathlib import Path


def stream_of(code: str, *, pump_every_s: float = 0.05) -> SampleStream:
    """Return a stream from a process that runs ``code`` instead of the sampler."""
    pipe, other_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", f"import os; channel = {other_end}\n{code}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[other_end],
        bufsize=0,
    )
    os.close(other_end)
    return SampleStream(process, pipe, pump_every_s)


def test_a_full_pipe_is_emptied_in_the_background() -> None:
    """A sampler can write more than a pipe holds although no one reads its messages yet."""
    code = "for n in range(20000): os.write(channel, b'[\"sample\", %d, \"%s\"]\\n' % (n, b'x' * 20))\nos._exit(0)"
    stream = stream_of(code)
    end_s = time.monotonic() + 10
    while stream._process.poll() is None and time.monotonic() < end_s:
        time.sleep(0.05)
    assert stream._process.poll() == 0
    assert stream.await_message(["sample", 19999, "x" * 20], 2.0) is None
    assert len(stream.messages()) == 20000
    stream.forget()
    assert stream.messages() == []
    stream.close()


def test_half_a_line_is_not_a_message() -> None:
    """If a sampler dies while it writes, the incomplete message is dropped."""
    stream = stream_of('os.write(channel, b\'["ready"]\\n["sample", 1\'); os._exit(3)')
    failure = stream.await_message(["mark", 1], 5.0)
    assert isinstance(failure, Failure)
    assert "ended early" in str(failure)
    assert stream.messages() == [["ready"]]
    stream.close()


def test_a_silent_process_costs_its_deadline() -> None:
    """A process without messages is waited for until the deadline, and can be ended."""
    stream = stream_of("import time; time.sleep(60)")
    begin_s = time.monotonic()
    failure = stream.await_message(["ready"], 0.2)
    assert "did not answer within 0.2 s" in str(failure)
    stream.close()
    assert time.monotonic() - begin_s < 30
    assert stream._process.poll() is not None


def test_commands_to_a_dead_process_are_harmless() -> None:
    """A command to a sampler that has died does not raise; waiting for its message fails."""
    stream = stream_of("")
    stream._process.wait(5)
    stream.send({"do": "stop"})
    assert "ended early" in str(stream.await_message(["mark", 1], 1.0))
    stream.close()


@pytest.mark.parametrize("line", ["welcome", "[]", "{}", "[1]", "[" * 10**5])
def test_what_is_no_message_ends_the_use_of_the_sampler(line: str) -> None:
    """It is neither skipped nor an exception."""
    stream = stream_of(f"os.write(channel, {line + chr(10)!r}.encode()); os.read(0, 1)")
    failure = stream.await_message(["ready"], 5.0)
    assert "sent what is no message" in str(failure)
    stream.close()


def test_the_last_line_of_a_sampler_that_ended_is_named() -> None:
    """Standard output and standard error are no messages, but may say what is wrong."""
    stream = stream_of("print('welcome', flush=True); raise OSError('libnvidia-ml.so is damaged')")
    assert "ended early (exit status 1): OSError: libnvidia-ml.so is damaged" in str(
        stream.await_message(["ready"], 5.0)
    )
    stream.close()


def test_no_library_in_the_sampler_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler without NVML reports it; the counter at the edges is read nevertheless."""
    fake = FakeNvml(tmp_path, virtual=False)
    fake.add_device()
    fake.install(monkeypatch)
    monkeypatch.setenv("FAKE_NVML_CONTROL", str(tmp_path / "none"))
    failure = open_stream(0.05)
    assert isinstance(failure, Failure)
    assert "Driver Not Loaded" in str(failure)


def test_files_of_the_project_are_no_part_of_the_sampler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a json.py in the current folder nor a sitecustomize.py that prints a line."""
    fake = FakeNvml(tmp_path, virtual=False)
    fake.add_device()
    fake.install(monkeypatch)
    for name in ("json", "queue", "types"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('executed')")
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("print('welcome')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH")))))
    monkeypatch.chdir(tmp_path)
    stream = open_stream(0.05)
    assert not isinstance(stream, Failure), str(stream)
    assert stream.messages() == [["ready"]]
    stream.close()


def test_no_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path to the interpreter, or with a wrong one, there is no sampler and no exception."""
    monkeypatch.setattr(sys, "executable", "")
    assert "path of this Python interpreter is unknown" in str(open_stream(0.05))
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "/nowhere/python" in str(open_stream(0.05))


def test_window_without_a_sampler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the sampler cannot start, a real window has its counter, and no power."""
    fake = FakeNvml(tmp_path, virtual=False)
    fake.add_device()
    fake.install(monkeypatch)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with measure("all") as window:
        time.sleep(0.3)
    assert window.readings["energy_j"].status == "measured"
    assert "/nowhere/python" in (window.readings["mean_power_w"].reason or "")
