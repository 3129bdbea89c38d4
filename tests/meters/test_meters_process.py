"""Resident memory of this process."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from freezebench.meters.peaks import PeakRegister
from freezebench.meters.process import ProcessMemory, ProcessMeter

MIB = 1 << 20

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc/self/clear_refs"
)


def test_point_14_peak_after_300_mib() -> None:
    """300 MiB that were allocated and freed within the window are the rise of its peak, within 2 %."""
    meter = ProcessMeter()
    meter.start()
    block = b"\1" * (300 * MIB)
    del block
    readings = meter.stop()
    peak, start = readings["peak_rss_bytes"], readings["start_rss_bytes"]
    assert peak.status == start.status == "measured"
    assert peak.value is not None
    assert start.value is not None
    assert peak.value - start.value == pytest.approx(300 * MIB, rel=0.02)


def test_an_earlier_peak_is_not_charged() -> None:
    """A peak before the window is not counted."""
    block = b"\1" * (200 * MIB)
    del block
    meter = ProcessMeter()
    meter.start()
    readings = meter.stop()
    assert readings["peak_rss_bytes"].value is not None
    assert readings["start_rss_bytes"].value is not None
    assert readings["peak_rss_bytes"].value - readings["start_rss_bytes"].value < 20 * MIB


def test_a_child_does_not_inherit_its_parents_peak() -> None:
    """In a child process the peak is the child's own, however large the parent is."""
    block = b"\1" * (200 * MIB)
    code = """
        from freezebench.meters.process import ProcessMeter
        meter = ProcessMeter()
        meter.start()
        print(meter.stop()["peak_rss_bytes"].value)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 100 * MIB
    assert len(block) == 200 * MIB


def test_nested_windows_keep_the_outer_peak() -> None:
    """An inner window resets the kernel's mark; the outer one keeps what came before."""
    outer, inner = ProcessMeter(), ProcessMeter()
    outer.start()
    block = b"\1" * (100 * MIB)
    del block
    inner.start()
    inner_peak = inner.stop()["peak_rss_bytes"].value
    readings = outer.stop()
    assert inner_peak is not None
    assert readings["peak_rss_bytes"].value is not None
    assert readings["peak_rss_bytes"].value - inner_peak > 90 * MIB


class FakeProc:
    """A /proc/self whose figures the test sets."""

    def __init__(self, root: Path, *, resettable: bool) -> None:
        self.root = root
        self.set(hwm_kb=5000, rss_kb=4000)
        if not resettable:
            (root / "clear_refs").mkdir()

    def set(self, *, hwm_kb: int, rss_kb: int) -> None:
        """Set both figures."""
        (self.root / "status").write_text(f"Name:\tpython\nVmHWM:\t    {hwm_kb} kB\nVmRSS:\t    {rss_kb} kB\n")


def test_without_reset_a_mark_that_rose_is_the_peak(tmp_path: Path) -> None:
    """Where the mark cannot be reset, one that rose within the window is still the window's peak."""
    proc = FakeProc(tmp_path, resettable=False)
    meter = ProcessMeter(ProcessMemory(tmp_path))
    meter.start()
    proc.set(hwm_kb=9000, rss_kb=4000)
    readings = meter.stop()
    assert readings["peak_rss_bytes"].value == 9000 * 1024
    assert "risen within the window" in readings["peak_rss_bytes"].source
    assert readings["start_rss_bytes"].value == 4000 * 1024


def test_without_reset_an_earlier_mark_is_not_the_peak(tmp_path: Path) -> None:
    """Where the mark cannot be reset and did not rise, the peak is not measured, and the reason says what to do."""
    FakeProc(tmp_path, resettable=False)
    meter = ProcessMeter(ProcessMemory(tmp_path))
    meter.start()
    reading = meter.stop()["peak_rss_bytes"]
    assert reading.value is None
    assert "came before this window" in (reading.reason or "")
    assert "fresh process" in (reading.reason or "")


def test_without_proc(tmp_path: Path) -> None:
    """A system without /proc has no figures, and the reason names it."""
    meter = ProcessMeter(ProcessMemory(tmp_path / "none"))
    meter.start()
    for reading in meter.stop().values():
        assert reading.value is None
        assert "Linux's /proc" in (reading.reason or "")


def test_a_register_credits_open_windows_before_it_resets() -> None:
    """The register gives each window the highest mark of its own time."""
    mark = [10]
    register = PeakRegister(read=lambda: mark[0], reset=lambda: mark.__setitem__(0, 1))
    outer = register.open()
    mark[0] = 7
    inner = register.open()
    assert mark[0] == 1
    mark[0] = 3
    assert register.close(inner) == 3
    assert register.close(outer) == 7


def test_a_register_that_cannot_reset_opens_nothing() -> None:
    """A failing reset is raised, and no window is left open."""

    def refuse() -> None:
        raise PermissionError("read-only")

    register = PeakRegister(read=lambda: 1, reset=refuse)
    with pytest.raises(PermissionError):
        register.open()
    assert register._open == {}
