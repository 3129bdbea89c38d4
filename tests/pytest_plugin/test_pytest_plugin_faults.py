"""Faults in the worker process: each ends its own run, and the rest of the grid goes on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_hub import FakeHub, serving
from leftovers import processes

Project = Callable[..., pytest.Pytester]

MARKER = "max_drop=90, grid='all', num_seeds=1, inconclusive='pass'"


@pytest.mark.slow
@pytest.mark.usefixtures("without_matplotlib")
def test_a_grid_survives_crashes_and_hangs(
    project: Project, faults: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segmentation fault and a hang fail their tests; the others pass, their runs are saved, no process is left."""
    # The hang is the last run, after which no process has to start.
    faults(**{"emb": "segfault", "emb_L0-1": "hang"})
    mark = f"FREEZEBENCH_TEST={tmp_path}"
    monkeypatch.setenv(*mark.split("=", 1))
    session = project(MARKER)
    store = tmp_path / "runs"
    report_option = f"--freeze-report={tmp_path / 'report'}"
    arguments = ["-v", f"--freeze-store={store}", report_option, "--freeze-isolate=worker"]
    result = session.runpytest_inprocess(*arguments, "--freeze-timeout=15s")
    assert result.ret == 1
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*[[]emb[]] FAILED*",
            "*[[]emb+L0-1[]] FAILED*",
            "*INVALID: emb: *its process was ended by SIGSEGV*",
            "*INVALID: emb+L0-1: *not done after 15*--freeze-timeout*",
        ],
    )
    assert len(list(store.glob("*.json"))) == 2
    assert not list(store.glob(".*"))
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert "Segmentation fault" in json.dumps(report)  # the end of the log
    assert not processes(mark)
    monkeypatch.delenv("FREEZEBENCH_FAULTS")
    repaired = session.runpytest_inprocess(*arguments)
    repaired.assert_outcomes(passed=4)
    repaired.stdout.fnmatch_lines(["freezebench: reused 2 runs*", "freezebench: saved 2 runs*"])


_ENDINGS = {
    "killed": "its process was ended by SIGKILL*before",
    "exit": "its process ended by itself with exit code 3",
    "exit0": "its process ended by itself with exit code 0",
    "stopped": "not done after 15*",
    "sys_exit": "SystemExit: 3",
    "interrupt": "KeyboardInterrupt",
    "no_message": "SilentError: the message cannot be shown, since str() of this SilentError fails",
    "sticky": "RuntimeError: CUDA error: device-side assert triggered",
    "memory_error": "out of memory*",
    "out_of_memory": "out of memory on cpu after a peak of *: CUDA out of memory. Tried to allocate 2.00 GiB.",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "by_freeze",
    [
        {"emb": "killed", "emb_L0": "exit", "emb_L0-1": "exit0"},
        {"emb": "stopped", "emb_L0": "sticky", "emb_L0-1": "memory_error"},
        {"emb": "prints", "emb_L0": "out_of_memory"},
        {"emb": "sys_exit", "emb_L0": "interrupt", "emb_L0-1": "no_message"},
    ],
    ids=lambda by_freeze: ",".join(by_freeze.values()),
)
def test_every_fault_fails_its_configuration_alone(
    project: Project, faults: Callable[..., None], by_freeze: dict[str, str]
) -> None:
    """The broken configurations fail with their cause; those before, between and after them pass."""
    faults(**by_freeze)
    # A short limit would end what a busy machine slows down.
    limit = ["--freeze-timeout=15s"] if "stopped" in by_freeze.values() else []
    result = project(MARKER).runpytest_inprocess("--freeze-isolate=worker", *limit)
    broken = [fault for fault in by_freeze.values() if fault in _ENDINGS]
    result.assert_outcomes(passed=4 - len(broken), failed=len(broken))
    result.stdout.fnmatch_lines([f"*invalid: *{_ENDINGS[fault]}*" for fault in broken])


