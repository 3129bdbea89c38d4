"""Saved runs of earlier sessions."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freezebench.errors import RecordError
from freezebench.records import saved_files
from freezebench.records.saved import SavedConfiguration, from_records
from freezebench.records.saved_files import read_saved_run
from freezebench.records.saved_info import EXTRA_INFO_SCHEMA, from_info, to_info
from made_up import broken, seeds
from saved_runs import benchmark_json, configuration, write


@pytest.mark.parametrize("num_test", [2, 7, 8, 9, 401])
def test_a_configuration_survives_json(num_test: int) -> None:
    """Outcomes are packed as bits, whatever their number; every field is restored."""
    before = configuration(num_test=num_test)
    after = from_info(json.loads(json.dumps(to_info(before))), before.node_id)
    assert to_info(after) == to_info(before)
    for old, new in zip(before.runs, after.runs, strict=True):
        assert np.array_equal(old.outcomes, new.outcomes)


def test_runs_keep_the_model_of_their_device() -> None:
    """The configuration has the one of most runs; a run names its own only where it is another one."""
    names = ("T4", "A100", "A100")
    runs = [replace(run, device_name=name) for run, name in zip(seeds("emb"), names, strict=True)]
    before = from_records("emb", runs)
    info = json.loads(json.dumps(to_info(before)))
    assert [run.get("device_name") for run in info["runs"]] == ["T4", None, None]
    after = from_info(info, None)
    assert (after.device_name, dict(after.num_runs_by_model)) == ("A100", {"T4": 1, "A100": 2})
    assert [run.seed for run in after.on_model("T4").runs] == [42]
    assert after.on_model("T4").device_name == "T4"
    info["runs"][0]["device_name"] = ["T4"]
    with pytest.raises(RecordError, match="'device_name' is missing or no str"):
        from_info(info, None)


def test_freeze_tests_are_read_from_a_benchmark_file(tmp_path: Path) -> None:
    """Other benchmarks are ignored."""
    saved = read_saved_run(write(tmp_path / "b.json", benchmark_json(configuration("none"), configuration("emb"))))
    assert [saved_configuration.node_id for saved_configuration in saved.configurations] == [
        "t.py::test_it[none]",
        "t.py::test_it[emb]",
    ]
    assert saved.date == "2026-11-23T00:00:00"


def test_a_report_is_read_from_its_folder_or_file(tmp_path: Path) -> None:
    """A report gives the same as a benchmark file, except for the names of the tests."""
    runs = [record.to_json() for record in seeds("emb")]
    fault = [broken("head").to_json()]
    configurations = [
        {"freeze": "emb", "broken": None, "runs": runs},
        {"freeze": "head", "broken": "seed 42: non-finite loss", "runs": fault},
    ]
    content = {"schema": saved_files.REPORT_SCHEMA, "experiments": [{"configurations": configurations}]}
    file = write(tmp_path / "report.json", content)
    saved = read_saved_run(tmp_path).configurations
    assert to_info(saved[0]) == to_info(configuration("emb"))
    assert saved[1].broken == "seed 42: non-finite loss"
    assert len(read_saved_run(file).configurations) == 2


def _set(*path: str | int, to: object) -> Callable[[Any], object]:
    """Return a function that changes one entry of the first configuration of a benchmark file."""

    def change(content: Any) -> object:
        parent = content["benchmarks"][1]["extra_info"]["freezebench"]
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = to
        return content

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("schema", to=EXTRA_INFO_SCHEMA + 1), "a newer version wrote it"),
        (_set("schema", to=1), "save the reference anew"),
        (_set("schema", to=None), "save the reference anew"),
        (_set("freeze", to="non sense"), "no freeze spec"),
        (_set("runs", to=[]), "has no runs"),
        (_set("runs", to="many"), "'runs' is missing"),
        (_set("runs", 0, to=None), "'num_test' is missing"),
        (_set("runs", 0, "num_test", to=399), "outcomes"),
        (_set("runs", 0, "num_test", to=2), "do not fit 2 test sentences"),
        (_set("runs", 0, "num_test", to=10**12), "do not fit"),
        (_set("runs", 0, "num_test", to=True), "'num_test' is missing or no int"),
        (_set("runs", 0, "test_correct_base64", to="?" * 68), "no Base64"),
        (_set("runs", 0, "test_correct_base64", to="A" * 67 + "="), "give an accuracy of 0.0000"),
        (_set("runs", 0, "accuracy", to=None), "None was saved"),
        (_set("runs", 0, "seed", to=43), "a seed twice"),
        (_set("runs", 0, "readings", "train_s", to=float("nan")), "holds NaN"),
        (_set("runs", 0, "readings", "train_s", to="fast"), "no finite number"),
        (_set("data_sha256", to={}), "does not say which model, data"),
        (_set("data_sha256", "test", to=3), "does not say which model, data"),
        (_set("runs", 0, "readings", "train_s", to=10**400), "no finite number"),
        (_set("runs", 0, "accuracy", to=10**400), r"but 1000.* was saved"),
        (_set("runs", 0, "seed", to=10**400), "1000.* is no seed"),
        (_set("runs", 0, "seed", to=-1), "-1 is no seed"),
        (_set("runs", 0, "num_test", to=10**400), r"do not fit 1000.*\.\.\..*000 test sentences"),
        (_set("model", to=None), "does not say which model"),
        (_set("protocol", to=None), "'protocol' is missing"),
        (lambda content: {**content, "benchmarks": content["benchmarks"][:1]}, "no freezebench figures"),
        (lambda content: {**content, "benchmarks": content["benchmarks"][1:] * 2}, "twice or not at all"),
        (lambda _: {"schema": 99, "experiments": []}, "report of schema 99"),
        (lambda _: {"schema": 1, "experiments": [{"configurations": [{"freeze": "emb"}]}]}, "no report of freezebench"),
        (lambda _: {"schema": 1, "experiments": []}, "holds no configuration"),
        (lambda _: [], "neither a pytest-benchmark file nor a report"),
        (lambda _: "", "damaged or no JSON"),
        (lambda content: json.dumps(content)[:-30], "damaged or no JSON"),
        (lambda _: "[" * 100_000, "damaged or no JSON"),
    ],
)
def test_damaged_and_foreign_files_are_refused(change: Callable[[Any], object], message: str, tmp_path: Path) -> None:
    """The error names the file and the fault."""
    content = change(copy.deepcopy(benchmark_json(configuration())))
    file = write(tmp_path / "b.json", content)
    with pytest.raises(RecordError, match=message) as caught:
        read_saved_run(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("value", [10**400, "x", float("inf"), {}, [], True], ids=lambda value: repr(value)[:9])
@pytest.mark.parametrize("name", ["min", "mean", "rounds"])
def test_times_that_are_no_figures_are_refused(name: str, value: object, tmp_path: Path) -> None:
    """pytest-benchmark would show them at the end of the session, with a traceback in place of the results."""
    content = benchmark_json(configuration())
    content["benchmarks"][1]["stats"] = {"outliers": "1;0", "data": [1.0], "ops": None, name: value}
    with pytest.raises(RecordError, match=f"its time '{name}' is no finite number|holds Infinity"):
        read_saved_run(write(tmp_path / "b.json", content))
    content["benchmarks"][1]["stats"][name] = 0.5
    assert read_saved_run(write(tmp_path / "b.json", content)).configurations


@pytest.mark.parametrize("name", ["pipe", "device"])
def test_only_files_are_read(name: str, tmp_path: Path) -> None:
    """A pipe would block for ever, a device would have no end."""
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / "pipe" if name == "pipe" else Path("/dev/zero")
    with pytest.raises(RecordError, match="it is a pipe, a socket or a device, not a file"):
        read_saved_run(path)


def test_a_report_of_ten_gigabytes_is_not_read(tmp_path: Path) -> None:
    """Its size is looked up first."""
    with (tmp_path / "report.json").open("wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(RecordError, match="it is larger than 500 MB"):
        read_saved_run(tmp_path)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_missing_file_is_refused(name: str, tmp_path: Path) -> None:
    """Neither a missing file nor a folder without a report is an empty run."""
    with pytest.raises(RecordError, match="cannot be read"):
        read_saved_run(tmp_path / name)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are a RecordError."""
    file = tmp_path / "b.json"
    file.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(RecordError, match="damaged or no JSON"):
        read_saved_run(file)


