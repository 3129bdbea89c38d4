"""The sampler process: its deadlines, its end with its parent, and its cost."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fake_nvml_control import ANYONE, GPU_A, LOST, OTHERS_ONLY, OWNER_ONLY, UNKNOWN, FakeNvml

from freezebench.meters.window import MeterSession, measure

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """The test NVML in real time, with one device."""
    library = FakeNvml(tmp_path, virtual=False)
    library.add_device()
    library.install(monkeypatch)
    return library


def is_alive(pid: int) -> bool:
    """Return whether the process runs: a zombie whose new parent does not reap it is dead."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], limit_s: float) -> bool:
    """Return whether the condition came true within the limit."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def sampler_of(session: MeterSession) -> int:
    """Return the process id of the session's sampler."""
    pid = session.gpu.sampler_pid
    assert pid is not None
    return pid


@pytest.mark.usefixtures("fake")
def test_real_window() -> None:
    """In real time a window has counter, power, memory and trace, and its sampler ends with it."""
    window = measure("all")
    with window:
        pid = sampler_of(window._session)
        assert is_alive(pid)
        time.sleep(0.6)
    energy = window.readings["energy_j"]
    assert energy.status == "measured"
    assert energy.low_confidence
    assert energy.value is not None
    assert window.duration_s is not None
    assert energy.value == pytest.approx(300 * window.duration_s, abs=32)
    power = window.readings["mean_power_w"]
    assert power.value == pytest.approx(300)
    assert power.num_samples is not None
    assert power.num_samples >= 8
    series = window.trace.get("power_w", GPU_A)
    assert series is not None
    assert series.times_s[-1] == pytest.approx(window.duration_s, abs=0.1)
    assert not is_alive(pid)


@pytest.mark.usefixtures("fake")
def test_session_keeps_its_sampler_over_windows() -> None:
    """A session's windows share one sampler, which is idle in between and ends with the session."""
    with MeterSession("all") as session:
        pids = []
        for _ in range(3):
            with session.window() as window:
                pids.append(sampler_of(session))
                time.sleep(0.25)
            assert window.readings["mean_power_w"].status == "measured"
        assert len(set(pids)) == 1
    assert not is_alive(pids[0])


@pytest.mark.parametrize("code", [LOST, UNKNOWN])
def test_point_09_real_errors_do_not_stop_the_code(fake: FakeNvml, code: int) -> None:
    """When every call begins to fail the measured code ends as usual and the figures are partial."""
    fake.fault("*", code, after=60)
    finished = False
    with measure("all") as window:
        time.sleep(1.0)
        finished = True
    assert finished
    assert window.readings["energy_j"].status == "partial"
    assert window.readings["mean_power_w"].status == "partial"
    assert (window.readings["mean_power_w"].coverage or 1) < 0.9


@pytest.mark.usefixtures("fake")
def test_point_10_killed_sampler() -> None:
    """After the sampler is killed, the result is available within 2 s; it is partial and has the reason."""
    with MeterSession("all") as session:
        window = session.window()
        with window:
            pid = sampler_of(session)
            time.sleep(0.4)
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.4)
            end_s = time.monotonic()
        assert time.monotonic() - end_s < 2
        power = window.readings["mean_power_w"]
        assert power.status == "partial"
        assert "the sampler process ended early" in (power.reason or "")
        assert 0.2 < (power.coverage or 0) < 0.8
        assert window.readings["energy_j"].status == "measured"
        assert not is_alive(pid)
        # The next window gets a new sampler.
        with session.window() as after:
            time.sleep(0.25)
        assert after.readings["mean_power_w"].status == "measured"


@pytest.mark.parametrize("who", [OTHERS_ONLY, OWNER_ONLY, ANYONE])
def test_point_10_hanging_call(fake: FakeNvml, who: int) -> None:
    """While an NVML call hangs in one or both processes, the result is available within 2 s; no process is left."""
    with MeterSession("all") as session:
        window = session.window()
        with window:
            pid = sampler_of(session)
            time.sleep(0.4)
            fake.fault("*", hang_s=10.0, who=who)
            time.sleep(0.3)
            end_s = time.monotonic()
        assert time.monotonic() - end_s < 2
        energy = window.readings["energy_j"]
        if who == OTHERS_ONLY:
            assert energy.status == "measured"
        else:
            assert energy.status == "partial"
            assert "did not return within 1 s" in (energy.reason or "")
        if who != OWNER_ONLY:
            assert "did not answer" in (window.readings["mean_power_w"].reason or "")
            assert not is_alive(pid)
        fake.clear_faults()
    assert not is_alive(pid)


@pytest.mark.parametrize("function", ["nvmlInitWithFlags", "*"])
def test_point_10_hang_from_the_start(fake: FakeNvml, function: str) -> None:
    """A library that hangs from its first call delays a window by under 2 s at either end."""
    fake.fault(function, hang_s=10.0)
    begin_s = time.monotonic()
    with measure("all") as window:
        assert time.monotonic() - begin_s < 2
        end_s = time.monotonic()
    assert time.monotonic() - end_s < 2
    assert window.readings["energy_j"].status == "not_measured"
    assert len(window.warnings) == 1
    assert "did not open within" in window.warnings[0]


PARENT = """
    import os, sys, time
    from freezebench.meters.window import MeterSession
    session = MeterSession("all")
    window = session.window()
    window.__enter__()
    if "fork" in sys.argv and os.fork() == 0:
        time.sleep(8)  # a data loader's worker, which inherits the pipes
        os._exit(0)
    print(session.gpu.sampler_pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("case", ["plain", "fork", "hang"])
def test_point_10_no_orphan_after_the_parent_is_killed(fake: FakeNvml, case: str) -> None:
    """The sampler ends soon after its parent is killed, even with a forked worker or in a hanging call."""
    command = [sys.executable, "-c", textwrap.dedent(PARENT), case]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if case == "hang":
            fake.fault("*", hang_s=10.0)
            time.sleep(0.2)
        assert is_alive(pid)
        parent.kill()
        parent.wait()
        parent.stdout.close()
        assert wait_until(lambda: not is_alive(pid), 2.0)


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.usefixtures("fake")
@pytest.mark.slow
def test_point_15_gaps_while_the_gil_is_held(capsys: pytest.CaptureFixture[str]) -> None:
    """While the main process holds the GIL for 400 ms at a time, p99 of the sampler's gaps is within two periods."""
    with MeterSession("all") as session, session.window() as window:
        pid = sampler_of(session)
        before_s = cpu_s(pid)
        for _ in range(20):
            # PyDLL calls without releasing the GIL.
            ctypes.PyDLL(None).usleep(400_000)
        used = (cpu_s(pid) - before_s) / 8.0
    series = window.trace.get("power_w", GPU_A)
    assert series is not None
    gaps = sorted(after - before for before, after in itertools.pairwise(series.times_s))
    p99_s = gaps[int(0.99 * len(gaps))]
    with capsys.disabled():
        sys.stdout.write(f"\np99 gap {p99_s:.3f} s of {len(gaps)}, sampler {used:.2%} of a core\n")
    assert len(gaps) > 150
    assert p99_s <= 0.1
    assert used <= 0.02


@pytest.mark.slow
def test_the_script_that_times_the_sampler_runs() -> None:
    """The ratios of both clocks are printed for judgement by a person; the test has no limit."""
    script = Path(__file__).parents[2] / "benchmarks/sampler.py"
    command = [sys.executable, str(script), "--nvml=test", "--pairs=2"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.count("time with / without: ") == 2
