"""What the worker processes of tests/executors are asked, and answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import made_up
from freezebench.executors.base import Executor
from freezebench.executors.worker import WorkerExecutor
from freezebench.records.run_record import RunRecord
from freezebench.specs.run import RunSpec

# Makes an executor whose worker behaves in some way: the fixture ``make``.
Make = Callable[..., WorkerExecutor]


def run(executor: WorkerExecutor, record: RunRecord | None = None) -> RunRecord:
    """Return the record of a run, a made-up one's by default."""
    return trained(executor, (record or made_up.record("emb")).spec)


def trained(executor: Executor, spec: RunSpec, *, save_to: Path | None = None) -> RunRecord:
    """Return the record of a run that an executor trains on its first slot."""
    records: list[RunRecord] = []

    def on_end(_: int, record: RunRecord) -> bool:
        records.append(record)
        return True

    executor.submit([spec], executor.slots[0], on_end, save_to=save_to).result(timeout=300)
    (record,) = records
    return record


def answers(record: RunRecord) -> str:
    """Return the behaviour of a worker that answers with a record."""
    return f"result = {{'value': json.loads({json.dumps(record.to_json())!r})}}"
