"""Weights & Biases in its offline mode: what its files hold, and what they do not."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,  # the library starts a process of its own
    pytest.mark.skipif(not importlib.util.find_spec("wandb"), reason="the extra `wandb` is not installed"),
]

TESTS = Path(__file__).resolve().parents[1]
# In a process of its own, with which that of the library ends.
SCRIPT = """
import sys
from pathlib import Path
import experiments
from freezebench.report.tracking.content import logged
from freezebench.report.tracking.registry import make_trackers

files = {"pictures/a.svg": Path(sys.argv[1])}
(tracker,) = make_trackers(["wandb"], "--freeze-log")
print(tracker.destination)
print(tracker.log(logged(experiments.experiment(num=1), reused=set(), files=files)))
print(tracker.destination)
"""
_BLOCK, _HEADER = 32768, 7


def _run(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Log an experiment, offline unless the variables say something else."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
        "HOME": str(folder / "home"),
        "WANDB_MODE": "offline",
        "WANDB_ERROR_REPORTING": "false",
        "SECRET_TOKEN": "do-not-log",
        **variables,
    }
    picture = folder / "a.svg"
    picture.write_text("<svg/>", encoding="utf-8")
    command = [sys.executable, "-c", SCRIPT, str(picture)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)


def _records(path: Path) -> Iterator[bytes]:
    """Yield the entries of a file of the library, which has LevelDB's format: blocks of parts, each with a header."""
    data, entry = path.read_bytes(), b""
    position = _HEADER  # of the file
    while position + _HEADER <= len(data):
        if _BLOCK - position % _BLOCK < _HEADER:  # padding
            position += _BLOCK - position % _BLOCK
        length, kind = int.from_bytes(data[position + 4 : position + 6], "little"), data[position + 6]
        entry += data[position + _HEADER : position + _HEADER + length]
        position += _HEADER + length
        if kind in (1, 4):  # whole, or the last part
            yield entry
            entry = b""


def _content(path: Path) -> dict[str, Any]:
    """Return what the file of a run holds."""
    from wandb.proto.wandb_internal_pb2 import Record

    content: dict[str, Any] = {"history": [], "summary": {}, "artifacts": []}
    for entry in _records(path):
        record = Record.FromString(entry)
        match record.WhichOneof("record_type"):
            case "run":
                content["run"] = record.run
                content["config"] = {item.key: json.loads(item.value_json) for item in record.run.config.update}
            case "history":
                names = ((item.key or item.nested_key[0], item.value_json) for item in record.history.item)
                content["history"].append({name: json.loads(value) for name, value in names})
            case "summary":
                names = ((item.key or "/".join(item.nested_key), item.value_json) for item in record.summary.update)
                content["summary"] |= {name: json.loads(value) for name, value in names}
            case "artifact":
                content["artifacts"].append(record.artifact.type)
    return content


def test_every_run_is_in_the_group_of_its_experiment(tmp_path: Path) -> None:
    """With parameters, figures and losses; the run above has the verdicts; no variable of the process is kept."""
    result = _run(tmp_path, WANDB_PROJECT="mine")
    assert result.returncode == 0, result.stderr
    destination, place, afterwards = result.stdout.splitlines()
    assert destination == afterwards == f"Weights & Biases: offline, {tmp_path / 'wandb'}, project mine"
    paths = sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    runs = {content["run"].display_name: content for content in map(_content, paths)}
    assert len(paths) == len(runs) == 5
    assert {content["run"].run_group for content in runs.values()} == {place.removeprefix("group ")}
    assert {content["run"].project for content in runs.values()} == {"mine"}
    parent = runs.pop("tiny on made-up")
    assert (parent["run"].job_type, {content["run"].job_type for content in runs.values()}) == ("experiment", {"run"})
    assert parent["config"]["verdict/emb"] == "inconclusive"
    assert parent["summary"]["speedup/emb"] == pytest.approx(2.0)
    assert parent["artifacts"].count("report") == 1
    run = runs["emb+L0, seed 42"]
    assert {"freeze": "emb+L0", "seed": 42, "reused": "false"}.items() <= run["config"].items()
    assert run["summary"]["energy_j"] == 242.0
    assert [row["train/loss"] for row in run["history"]] == [0.7 + 42 / 1e6, 0.5]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "wandb").rglob("*") if path.is_file())
    assert b"do-not-log" not in kept


def test_another_folder_of_the_library_is_named(tmp_path: Path) -> None:
    """Where WANDB_DIR cannot be written to, the runs are in a temporary folder, and the session says so."""
    (tmp_path / "file").touch()
    (tmp_path / "other").mkdir()
    result = _run(tmp_path, WANDB_DIR=str(tmp_path / "file"), TMPDIR=str(tmp_path / "other"))
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "other" / "wandb"
    assert result.stdout.splitlines()[-1] == f"Weights & Biases: offline, {folder}, project freezebench"
    assert len(list(folder.glob("offline-run-*"))) == 5


def test_a_missing_key_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    """Not after hours of training, and not by a question that waits for an answer."""
    result = _run(tmp_path, WANDB_MODE="online", WANDB_BASE_URL="http://127.0.0.1:9")
    assert result.returncode == 1
    assert (
        "--freeze-log=wandb: Weights & Biases (http://127.0.0.1:9) needs an API key, and there is none" in result.stderr
    )
