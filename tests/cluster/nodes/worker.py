"""A worker of a test cluster: it trains nothing, and its records are made up.

Variables of its node say what it does: NODE_LOG is the file that gets a line of JSON for each run; NODE_MODEL the name
of its GPU, a CPU without it. Files beside the log say the rest: ``delay`` how long a run takes, in seconds, and
``crashes`` in how many of a hundred runs its process ends, the first time that each of them is trained.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

import made_up
from freezebench.runs.data_cache import DataCache
from freezebench.runs.input_check import input_hashes
from freezebench.specs.run import RunSpec

LOG = Path(os.environ["NODE_LOG"])
GPU = os.environ.get("NODE_MODEL")

MACHINE: dict[str, Any] = {
    "device": "cuda:0" if GPU else "cpu",
    "device_name": GPU or "a CPU",
    "precision": "float32",
    "environment": {},
}

data_cache = DataCache()


def crashes(spec: RunSpec) -> bool:
    """Return whether a run ends this process: some do when they are trained for the first time."""
    if int(spec.run_id, 16) % 100 >= int(LOG.with_name("crashes").read_text()):
        return False
    mark = LOG.with_name(f"crashed-{spec.run_id}")
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def run(spec: RunSpec) -> dict[str, Any]:
    """Return a made-up record of a run, whose data and model are the real ones."""
    began = time.time()
    time.sleep(float(LOG.with_name("delay").read_text()))
    record = made_up.record(spec.freeze, spec.seed, spec=spec, num_test=40, **MACHINE)
    facts, files = data_cache.data(spec).facts, data_cache.file_hashes(spec)
    assert record.data
    assert files
    hashes = {name: getattr(facts, name) for name in ("train_sha256", "validation_sha256", "test_sha256")}
    is_crash = crashes(spec)
    line = {
        "actor": os.getppid(),
        "model": GPU,
        "node": os.environ["NODE"],
        "began": began,
        "ended": time.time(),
        "freeze": spec.freeze,
        "seed": spec.seed,
        "crashed": is_crash,
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }
    with LOG.open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
    if is_crash:
        os._exit(1)
    loss = 0.7 + spec.seed / 1e6  # never the same for two seeds
    record = replace(
        record,
        data=replace(record.data, **hashes),
        model_sha256=files.weights_sha256,
        files_sha256=files.files_sha256,
        step_losses=(loss,) * len(record.epochs),
        epochs=tuple(replace(epoch, train_loss=loss) for epoch in record.epochs),
    )
    return record.to_json()


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the value that answers a request."""
    match request["kind"]:
        case "machine":
            return MACHINE
        case "inputs":
            return dict(input_hashes(RunSpec.from_json(request["spec"]), data_cache))
        case "run":
            return run(RunSpec.from_json(request["spec"]))
    return {}


def main(descriptor: str) -> None:
    """Answer requests until the socket ends."""
    channel = socket.socket(fileno=int(descriptor))
    lines, events = channel.makefile("r"), channel.makefile("w")

    def send(event: str, **fields: object) -> None:
        print(json.dumps({"event": event, **fields}), file=events, flush=True)

    next(lines)
    send("Ready")
    for line in lines:
        send("Answer", value=answer(json.loads(line)["request"]))


if __name__ == "__main__":
    main(sys.argv[1])
