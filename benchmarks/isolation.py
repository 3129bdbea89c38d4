"""What isolation costs: the same runs in pytest's process, in a kept worker, and in a fresh process for each.

Printed: seconds per run beyond training and evaluation, the first run (which imports) and the others, per mode.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

from tabulate import tabulate

from freezebench.executors.base import ExecutorOptions
from freezebench.executors.registry import EXECUTORS
from freezebench.runs.data_cache import DataCache
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec

if TYPE_CHECKING:
    from freezebench.executors.base import Executor
    from freezebench.records.run_record import RunRecord

_TIMEOUT_S = 24 * 3600.0


def trained(executor: Executor, spec: RunSpec) -> RunRecord:
    """Return the record of a run that trains on the first slot of an executor."""
    records: list[RunRecord] = []

    def on_end(_: int, record: RunRecord) -> bool:
        records.append(record)
        return True

    executor.submit([spec], executor.slots[0], on_end).result()
    return records[0]


def main() -> None:
    """Run every mode in turn and print the time that each run took in addition to training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--max-train", type=int, default=64)
    options = parser.parse_args()
    protocol = Protocol(engine="cached", num_epochs=1, batch_size=32)
    data = DataSpec(source="reviews", max_train=options.max_train)
    rows = []
    for isolation, make in EXECUTORS.items():
        executor = make(ExecutorOptions(data_cache=DataCache(), data_cache_options={}, timeout_s=_TIMEOUT_S))
        extra = []
        for seed in range(options.runs):
            spec = RunSpec(model="embedded", data=data, freeze="emb+L0-5", seed=seed, protocol=protocol)
            began = time.perf_counter()
            record = trained(executor, spec)
            extra.append(time.perf_counter() - began - (record.value("train_and_eval_s") or 0.0))
        executor.close()
        rows.append([isolation, extra[0], statistics.median(extra[1:])])
    print(tabulate(rows, headers=["isolation", "first run, s", "others (median), s"], floatfmt=".2f"))


if __name__ == "__main__":
    main()
