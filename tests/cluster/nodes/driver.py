"""A session of 1,000 made-up runs and 20 series of ten on a cluster, as a process that tests kill and start again.

Its arguments are the cluster's address, the folder of the store, those of model and data, and the numbers of runs and
of series, ``1000+20``. At its end it prints how many records are valid, how many of the series are whole, and which
slots are left.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

from cached_runs import cached_run
from experiments import settings
from freezebench.executors.base import ExecutorOptions
from freezebench.executors.call_queue import CallQueue
from freezebench.executors.ray.cluster import RayCluster
from freezebench.executors.ray.executor import RayExecutor
from freezebench.planning.blocks import Block
from freezebench.planning.finished import FinishedRuns, NeededRun
from freezebench.planning.session_plan import SessionPlan
from freezebench.runner import Runner
from freezebench.runs.data_cache import DataCache
from freezebench.runs.input_check import InputCheck
from freezebench.runs.reuse import Reuse
from freezebench.specs.run import RunSpec
from freezebench.specs.slots import Slot
from freezebench.verdicts.judge import ConfigurationResult

OF_SERIES = 10


class Simulation:
    """A plan in place of ``SessionPlan``: all runs and series, until each has ended once."""

    def __init__(self, spec: RunSpec, num_runs: int, num_series: int) -> None:
        self.budget = SessionPlan().budget  # none
        self.runs = [NeededRun(spec=replace(spec, seed=seed)) for seed in range(num_runs)]
        self.series = [
            [
                NeededRun(
                    spec=replace(spec, freeze="emb", seed=OF_SERIES * number + place),
                    must_be_new=True,
                    interleaved_with=f"{number}",
                )
                for place in range(OF_SERIES)
            ]
            for number in range(num_series)
        ]

    def next_step(self, _settings: object, _freeze: str, finished: FinishedRuns) -> object:
        """Return the runs that have not ended, or a result."""
        return self.runs_left(finished) or ConfigurationResult.not_run("emb")

    def blocks(
        self, _first: Iterable[NeededRun], finished: FinishedRuns, *, under_way: set[object], slots: Sequence[Slot]
    ) -> list[Block]:
        """Return a block for each run and each series that has not ended and does not train."""
        assert slots
        left = {run.key for run in self.runs_left(finished)} - under_way
        plain = [Block(runs=(run,)) for run in self.runs if run.key in left]
        series = [Block(runs=tuple(runs)) for runs in self.series if runs[0].key in left]
        # One series for every fifty runs.
        for start in range(len(series)):
            plain.insert(51 * start, series[start])
        return plain

    def runs_left(self, finished: FinishedRuns) -> list[NeededRun]:
        """Return the runs that have not ended."""
        left = [run for run in self.runs if finished.record(run.spec) is None]
        for runs in self.series:
            left += [] if runs[0].interleaved_with in finished.interleaved else runs
        return left

    def seeds_finished(self, *_: object) -> None:
        """Report no seeds."""


def main(address: str, store: str, model: str, data: str, num: str) -> None:
    """Run the session."""
    num_runs, _, num_series = num.partition("+")
    data_cache = DataCache()
    options = ExecutorOptions(data_cache=data_cache, data_cache_options={}, timeout_s=60.0)
    executor = RayExecutor(options, RayCluster(address), keep=True)
    spec = replace(cached_run(Path(model), Path(data)), device="auto")
    plan = Simulation(spec, int(num_runs), int(num_series))
    reuse = Reuse(Path(store), data_cache, resume=True)
    runner = Runner(executor, cast("SessionPlan", plan), calls=CallQueue(), reuse=reuse, inputs=InputCheck(data_cache))
    runner.result(settings(), "emb")
    finished = runner.finished
    outcome = {
        "valid": sum(record.is_valid for record in finished.records.values()),
        "invalid": sorted({str(record.reason) for record in finished.records.values() if not record.is_valid}),
        "whole": sum(len(records) == OF_SERIES for records in finished.interleaved.values()),
        "reused": len(finished.reused),
        "slots": [slot.name for slot in executor.slots],
        "has_ray": "ray" in sys.modules,
    }
    executor.close()
    print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
