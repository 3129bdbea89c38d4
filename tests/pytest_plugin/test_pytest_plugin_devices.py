"""Sessions with ``--freeze-devices``."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from freezebench.executors import worker_process
from screen import Screen

Project = Callable[..., pytest.Pytester]

_TWO = "--freeze-devices=cpu,cpu"


@pytest.fixture
def without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no process be started."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(worker_process.WorkerProcess, "__init__", refuse)


@pytest.mark.usefixtures("without_workers")
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([_TWO], "freeze marker of *, device=cpu: with --freeze-devices, runs train on any*or override it*"),
        (
            [_TWO, "--freeze-device=cpu"],
            "--freeze-device=cpu: with --freeze-devices, runs train on any of its devices*",
        ),
        ([_TWO, "--freeze-isolate=none"], "*with --freeze-isolate=none all runs train in pytest's own. Leave one*"),
        (["--freeze-devices=gpu"], "--freeze-devices=gpu: give all, or devices separated by commas*"),
        (["--freeze-devices=cuda:0,cuda:0"], "--freeze-devices=cuda:0,cuda:0: one GPU is named twice*Name each GPU*"),
        (
            ["--freeze-devices=cuda:0,cuda:1", "--freeze-device=auto"],
            "--freeze-devices=cuda:0,cuda:1: there is no CUDA GPU here*Use cpu, or all. If*",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, flags: list[str], message: str
) -> None:
    """With exit code 4, before a process is started or a model loaded."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    result = project("num_seeds=1").runpytest_inprocess(*flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


def test_the_ini_file_names_devices(project: Project) -> None:
    """As every option."""
    session = project("num_seeds=1")
    session.makeini("[pytest]\nfreeze_devices = tpu")
    result = session.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: ini key freeze_devices=tpu: give all*"])


@pytest.mark.slow
def test_plan_selection_and_reruns(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--freeze-plan shows the devices; -k, -x and --lf mean the same as with one device."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly")  # --lf needs pytest's cache
    session = project("num_seeds=1, inconclusive='pass'")
    path = session.path / "test_project.py"
    path.write_text(path.read_text().replace("freeze_run()", "assert freeze_run().freeze != 'emb+L0-1'"))
    common = (f"--freeze-store={tmp_path / 'runs'}", "--freeze-device=auto", "--freeze-isolate=worker")
    serial = session.runpytest_inprocess(*common, "-k", "none or emb")
    assert serial.ret == pytest.ExitCode.TESTS_FAILED

    plan = session.runpytest_inprocess(*common, _TWO, "--freeze-plan", "--freeze-num-seeds=3")
    assert plan.ret == pytest.ExitCode.OK
    plan.stdout.fnmatch_lines(
        [
            "freezebench: 12 runs, 4 of which*of the other 8 take about * on 2 devices, by the median times of *",
            "freezebench: 2 runs at a time train on cpu:0, cpu:1 (*); times of runs that share a processor are not *",
            "freezebench: --freeze-plan: nothing runs",
        ]
    )

    stops = session.runpytest_inprocess(*common, _TWO, "-x", "--freeze-seed=50", "-k", "none or L0-1", "-v")
    assert stops.ret == pytest.ExitCode.TESTS_FAILED
    stops.assert_outcomes(passed=1, failed=1, deselected=2)
    stops.stdout.fnmatch_lines_random(["freezebench cpu:? [[]?/2[]] none seed 50: test accuracy 100.0 %*"])

    again = session.runpytest_inprocess(*common, _TWO, "--lf", "--freeze-seed=50")
    assert again.ret == pytest.ExitCode.TESTS_FAILED
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["*[[]?/2[]] emb+L0-1 seed 50: reused from an earlier session*"])


@pytest.mark.slow
def test_a_terminal_shows_both_devices(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a line while both train, below pytest's own, which is whole in the end."""
    session = project("num_seeds=1, inconclusive='pass'")
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setenv("TERM", "xterm")
    rows, columns = 30, 120
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    command = [sys.executable, "-m", "pytest", "-v", _TWO, "--freeze-device=auto"]
    process = subprocess.Popen(command, cwd=session.path, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen, most_shown = Screen(rows=rows, columns=columns), 0
    with suppress(OSError), os.fdopen(ours, encoding="utf-8", newline="") as terminal:  # the other end is closed
        for line in terminal:
            screen.write(line.replace("\r\n", "\n"))
            most_shown = max(most_shown, sum(text.startswith("cpu:") for text in screen.text))
    assert process.wait() == pytest.ExitCode.OK
    assert most_shown == 2
    ended = [text.split("]")[0] for text in screen.text if text.startswith("freezebench cpu:")]
    assert sorted(text.rpartition("[")[2] for text in ended) == ["1/4", "2/4", "3/4", "4/4"]
    for freeze in ("none", "emb", "emb+L0", "emb+L0-1"):
        (own,) = [text for text in screen.text if text.startswith(f"test_project.py::test_it[{freeze}] PASSED")]
        assert own.endswith("%]")
    assert not any(text.startswith("cpu:") for text in screen.text)
