"""A record with a value in every field, and files whose checksum is right over whatever they hold."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

import made_up
from freezebench.records.scores import pack_scores
from freezebench.records.store import encode

_SPLIT = {"class_counts": [20, 20], "word_counts": [0, 40], "num_in_train": 0, "num_repeated": 0, "constant_loss": 0.7}
_SET = {
    "name": "tweets",
    "source": "reviews:tweets",
    "num_test": 2,
    "test_sha256": "ab" * 32,
    "test_labels": [0, 1],
    "test_values": [0.5, 1.5],
    "test_lengths": [1, 1],
    "test_groups": [0, 0],
    "test_slices": [0, 0],
    "slice_names": ["tweets"],
    "notes": ["a note"],
}
_SERIES = {"metric": "rss_bytes", "device": "cpu", "times_s": [0.0], "values": [None], "num_samples": 1}


def full_record() -> dict[str, Any]:
    """Return the JSON of a record with a value in every field and every nested class."""
    run: dict[str, Any] = json.loads(encode(made_up.record("emb", num_test=40)))["record"]
    run["spec"]["data"] |= {
        "task": "sequence-classification",
        "slice_column": "domain",
        "group_column": "document",
        "test_sets": [{"name": "tweets", "source": "reviews:tweets"}],
    }
    run["test"]["scores"] = pack_scores(np.zeros((40, 2), dtype=np.float32))
    run["test_before"] = run["test"]
    run["tests"] = {"tweets": run["test"]}
    run["data"] |= {
        "splits": {"test": _SPLIT},
        "test_groups": list(range(40)),
        "dropped_rows": {"train": {"no_text": 1}},
        "test_values": [0.5] * 40,
        "test_lengths": [1] * 40,
        "test_slices": [0] * 40,
        "slice_names": ["movies"],
        "test_sets": [_SET],
    }
    run["devices"] = [{"name": "GPU", "uuid": "GPU-1", "driver": None}]
    run["trace"] = {"stretches": [{"rule": "all", "series": [_SERIES]}]}
    run["initial_sha256"] = ["a", "b"]
    return run


def signed(record: Any, files_sha256: object = "ef" * 32, **others: object) -> bytes:
    """Return a file whose checksum is right, whatever it holds."""
    body = {"record": record, "files_sha256": files_sha256}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return json.dumps({"schema": 1, "sha256": hashlib.sha256(text.encode()).hexdigest(), **body, **others}).encode()
