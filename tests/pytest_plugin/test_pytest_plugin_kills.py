"""Sessions that are killed: no process outlives them, no finished run is lost, and the next session does the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from freezebench.records.store import decode
from leftovers import processes

Project = Callable[..., pytest.Pytester]

KILLS = Path(__file__).resolve().parent.parent / "faults/kills.py"

_TWO = ["--freeze-device=auto", "--freeze-devices=cpu,cpu"]
_LATER = [(signal.SIGINT, _TWO), (signal.SIGTERM, []), (signal.SIGKILL, _TWO)]


@pytest.mark.parametrize(
    ("number", "flags"), [(signal.SIGINT, []), *(pytest.param(*later, marks=pytest.mark.slow) for later in _LATER)]
)
def test_no_child_outlives_its_parent(
    project: Project,
    faults: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    number: signal.Signals,
    flags: list[str],
) -> None:
    """However pytest ends, its workers end with it; after Ctrl-C the summary shows the finished configurations."""
    faults(emb_L0="sleep")  # in the middle of a run, which it would not end by itself
    mark = f"FREEZEBENCH_TEST={tmp_path}"
    monkeypatch.setenv(*mark.split("=", 1))
    session = project("max_drop=90, grid='all', num_seeds=1")
    store = tmp_path / "runs"
    # Background jobs of a shell ignore Ctrl-C, and so do the processes that they start: restore its default.
    heed = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.executable, sys.argv[1:])"
    )
    pytest_command = [sys.executable, "-m", "pytest", "-v", f"--freeze-store={store}", *flags]
    command = [sys.executable, "-c", heed, *pytest_command]
    process = subprocess.Popen(command, cwd=session.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 120
    while len(list(store.glob("*.json"))) < 2:  # none and emb, or what another device trains meanwhile
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    assert len(processes(mark)) >= 2
    process.send_signal(number)
    output = process.communicate()[0].decode()
    deadline = time.monotonic() + 5
    while left := processes(mark):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    if number == signal.SIGINT:
        assert process.returncode == 2
        assert "baseline" in output  # the table of what is done
        assert "saved" in output


@pytest.mark.slow
def test_kill_9_loses_no_finished_run(project: Project, tmp_path: Path) -> None:
    """Every record is whole or absent, and the next session trains what is missing and nothing else."""
    store = tmp_path / "runs"
    session = project("max_drop=90, num_seeds=3")
    command = [sys.executable, "-m", "pytest", "-q", f"--freeze-store={store}"]
    process = subprocess.Popen(command, cwd=session.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(store.glob("*.json")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    num_whole = len([decode(path.read_bytes()) for path in store.glob("*.json")])
    assert 1 <= num_whole < 12
    result = session.runpytest_inprocess(f"--freeze-store={store}", "--freeze-isolate=worker")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["freezebench: reused * of earlier sessions*", f"*saved {12 - num_whole} run*"])


@pytest.mark.slow
def test_kills_at_random_moments() -> None:
    """tests/faults/kills.py with 1 kill instead of 50, on two devices."""
    command = [sys.executable, str(KILLS), "1", "--freeze-devices=cpu,cpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kills in" in done.stdout
