"""Made-up saved runs, as values and as files, for tests of comparisons."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.records.saved import SavedConfiguration, SavedRun, from_records
from freezebench.records.saved_info import to_info
from made_up import seeds


def timed(records: list[RunRecord], **factors: float) -> list[RunRecord]:
    """Return runs whose readings are multiplied, with a small difference between runs."""
    changed = []
    for index, record in enumerate(records):
        readings = dict(record.readings)
        for name, factor in factors.items():
            noise = 1 + 0.001 * index
            value = (readings[name].value or 100.0) * factor * noise
            readings[name] = Reading(value=value, unit=readings[name].unit, source="made up")
        changed.append(replace(record, readings=readings))
    return changed


def with_protocol(records: list[RunRecord], **changes: Any) -> list[RunRecord]:
    """Return runs of another protocol."""
    return [
        replace(record, spec=replace(record.spec, protocol=replace(record.spec.protocol, **changes)))
        for record in records
    ]


def configuration(freeze: str = "emb", *, test: str = "t.py::test_it", **options: Any) -> SavedConfiguration:
    """Return a saved configuration of made-up runs."""
    return from_records(freeze, seeds(freeze, **options), node_id=f"{test}[{freeze}]")


def saved(*configurations: SavedConfiguration, source: str = "0001_old.json") -> SavedRun:
    """Return a saved run."""
    return SavedRun(source=source, date="2026-11-23", configurations=configurations)


def benchmark_json(*configurations: SavedConfiguration) -> dict[str, Any]:
    """Return the content of a pytest-benchmark file, with one benchmark of another plugin."""
    ours = [{"fullname": saved.node_id, "extra_info": {"freezebench": to_info(saved)}} for saved in configurations]
    foreign = {"fullname": "other.py::test_other", "extra_info": {}}
    return {"datetime": "2026-11-23T00:00:00", "machine_info": {}, "benchmarks": [foreign, *ours]}


def write(path: Path, content: Any) -> Path:
    """Write JSON, or a text unchanged, to a file."""
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def outcomes(report: Path) -> Any:
    """Return step losses and test results of every run of a report."""
    content = json.loads((report / "report.json").read_text(encoding="utf-8"))
    runs: dict[str, Any] = {}

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "best_epoch" in value:
                runs[json.dumps(value["spec"], sort_keys=True)] = (value["step_losses"], value["test"])
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(content)
    assert runs
    return runs
