"""How much the sampler process slows work down: paired, interleaved work with and without it.

The work is arithmetic on one thread, so that nothing but the sampler differs between the sides; `meter_overhead.py`
does the same for a whole training. Printed: the median ratio with its standard error, in wall and in processor time.
"""

from __future__ import annotations

import argparse
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


def main() -> None:
    """Parse the command line, run, print."""
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
                is_sampled = session.gpu.sampler_pid is not None
            if not is_sampled:
                raise SystemExit("NVML reports no GPU here, so there is no sampler: --nvml=test makes one up.")
            print(_slowdown(session, options.pairs))


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


def _install_test_nvml(folder: Path, patch: pytest.MonkeyPatch) -> None:
    sys.path.append(str(Path(__file__).parents[1] / "tests/meters"))
    from fake_nvml_control import FakeNvml

    library = FakeNvml(folder, virtual=False)
    library.add_device()
    library.install(patch)


if __name__ == "__main__":
    main()