_FILL = """
import tempfile

def pytest_collection_finish():
    assert tempfile.gettempdir().endswith("full")
    with open(tempfile.gettempdir() + "/fill", "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="a file system of its own needs unshare")
@pytest.mark.parametrize("isolation", ["worker", "run", "none"])
def test_a_full_folder_for_temporary_files_stops_no_session(project: Project, tmp_path: Path, isolation: str) -> None:
    """It is full once the tests are collected: nothing of the worker depends on it."""
    session = project(MARKER.replace("'all'", "'none,emb'"))
    session.makeconftest(_FILL)
    folder = tmp_path / "full"
    folder.mkdir()
    mount = f"mount -t tmpfs -o size=1m tmpfs {folder} || exit 77; exec "
    pytest_command = f"env TMPDIR={folder} {sys.executable} -m pytest -q --freeze-isolate={isolation}"
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount + pytest_command]
    done = subprocess.run(command, cwd=session.path, capture_output=True, text=True, check=False)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this system lets nobody mount a file system")
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.slow
def test_a_fresh_process_for_every_run(project: Project, faults: Callable[..., None]) -> None:
    """--freeze-isolate=run gives the figures of the kept worker, the frozen prefix computed once for all."""
    faults(emb_L0="exit")
    session = project("max_drop=90, grid='all', num_seeds=1, inconclusive='pass', engine='cached'")
    kept = session.runpytest_inprocess("-v", "--freeze-isolate=worker")
    fresh = session.runpytest_inprocess("-v", "--freeze-isolate=run")
    for result in (kept, fresh):
        result.assert_outcomes(passed=3, failed=1)
        result.stdout.fnmatch_lines(["*Frozen prefixes: computed in*"])
    fresh.stdout.fnmatch_lines(["*(1 pass for*"])


@pytest.mark.slow
def test_clocks_that_jump_change_no_figure(project: Project, faults: Callable[..., None], tmp_path: Path) -> None:
    """Both processes use monotonic clocks, so setting the wall clock back a day changes no deadline and no time."""
    faults(emb="clock")
    session = project("max_drop=90, grid='all', num_seeds=1, inconclusive='pass'")
    session.makeconftest("from sitecustomize import clock_jumps\ndef pytest_runtest_logfinish(): clock_jumps()\n")
    began = time.monotonic()
    result = session.runpytest_subprocess("--freeze-timeout=100s", f"--freeze-report={tmp_path}")
    wall_s = time.monotonic() - began
    result.assert_outcomes(passed=4)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    runs = [run for row in report["experiments"][0]["configurations"] for run in row["runs"]]
    times = [run["readings"]["train_s"]["value"] for run in runs]
    assert len(times) == 4
    assert all(0 < train_s < wall_s for train_s in times)


@pytest.mark.slow
def test_two_sessions_share_the_work(project: Project, tmp_path: Path) -> None:
    """Started together on one store, they train each of eight runs once, and both end with the whole grid."""
    grid = "none,emb,L0,L1,L0-1,emb+L0,emb+L1,emb+L0-1"
    session = project(f"max_drop=90, grid={grid!r}, num_seeds=1, inconclusive='pass'")
    store = tmp_path / "runs"
    command = [sys.executable, "-m", "pytest", "-v", f"--freeze-store={store}"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    both = [subprocess.Popen(command, cwd=session.path, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    outputs = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    trained = [output.count("trained in") for output in outputs]
    reused = [output.count("reused from an earlier session") for output in outputs]
    assert sum(trained) == len(list(store.glob("*.json"))) == 8
    assert sum(reused) == 8
    assert [sum(counts) for counts in zip(trained, reused, strict=True)] == [8, 8]
    assert not list(store.glob(".*"))


@pytest.mark.slow
def test_an_interrupted_download_ends_with_code_4(
    project: Project, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is trained; once the Hub answers again, the session succeeds."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "1")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    session = project("max_drop=90, num_seeds=1, grid='none,emb', inconclusive='pass'")
    store = tmp_path / "runs"
    with serving(FakeHub(models={"me/tiny": tiny_model}, cut={"model.safetensors"})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        arguments = ["--freeze-model=me/tiny", f"--freeze-store={store}"]
        result = session.runpytest_subprocess(*arguments)
        assert result.ret == 4
        result.stderr.fnmatch_lines(
            ["*cannot fetch the model 'me/tiny' from the Hub: *Try again, or run `hf download*"]
        )
        assert not list(store.glob("*.json"))
        hub.cut.clear()
        session.runpytest_subprocess(*arguments).assert_outcomes(passed=2)
    assert len(list(store.glob("*.json"))) == 2


# The other tests may take as long as a busy machine lets them.
_SHORT = """
import pytest

def pytest_collection_modifyitems(items):
    items[-1].add_marker(pytest.mark.timeout(5))
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_test_that_takes_too_long_for_pytest_timeout_ends_its_worker(
    project: Project, faults: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """By signal, the test fails and pytest goes on; by thread, pytest ends. No process is left either way."""
    pytest.importorskip("pytest_timeout")
    faults(**{"emb_L0-1": "sleep"})
    mark = f"FREEZEBENCH_TEST={tmp_path}"
    monkeypatch.setenv(*mark.split("=", 1))
    session = project(MARKER)
    session.makeconftest(_SHORT)
    result = session.runpytest_subprocess(f"--timeout-method={method}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in text
    if method == "signal":
        result.assert_outcomes(passed=3, failed=1)
        result.stdout.fnmatch_lines(["*Failed: Timeout (>5.0s) from pytest-timeout."])
    else:
        assert "Timeout" in text
    deadline = time.monotonic() + 10
    while processes(mark) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not processes(mark)


def test_ini_and_flag_exclude_a_timeout_without_a_process(project: Project) -> None:
    """In this process only the end of pytest could end a run, which is an error before anything is loaded."""
    result = project().runpytest_inprocess("--freeze-isolate=none", "--freeze-timeout=5s")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--freeze-timeout ends the process that trains*Leave one of them out*"])
