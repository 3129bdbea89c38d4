"""Ray clusters for tests, their processes, and the sessions that use them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leftovers import processes

ROOT = Path(__file__).resolve().parents[1]
NODES = Path(__file__).resolve().parent / "cluster" / "nodes"
_LEAVE_S = 15.0
TEST = """
import sys
import pytest

@pytest.mark.freeze(model={model!r}, data={data!r}, {marker})
def test_it(freeze_run):
    freeze_run()

def test_ray_is_not_imported():
    assert "ray" not in sys.modules
"""


class LocalCluster:
    """A cluster of several nodes on this machine.

    Attributes:
        address: Its address.
        folder: Where Ray keeps its files; only processes with ``environment`` find the cluster as ``auto``.
        environment: The environment of sessions.
    """

    def __init__(self, nodes: Sequence[Mapping[str, Any]], **environment: str) -> None:
        """Start it; each node's processes have the number of the node in the variable NODE."""
        self.folder = tempfile.mkdtemp(prefix="fbray-", dir="/tmp")  # sockets need a short path
        self._mark = f"NODES_OF={self.folder}"
        shared = {"PYTHONPATH": os.pathsep.join((str(NODES), str(ROOT))), "OMP_NUM_THREADS": "1"}
        arguments = []
        for number, node in enumerate(nodes):
            own = {"NODE": str(number), "NODES_OF": self.folder}
            arguments.append({**node, "env_vars": shared | own | node.get("env_vars", {})})
        self.environment = {
            **os.environ,
            "RAY_TMPDIR": self.folder,
            "TMPDIR": self.folder,
            "RAY_USAGE_STATS_ENABLED": "0",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1",
            **environment,
        }
        self._process = subprocess.Popen(
            [sys.executable, str(NODES / "cluster.py"), json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self.environment,
        )
        self.address = self._answer("address")

    def tell(self, command: str) -> None:
        """Let the cluster remove or add a node, and wait for it."""
        assert self._process.stdin
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        self._answer("done")

    def actors(self, node: int) -> list[int]:
        """Return the ids of the actors' processes on a node."""
        ids = processes(f"NODE={node}")
        return [number for number in ids if self._is_actor(number)]

    def wait_until_left(self) -> None:
        """Wait until no actor is left on any node; fail after some seconds."""
        deadline = time.monotonic() + _LEAVE_S
        while any(self._is_actor(number) for number in processes(self._mark)):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def close(self) -> None:
        """End all processes, and remove their files."""
        self._process.communicate(timeout=60)  # closes its input, which ends it
        for number in processes(self._mark):
            os.kill(number, 9)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_actor(self, number: int) -> bool:
        try:
            command = Path(f"/proc/{number}/cmdline").read_bytes()
            environment = Path(f"/proc/{number}/environ").read_bytes()
        except OSError:
            return False
        return command.startswith(b"ray::SlotActor") and f"{self._mark}\0".encode() in environment

    def _answer(self, word: str) -> str:
        assert self._process.stdout
        for line in self._process.stdout:
            first, _, rest = line.strip().partition(" ")
            if first == word:
                return rest
        raise AssertionError("the cluster ended")


class Sessions:
    """Sessions of a project in a folder, each in a process of its own, which a cluster's environment surrounds."""

    def __init__(self, folder: Path, model: str, data: str, marker: str) -> None:
        """Write the project, whose marker has more arguments."""
        (folder / "test_project.py").write_text(TEST.format(model=model, data=data, marker=marker), encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        self.folder = folder

    def start(self, environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
        """Start a session."""
        options = ("-q", "-p", "no:randomly", "-p", "no:cacheprovider")
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *arguments],
            cwd=self.folder,
            env={**environment, "COLUMNS": "300", "PYTEST_ADDOPTS": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, environment: Mapping[str, str], *arguments: str) -> tuple[int, str]:
        """Return the exit code of a session, and what it printed."""
        process = self.start(environment, *arguments)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output
