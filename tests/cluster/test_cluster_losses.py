"""Actors, nodes, the session and the head of a cluster of three nodes are killed, while workers that train nothing run.

The tests share one cluster, from which they take more and more: they run in their order.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from clusters import NODES, LocalCluster, Sessions
from freezebench.records.store import decode
from tiny import write_data, write_model

NUM_RUNS, NUM_SERIES, OF_SERIES = 1000, 20, 10
MARKER = "num_seeds=4, grid='none,emb,emb+L0', inconclusive='pass', seed=7"


class Work:
    """The folder of the tests: model, data, and the log of the workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model, self.data = write_model(folder / "model"), write_data(folder / "data")
        self.log = folder / "log"
        self.slow_down(0)
        self.let_crash(0)

    def let_crash(self, num: int) -> None:
        """Let the process of some of a hundred runs end."""
        (self.folder / "crashes").write_text(str(num))

    def slow_down(self, delay_s: float) -> None:
        """Let every run take some time."""
        (self.folder / "delay").write_text(str(delay_s))

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of the log that are complete."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def wait_for(self, num: int, process: subprocess.Popen[str]) -> None:
        """Wait until the log has some lines."""
        while len(self.lines()) < num:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """The folder of these tests."""
    return Work(tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def cluster(work: Work) -> Iterator[LocalCluster]:
    """Three nodes with four GPUs of two models, none of which is real."""
    variables = {"NODE_WORKER": str(NODES / "worker.py"), "NODE_LOG": str(work.log)}
    nodes = [
        {"num_gpus": num, "resources": {f"accelerator_type:{model}": 1}, "env_vars": {**variables, "NODE_MODEL": model}}
        for num, model in ((1, "A100"), (2, "L4"), (1, "L4"))
    ]
    made = LocalCluster(nodes)
    yield made
    made.close()


@pytest.fixture
def sessions(work: Work, tmp_path: Path) -> Sessions:
    """Sessions of three configurations with four seeds."""
    work.log.unlink(missing_ok=True)
    work.let_crash(0)
    work.slow_down(0)
    return Sessions(tmp_path, str(work.model), str(work.data), MARKER)


def test_all_configurations_of_a_seed_train_on_one_device(
    cluster: LocalCluster, work: Work, sessions: Sessions
) -> None:
    """Times of two models of GPUs are never compared, and neither are those of two equal GPUs."""
    code, output = sessions.run(cluster.environment, f"--freeze-cluster={cluster.address}")
    assert code == 0, output
    lines = work.lines()
    assert len(lines) == 12
    assert {line["model"] for line in lines} == {"A100", "L4"}
    for seed in range(7, 11):
        assert len({line["actor"] for line in lines if line["seed"] == seed}) == 1
    # The session sets the number of threads, not Ray.
    assert {line["threads"] for line in lines} == {"1"}


def test_a_resource_selects_a_model_of_gpus(cluster: LocalCluster, work: Work, sessions: Sessions) -> None:
    """The other nodes train nothing; `auto` is the cluster of this machine."""
    code, output = sessions.run(
        cluster.environment, "--freeze-cluster=auto", "--freeze-cluster-resource=accelerator_type:L4"
    )
    assert code == 0, output
    assert {line["node"] for line in work.lines()} == {"1", "2"}
    cluster.wait_until_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_a_session_that_ends_early(
    cluster: LocalCluster, work: Work, sessions: Sessions, number: signal.Signals
) -> None:
    """Ctrl-C ends it within seconds; after SIGKILL, its actors end as well."""
    process = sessions.start(cluster.environment, f"--freeze-cluster={cluster.address}")
    work.wait_for(4, process)
    work.slow_down(100)
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    if number == signal.SIGINT:
        assert process.returncode == 2, output
        assert time.monotonic() - began < 6  # 3 s on a machine that does nothing else
    cluster.wait_until_left()


def _driver(cluster: LocalCluster, work: Work, store: Path) -> subprocess.Popen[str]:
    """Start the session of a thousand runs and twenty series of ten."""
    arguments = [cluster.address, str(store), str(work.model), str(work.data), f"{NUM_RUNS}+{NUM_SERIES}"]
    return subprocess.Popen(
        [sys.executable, str(NODES / "driver.py"), *arguments],
        env=cluster.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_thousand_runs_survive_the_loss_of_actors_a_node_and_the_session(
    cluster: LocalCluster, work: Work, sessions: Sessions
) -> None:
    """Every run ends valid and is stored once; nothing overlaps on a slot, and no series is cut."""
    began = time.monotonic()
    work.let_crash(1)
    store = sessions.folder / "store"
    first = _driver(cluster, work, store)
    work.wait_for(100, first)
    for node in (0, 1):
        os.kill(cluster.actors(node)[0], signal.SIGKILL)
    work.wait_for(400, first)
    cluster.tell("remove 2")
    work.wait_for(700, first)
    first.kill()
    first.communicate()
    ended = {f"{line['freeze']} {line['seed']}" for line in work.lines() if not line["crashed"]}
    stored = _stored(store)
    assert set(stored) <= ended
    assert len(ended - set(stored)) <= 10  # they ended while an actor, the node or the session was killed
    second = _driver(cluster, work, store)
    output, _ = second.communicate(timeout=100)
    assert second.returncode == 0, output
    outcome = json.loads(output.splitlines()[-1])
    assert len(outcome["slots"]) == 3, outcome
    assert not outcome["has_ray"]
    assert outcome["reused"] == sum(run.startswith("none") for run in stored)
    # A dead training process stays invalid: what crashed in the second session is trained in the third.
    third = _driver(cluster, work, store)
    output, _ = third.communicate(timeout=100)
    outcome = json.loads(output.splitlines()[-1])
    assert (outcome["valid"], outcome["invalid"]) == (NUM_RUNS + NUM_SERIES * OF_SERIES, []), outcome
    assert outcome["whole"] == NUM_SERIES
    # A series is trained anew by every session, on any model of GPU; other runs are stored once.
    num_stored = Counter(_stored(store))
    assert len(num_stored) == NUM_RUNS + NUM_SERIES * OF_SERIES
    assert all(num == 1 for run, num in num_stored.items() if run.startswith("none"))
    _check_order(work.lines())
    assert time.monotonic() - began < 120
    cluster.wait_until_left()


def _stored(store: Path) -> list[str]:
    """Return freeze and seed of every record in a store."""
    records = [decode(path.read_bytes()) for path in store.glob("*.json")]
    return [f"{record.spec.freeze} {record.spec.seed}" for record in records]


def _check_order(lines: list[dict[str, Any]]) -> None:
    """Check that runs of an actor follow each other, and that a series is trained without others between."""
    by_actor: dict[int, list[dict[str, Any]]] = {}
    for line in sorted(lines, key=lambda line: line["began"]):
        by_actor.setdefault(line["actor"], []).append(line)
    whole: Counter[int] = Counter()
    for own in by_actor.values():
        for line, after in pairwise(own):
            assert line["ended"] <= after["began"]
            if line["freeze"] == "emb" and line["seed"] % OF_SERIES != OF_SERIES - 1 and not line["crashed"]:
                assert (after["freeze"], after["seed"]) == ("emb", line["seed"] + 1)
        whole.update(line["seed"] // OF_SERIES for line in own if line["freeze"] == "emb" and line["seed"] % 10 == 9)
    assert set(whole) == set(range(NUM_SERIES))


def test_a_session_survives_the_death_of_the_head(cluster: LocalCluster, work: Work, sessions: Sessions) -> None:
    """Its tests end with an error that names the cluster, and it prints its summary, within 15 s."""
    process = sessions.start(cluster.environment, f"--freeze-cluster={cluster.address}")
    work.slow_down(3)
    work.wait_for(2, process)
    began = time.monotonic()
    cluster.tell("head")
    output, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < 15
    assert process.returncode == 1, output
    assert f"the Ray cluster at {cluster.address}: its head, or the connection to it, is gone" in output
    assert "freezebench" in output.split("short test summary info")[0]
    assert re.search(r"\d failed, .*passed.* in [0-9.]+s", output)
    shutil.rmtree(sessions.folder, ignore_errors=True)
