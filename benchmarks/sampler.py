"""What the sampler process costs: paired, interleaved work with and without it, its own share of a core, its gaps.

The work is arithmetic on one thread, so that nothing but the sampler differs between the sides; `meter_overhead.py`
does the same for a whole training. Printed: the median ratio with its standard error, in wall time and in processor
time; the sampler's processor time and the 99th percentile of its gaps while this process holds the GIL.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import os
import statistics
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freezebench.meters.window import MeterSession
from freezebench.verdicts.resources import interleaved

HELD_S = 0.4
ROUNDS = 20


def main() -> None:
    """Parse the command line, run both parts, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20, help="pairs of runs (default: 20)")
    nvml_help = "the machine's NVML, or the one that the tests make (default: machine)"
    parser.add_argument("--nvml", choices=["machine", "test"], default="machine", help=nvml_help)
    options = parser.parse_args()
    if options.pairs < 2:  # noqa: PLR2004 - one pair has no spread
        parser.error(f"--pairs={options.pairs}: give at least 2, so that there is a spread to tell.")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if options.nvml == "test":
            _install_test_nvml(Path(folder), patch)
        with MeterSession("all") as session:
            with session.window():
                pid = session.gpu.sampler_pid
            if pid is None:
                raise SystemExit("NVML reports no GPU here, so there is no sampler: --nvml=test makes one up.")
            print(_slowdown(session, options.pairs))
            print(_gaps(session, pid))


def _slowdown(session: MeterSession, pairs: int) -> str:
    """Return how much longer the same work takes while the sampler samples."""
    state = np.random.default_rng(0).standard_normal(40_000)
    times: dict[str, list[tuple[float, float]]] = {"A": [], "B": []}
    _work_s(state)  # warms up, counts for nothing
    for arm in interleaved(pairs):
        with nullcontext() if arm == "A" else session.window():
            times[arm].append(_work_s(state))
    lines = []
    for index, clock in enumerate(("wall", "processor")):
        ratios = [metered[index] / plain[index] for plain, metered in zip(times["A"], times["B"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        # The standard error of a median, from the quartiles of a normal sample.
        error = 1.2533 * (high - low) / 1.349 / len(ratios) ** 0.5
        lines.append(f"{clock} time with / without: {middle:.4f} ± {error:.4f} ({len(ratios)} pairs)")
    return "\n".join(lines)


def _work_s(state: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    """Return wall time and processor time of a fixed amount of work on one thread."""
    wall_s, processor_s = time.perf_counter(), time.thread_time()
    for _ in range(2000):
        np.tanh(state, out=state)
    return time.perf_counter() - wall_s, time.thread_time() - processor_s


def _gaps(session: MeterSession, pid: int) -> str:
    """Return the sampler's gaps and share of a core while this process holds the GIL for 400 ms at a time."""
    with session.window() as window:
        before_s = _processor_s(pid)
        for _ in range(ROUNDS):
            ctypes.PyDLL(None).usleep(round(1e6 * HELD_S))  # PyDLL calls without releasing the GIL
        share = (_processor_s(pid) - before_s) / (ROUNDS * HELD_S)
    series = window.trace.get("power_w")
    if series is None:
        raise SystemExit("NVML gives no power here: there are no samples to tell gaps from.")
    gaps_s = sorted(after - before for before, after in itertools.pairwise(series.times_s))
    p99_s = gaps_s[int(0.99 * len(gaps_s))]
    return f"GIL held for {HELD_S} s at a time: gaps p99 {p99_s:.3f} s of {len(gaps_s)}, sampler {share:.2%} of a core"


def _processor_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _install_test_nvml(folder: Path, patch: pytest.MonkeyPatch) -> None:
    sys.path.append(str(Path(__file__).parents[1] / "tests/meters"))
    from fake_nvml_control import FakeNvml

    library = FakeNvml(folder, virtual=False)
    library.add_device()
    library.install(patch)


if __name__ == "__main__":
    main()
