"""Kill a session at random moments: `python tests/faults/kills.py 50`, with options of pytest after the number.

Every record has to be complete or absent, and no process may survive the session. A session that resumes after the
kills has to train the missing runs only, and to end with the outcomes of a session that was never killed, and that had
none of these options.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from freezebench.records.store import decode
from leftovers import processes
from saved_runs import outcomes
from tiny import write_data, write_model

TEST = """
import pytest

@pytest.mark.freeze(model="model", data="data", epochs=8, lr=1e-2, batch_size=8, precision="float32",
                    max_drop=90, num_seeds=2)
def test_it(freeze_run):
    freeze_run()
"""
NUM_RUNS = 8


def main(num_kills: int, flags: list[str], seed: int = 0) -> None:
    """Kill and resume until ``num_kills`` kills hit a running session.

    Raises:
        AssertionError: A record is damaged, a process survives, or the outcomes differ.
    """
    draw = random.Random(seed)  # noqa: S311 - moments, not secrets
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder / "model", is_pretrained=True)
        write_data(folder / "data")
        (folder / "test_it.py").write_text(TEST, encoding="utf-8")
        began = time.monotonic()
        assert finish(folder, "whole", []) == NUM_RUNS
        longest_s = time.monotonic() - began
        expected = outcomes(folder / "report-whole")
        num_hits, num_rounds = 0, 0
        num_records: list[int] = []
        while num_hits < num_kills:
            num_rounds += 1
            store = folder / f"store-{num_rounds}"
            # One to three kills, then a session that runs to its end.
            for _ in range(draw.randint(1, 3)):
                num_hits += kill(folder, store.name, draw.uniform(0.0, longest_s), flags)
                num_records.append(len([decode(path.read_bytes()) for path in store.glob("*.json")]))
            missing = NUM_RUNS - num_records[-1]
            trained = finish(folder, store.name, flags)
            assert trained == missing, (trained, missing)
            assert outcomes(folder / f"report-{store.name}") == expected
            assert not list(store.glob("set-aside/*"))
            sys.stdout.write(f"round {num_rounds}: {num_hits} kills so far, {missing} of {NUM_RUNS} runs missing\n")
            sys.stdout.flush()
    counts = {count: num_records.count(count) for count in sorted(set(num_records))}
    sys.stdout.write(f"{num_hits} kills in {num_rounds} rounds; kills by number of complete records: {counts}\n")


def start(folder: Path, store: str, flags: list[str]) -> subprocess.Popen[str]:
    """Start a session with a store and return its process."""
    arguments = [f"--freeze-store={store}", f"--freeze-report=report-{store}", "-p", "no:cacheprovider"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", *arguments, *flags],
        cwd=folder,
        # Other tests train at the same time, which these sessions would wait for.
        env={
            **os.environ,
            "FREEZEBENCH_KILLS": str(folder),
            "FREEZEBENCH_LOCK_DIR": str(folder / "turns"),
            "OMP_NUM_THREADS": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill(folder: Path, store: str, after_s: float, flags: list[str]) -> bool:
    """Start a session and kill it; return whether it was still running."""
    process = start(folder, store, flags)
    try:
        output, _ = process.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        deadline = time.monotonic() + 5
        while survivors := processes(f"FREEZEBENCH_KILLS={folder}"):
            assert time.monotonic() < deadline, f"these processes survive: {survivors}"
            time.sleep(0.02)
        return True
    assert process.returncode == 0, output
    return False


def finish(folder: Path, store: str, flags: list[str]) -> int:
    """Run a session to its end; return the number of runs that it trained."""
    process = start(folder, store, flags)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    saved = re.search(r"saved (\d+) runs? to", output)
    return int(saved[1]) if saved else 0


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50, sys.argv[2:])
