"""Real training on a cluster: what it gives, and which nodes and addresses are refused before it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusters import ROOT, LocalCluster, Sessions
from freezebench.cli import main
from freezebench.records.store import decode
from tiny import loaded_predictions, write_data, write_model

MARKER = (
    "num_seeds=2, grid='none,emb', epochs=4, lr=1e-2, batch_size=8, precision='float32', margin=20, max_drop=20, "
    "engine='cached', inconclusive='pass'"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model and data; those of another content in the home folder of a node; and a changed copy of freezebench."""
    folder = tmp_path_factory.mktemp("work")
    for home, sizes in (("home", (48, 24, 40)), ("other-home", (48, 24, 44))):
        write_data(folder / home / "data", sizes=sizes)
        write_model(folder / home / "model", is_pretrained=True)
    shutil.copytree(
        ROOT / "freezebench", folder / "other" / "freezebench", ignore=shutil.ignore_patterns("__pycache__")
    )
    with (folder / "other" / "freezebench" / "units.py").open("a") as file:
        file.write("# changed\n")
    return folder


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[LocalCluster]:
    """Two nodes that can train, one with other data, and one with another freezebench."""
    home, other_home = str(folder / "home"), str(folder / "other-home")
    nodes: list[dict[str, Any]] = [
        {"resources": {"good": 1, "same_code": 1}, "env_vars": {"HOME": home}},
        {"resources": {"good": 1, "same_code": 1}, "env_vars": {"HOME": home}},
        {"resources": {"same_code": 1}, "env_vars": {"HOME": other_home}},
        {"env_vars": {"HOME": home, "PYTHONPATH": str(folder / "other")}},
    ]
    made = LocalCluster(nodes, HOME=home)
    yield made
    made.close()


def test_runs_on_two_nodes_are_those_of_one_process(cluster: LocalCluster, folder: Path, tmp_path: Path) -> None:
    """Bit for bit and under the same keys; and the model of the recommended one is saved here."""
    sessions = Sessions(tmp_path, str(folder / "home" / "model"), str(folder / "home" / "data"), MARKER)
    code, output = sessions.run(cluster.environment, "--freeze-store=serial")
    assert code == 0, output
    options = (f"--freeze-cluster={cluster.address}", "--freeze-cluster-resource=good")
    code, output = sessions.run(cluster.environment, *options, "--freeze-store=cluster", "--freeze-save=saved")
    assert code == 0, output
    records = {}
    for name in ("serial", "cluster"):
        files = sorted((tmp_path / name).glob("*.json"))
        records[name] = {path.name: decode(path.read_bytes()) for path in files}
    assert len(records["serial"]) == 4
    assert list(records["serial"]) == list(records["cluster"])
    for name, serial in records["serial"].items():
        there = records["cluster"][name]
        assert (serial.step_losses, serial.test) == (there.step_losses, there.test)
    assert len(loaded_predictions(tmp_path / "saved")) == 40
    cluster.wait_until_left()


def test_doctor_lists_the_nodes(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their devices, what can be measured there, and which of them a session would refuse."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", "--freeze-cluster=auto", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    nodes = [row["available"] for name, row in rows.items() if ": node " in name]
    assert sorted(nodes) == [False, True, True, True]
    devices = [row for name, row in rows.items() if name.endswith(" cpu: device")]
    assert [row["available"] for row in devices] == [True] * 4
    assert any("peak_rss_bytes" in name for name in rows)
    assert "ray" not in sys.modules


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ("same_code", "other content of ~/data (test). Put both at the same paths on every node"),
        (None, "(the source of freezebench differs from the one here). Install the same versions"),
        ("H100", "no node of the Ray cluster has this resource, and a request for it would wait forever"),
    ],
)
def test_nodes_that_cannot_train_are_refused_before_a_run(
    cluster: LocalCluster, tmp_path: Path, resource: str | None, reason: str
) -> None:
    """By name, with exit code 4."""
    sessions = Sessions(tmp_path, "~/model", "~/data", MARKER)
    options = [f"--freeze-cluster={cluster.address}", "--freeze-store=store"]
    code, output = sessions.run(
        cluster.environment, *options, *([f"--freeze-cluster-resource={resource}"] if resource else [])
    )
    assert code == 4, output
    assert reason in output
    assert not (tmp_path / "store").exists() or not list((tmp_path / "store").glob("*.json"))


def test_an_address_without_a_cluster_ends_within_a_deadline(folder: Path, tmp_path: Path) -> None:
    """With what to check."""
    sessions = Sessions(tmp_path, str(folder / "home" / "model"), str(folder / "home" / "data"), MARKER)
    began = time.monotonic()
    code, output = sessions.run({**os.environ, "PYTHONPATH": str(ROOT)}, "--freeze-cluster=127.0.0.1:1")
    assert code == 4, output
    assert "--freeze-cluster=127.0.0.1:1: no Ray cluster answers there. Check that `ray status" in output
    assert time.monotonic() - began < 60
