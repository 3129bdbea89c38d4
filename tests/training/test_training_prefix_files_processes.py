"""Several processes with one folder of prefixes compute each of them once."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from cached_runs import cached_run
from freezebench.records import locks
from freezebench.records.locks import Lock
from freezebench.training.batches.packed import PackedSplit
from freezebench.training.prefix.cache import PrefixCache
from freezebench.training.prefix.cached_prefix import CachedPrefix
from freezebench.training.prefix.files import PrefixFolder
from freezebench.training.prefix.frozen_prefix import FrozenPrefix

FROZEN = cast("FrozenPrefix", SimpleNamespace(num_layers=2, shared_key=lambda _depth, _splits, key: (key, 2)))

# A run of the cached engine in a process of its own. It says when its pass begins, which lasts until it may go on, and
# when it waits for another process; at last it gives its record and how many passes it made.
_RUN = """
import json, sys
from freezebench.records import locks
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.specs.run import RunSpec
from freezebench.training.prefix.cache import PrefixCache

folder, expected, spec = sys.argv[1], json.loads(sys.argv[2]), RunSpec.from_json(json.loads(sys.argv[3]))
compute, sleep = PrefixCache._compute, locks.time.sleep

def slow(*arguments):
    print("computes", flush=True)
    sys.stdin.readline()
    return compute(*arguments)

def waits(seconds):
    print("waits", flush=True)
    locks.time.sleep = sleep

PrefixCache._compute, locks.time.sleep = slow, waits
data_cache = DataCache(prefix_folder=folder)
data_cache.expect(expected)
record = run(spec, data_cache=data_cache)
print(json.dumps({"passes": data_cache.prefixes.num_passes, "record": record.to_json()}), flush=True)
"""


class _Cache(PrefixCache):
    """A cache whose pass over the data does nothing, after an announcement."""

    def __init__(self, folder: Path, compute: Callable[[], object] = lambda: None) -> None:
        super().__init__(folder=PrefixFolder(folder))
        self._before = compute
        self.computed: list[set[int]] = []

    def _compute_as_many_as_fit(
        self, frozen: FrozenPrefix, depth: int, missing: set[int], splits: Mapping[str, PackedSplit]
    ) -> dict[int, CachedPrefix]:
        assert frozen is FROZEN
        assert depth in missing
        assert not splits
        self.computed.append(missing)
        self._before()
        return {other: CachedPrefix(hidden={"train": torch.ones(2, other + 1)}, num_bytes=8) for other in missing}

    def get(self, depth: int) -> CachedPrefix:
        return self.prefix(FROZEN, depth, {}, "key")


@pytest.fixture
def during_a_pass(tmp_path: Path) -> Iterator[threading.Event]:
    """Let another cache compute the depths 0 and 1 in a thread, until the event is set."""
    begun, may_end = threading.Event(), threading.Event()

    def compute() -> None:
        begun.set()
        may_end.wait(10)

    first = _Cache(tmp_path, compute)
    first.expect([0, 1])
    thread = threading.Thread(target=first.get, args=(1,))
    thread.start()
    assert begun.wait(5)
    yield may_end
    may_end.set()
    thread.join()
    assert first.computed == [{0, 1}]


def _when_it_waits(monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]) -> list[float]:
    """Call something when a lock is not free, in place of a pause; return the list of pauses."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        call()
        threading.Event().wait(0.01)

    monkeypatch.setattr(locks, "time", SimpleNamespace(sleep=sleep))
    return pauses


def test_the_second_waits_for_the_first_and_reads(
    tmp_path: Path, during_a_pass: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It computes nothing, is charged with nothing, and leaves no lock."""
    pauses = _when_it_waits(monkeypatch, during_a_pass.set)
    second = _Cache(tmp_path)
    prefix = second.get(1)
    assert pauses
    assert second.computed == []
    assert prefix.seconds is None
    assert prefix.hidden["train"].shape == (2, 2)
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors"}


def test_a_depth_that_the_first_did_not_expect_is_computed_alone(
    tmp_path: Path, during_a_pass: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first has written is read."""
    _when_it_waits(monkeypatch, during_a_pass.set)
    second = _Cache(tmp_path)
    second.expect([1])
    assert second.get(2).seconds is not None
    assert second.computed == [{2}]
    assert second.get(1).where.endswith("freezebench-prefix-key-1.safetensors")


def test_without_locks_each_computes(
    tmp_path: Path, during_a_pass: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that has none."""

    def fail(_: Lock) -> bool:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(Lock, "try_acquire", fail)
    second = _Cache(tmp_path)
    assert second.get(1).seconds is not None
    assert not during_a_pass.is_set()


def test_a_pass_that_fails_frees_the_lock(tmp_path: Path) -> None:
    """The next one computes."""

    def fail() -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        _Cache(tmp_path, fail).get(1)
    assert list(tmp_path.iterdir()) == []
    assert _Cache(tmp_path).get(1).seconds is not None


class _Process:
    """A run in another process."""

    def __init__(self, folder: Path, spec: Any, *expected: str) -> None:
        command = [sys.executable, "-c", _RUN, str(folder), json.dumps(expected), json.dumps(spec.to_json())]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def says(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self) -> tuple[int, dict[str, Any]]:
        with self.process:
            result = json.loads(self.says())
        return result["passes"], result["record"]


@pytest.mark.slow
@pytest.mark.parametrize("is_killed", [False, True], ids=["", "killed"])
def test_two_processes_make_one_pass(tiny_model: Path, tiny_data: Path, tmp_path: Path, is_killed: bool) -> None:
    """The second one waits, and is charged with no part of the wait; if the first one is killed, it computes."""
    spec = cached_run(tiny_model, tiny_data, freeze="emb+L0")
    first = _Process(tmp_path, spec, "emb", "emb+L0")
    assert first.says() == "computes"
    second = _Process(tmp_path, replace(spec, seed=43), "emb", "emb+L0")
    assert second.says() == "waits"
    threading.Event().wait(3)
    if is_killed:
        first.process.kill()
        first.process.communicate()
        assert second.says() == "computes"
        second.go_on()
        passes, record = second.result()
        assert passes == 1
    else:
        first.go_on()
        passes, record = first.result()
        assert passes == 1
        assert record["readings"]["prefix_s"]["value"] > 3
        passes, record = second.result()
        assert passes == 0
        seconds = [reading["value"] for reading in record["readings"].values() if reading["unit"] == "s"]
        assert max(value for value in seconds if value is not None) < 3
        assert record["readings"]["prefix_s"]["value"] is None
    assert record["status"] == "completed"
    assert sorted(path.name[-13:-12] for path in tmp_path.iterdir()) == ["0", "1"]