def _repeating() -> SavedConfiguration:
    """Return a saved configuration whose sixth test sentence repeats the third one, and the eighth the sixth."""
    records = seeds("emb", num_test=8)
    groups = (0, 1, 2, 3, 4, 2, 5, 2)
    return from_records(
        "emb", [replace(run, data=run.data and replace(run.data, test_groups=groups)) for run in records]
    )


def test_repeated_test_sentences_survive_json() -> None:
    """Only the repeats are saved; the numbers of texts are others, and mean the same."""
    info = json.loads(json.dumps(to_info(_repeating())))
    assert info["test_repeats"] == [[5, 2], [7, 2]]
    groups = from_info(info, None).test_groups
    assert groups == (0, 1, 2, 3, 4, 2, 6, 2)
    assert "test_repeats" not in to_info(configuration())


@pytest.mark.parametrize("repeats", [{}, [5], [[5, 2, 1]], [[8, 2]], [[2, 5]], [[5, -1]], [["5", 2]], [[5, 2], [6, 5]]])
def test_damaged_repeats_are_refused(repeats: object) -> None:
    """A position that does not exist, or is no earlier sentence that is no repeat itself, is an error."""
    with pytest.raises(RecordError, match="repeated test sentences do not fit 8"):
        from_info({**to_info(_repeating()), "test_repeats": repeats}, None)
