"""Sessions whose runs train on two slots of one processor."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import freezebench
from freezebench.records.run_record import RunRecord
from freezebench.records.store import decode

# Python imports it when it starts: a worker appends its process id, and how many passes it has made over the data.
_COUNT_PASSES = """
import os, sys

if "freezebench.executors.worker_main" in sys.orig_argv:
    from freezebench.executors.worker_main import RequestHandler

    run = RequestHandler._run

    def counted(self, request, data_cache):
        record = run(self, request, data_cache)
        with open(os.environ["FREEZEBENCH_TEST"], "a") as file:
            print(os.getpid(), data_cache.prefixes.num_passes, file=file)
        return record

    RequestHandler._run = counted
"""


def _records(store: Path) -> dict[str, RunRecord]:
    return {path.name: decode(path.read_bytes()) for path in store.glob("*.json")}


def _outcome(record: RunRecord) -> RunRecord:
    """Return a record without what differs between two sessions: ids, dates and everything that is measured."""
    epochs = tuple(replace(epoch, train_s=None, contended_share=None) for epoch in record.epochs)
    return replace(record, session="", started_at="", epochs=epochs, readings={}, trace={}, devices=(), warnings=())


@pytest.mark.slow
def test_two_slots_give_the_records_of_one(
    project: Callable[..., pytest.Pytester], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, under the same keys, with one pass over the data. Times are not measured; a later run has them."""
    (tmp_path / "sitecustomize.py").write_text(_COUNT_PASSES)
    package = Path(freezebench.__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (tmp_path, package))))
    monkeypatch.setenv("FREEZEBENCH_TEST", str(tmp_path / "passes"))
    session = project("grid='none,emb,emb+L0,emb+L0-1', num_seeds=2, max_drop=90, engine='cached'")
    common = ("--freeze-device=auto", "--freeze-isolate=worker", "-p", "no:cacheprovider")

    session.runpytest_inprocess(*common, f"--freeze-store={tmp_path / 'one'}").assert_outcomes(passed=4)
    (tmp_path / "passes").unlink()
    two = (*common, f"--freeze-store={tmp_path / 'two'}")
    session.runpytest_inprocess(*two, "--freeze-devices=cpu,cpu").assert_outcomes(passed=4)

    serial, parallel = _records(tmp_path / "one"), _records(tmp_path / "two")
    assert len(serial) == 8
    assert {name: _outcome(record) for name, record in parallel.items()} == {
        name: _outcome(record) for name, record in serial.items()
    }
    assert not any(record.has_times for record in parallel.values())
    assert all("processor" in str(record.readings["train_s"].reason) for record in parallel.values())
    passes = dict(line.split() for line in (tmp_path / "passes").read_text().splitlines())
    assert sorted(passes.values()) == ["0", "1"]

    session.runpytest_inprocess(*two, "--freeze-resume=no").assert_outcomes(passed=4)
    assert all(record.has_times for record in _records(tmp_path / "two").values())
