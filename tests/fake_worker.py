"""What the worker processes of tests/executors are asked, and answer."""

from __future__ import annotations

import json
from collections.abc import Callable

import made_up
from freezebench.executors.worker import WorkerExecutor
from freezebench.records.run_record import RunRecord

# Makes an executor whose worker behaves in some way: the fixture ``make``.
Make = Callable[..., WorkerExecutor]


def run(executor: WorkerExecutor, record: RunRecord | None = None) -> RunRecord:
    """Return the record of a run, a made-up one's by default."""
    return executor.submit((record or made_up.record("emb")).spec).result(timeout=60)


def answers(record: RunRecord) -> str:
    """Return the behaviour of a worker that answers with a record."""
    return f"result = {{'value': json.loads({json.dumps(record.to_json())!r})}}"
