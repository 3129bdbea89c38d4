"""Files that version 0.1 wrote are read, and files written today have the same columns and keys.

``fixtures/v0.1`` was written at commit 47caaeb by ``pytest benchmarks --freeze-grid=none,emb+L0-4,emb+L0-5
--freeze-epochs=1 --freeze-max-train=200`` with a report, a store and ``--benchmark-save``. ``report.json`` was
minified, and the two folders in it were made relative; nothing else was changed.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments import results, settings
from freezebench.cli import main
from freezebench.config.session_settings import SessionSettings
from freezebench.records.files import plain
from freezebench.records.run_record import RunRecord
from freezebench.records.saved_files import read_saved_run
from freezebench.records.store import Store, decode, record_key
from freezebench.report.experiment import read_experiments
from freezebench.report.publish import write_report
from freezebench.report.summary import summarize
from report_schema import read_report

OLD = Path(__file__).with_name("fixtures") / "v0.1"
REPORT, BENCHMARK, STORE = OLD / "report.json", OLD / "benchmark.json", OLD / "store"
GRID = ["none", "emb+L0-4", "emb+L0-5"]
_LATER_DATA = (
    *("test_groups", "dropped_rows", "task", "test_values", "test_lengths", "test_slices", "slice_names"),
    "test_sets",
)
_EPOCH_KEYS = ("epoch", "train_loss", "train_s", "validation")


def _saved_configurations() -> list[dict[str, Any]]:
    """Return the configurations of the old report as they are in the file."""
    content = json.loads(REPORT.read_text(encoding="utf-8"))
    configurations: list[dict[str, Any]] = content["experiments"][0]["configurations"]
    return configurations


def _as_in_v01(record: RunRecord) -> Any:
    """Return a record as JSON, without the keys that version 0.1 did not have, and with the one that went."""
    values: Any = record.to_json()
    data = {**values["data"], "generated": values["spec"]["data"]["source"] == "generated"}
    for name in _LATER_DATA:
        data.pop(name)
    for evaluation in (values["test"], *(epoch["validation"] for epoch in values["epochs"])):
        evaluation.pop("scores")
    for split in data["splits"].values():
        split.pop("constant_loss")
    epochs = [{key: epoch[key] for key in _EPOCH_KEYS} for epoch in values["epochs"]]
    later = ("session", "files_sha256", "initial_sha256", "new_parameters", "num_added_params", "tests")
    kept = {name: value for name, value in values.items() if name not in later}
    kept["spec"]["protocol"].pop("batch_order")
    return kept | {"schema": 1, "data": data, "epochs": epochs}


def test_an_old_report_gives_the_same_figures() -> None:
    """Every figure that is computed again from the runs equals the one in the file."""
    (experiment,) = read_experiments(REPORT)
    saved = _saved_configurations()
    assert [row.freeze for row in experiment.rows] == GRID
    for row, result, configuration in zip(experiment.rows, experiment.results, saved, strict=True):
        # Later versions have further figures, and pair the times of a speed-up by seed. The old one had no word of its
        # own for a test without a limit.
        assert (row.standing, configuration["standing"]) == ("no_limit", "ok")
        figures = {name: value for name, value in row.figures().items() if name in configuration} | {"standing": "ok"}
        assert figures | {"speedup": None} == {name: configuration[name] for name in figures} | {"speedup": None}
        assert figures["speedup"] == pytest.approx(configuration["speedup"], rel=0.1)
        old = configuration["verdict_at_margin"]
        later = {"unit": "points", "too_few": None}
        assert plain(result.verdict) == (None if old is None else old | later)
        assert [_as_in_v01(record) for record in result.records] == configuration["runs"]


@pytest.mark.usefixtures("without_matplotlib")
def test_the_page_of_an_old_report_is_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command writes the page; answer, figures, footnotes and the command to repeat the runs are on it."""
    assert main(["report", str(REPORT), f"--output={tmp_path}"]) == 0
    assert "index.html" in capsys.readouterr().out
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    shown = re.sub("<[^>]*>", "", page)
    for text in ("78.88×", "10.43×", "-8.7 [-13.1, -4.3]", "56.4 ± 7.1", "1,923,074", "0.96 GiB", "AMD EPYC"):
        assert text in shown
    assert "pytest benchmarks --freeze-preset=embedded --freeze-grid=none,emb+L0-4,emb+L0-5" in page
    for configuration in _saved_configurations():
        for warning in configuration["warnings"]:
            assert warning in page


@pytest.mark.parametrize(("old", "new"), [(REPORT, BENCHMARK), (BENCHMARK, REPORT), (BENCHMARK, BENCHMARK)])
def test_old_files_are_compared(old: Path, new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Report and benchmark file hold the same session, so nothing differs."""
    assert main(["compare", str(old), str(new), "--max-time=1.05", "--max-memory=1.01", "--json"]) == 0
    comparison = json.loads(capsys.readouterr().out)
    assert [configuration["freeze"] for configuration in comparison["configurations"]] == GRID
    for configuration in comparison["configurations"]:
        assert configuration["refused"] is None
        quantities = {quantity["quantity"]: quantity for quantity in configuration["quantities"]}
        for name in ("accuracy", "train time", "peak memory"):
            assert quantities[name]["old"] == pytest.approx(quantities[name]["new"])


@pytest.mark.parametrize("path", [REPORT, BENCHMARK], ids=["report", "benchmark"])
def test_an_old_file_is_read_as_a_saved_run(path: Path) -> None:
    """Runs, metrics, device and protocol are those that were recorded."""
    saved = read_saved_run(path)
    assert [configuration.freeze for configuration in saved.configurations] == GRID
    for saved_configuration, configuration in zip(saved.configurations, _saved_configurations(), strict=True):
        runs = configuration["runs"]
        assert saved_configuration.values("train_s") == [run["readings"]["train_s"]["value"] for run in runs]
        assert [run.seed for run in saved_configuration.runs] == [run["spec"]["seed"] for run in runs]
        assert [float(run.outcomes.mean()) for run in saved_configuration.runs] == pytest.approx(
            [run["test"]["accuracy"] for run in runs]
        )
        assert saved_configuration.device_name == "AMD EPYC"
        assert saved_configuration.protocol["learning_rate"] == runs[0]["spec"]["protocol"]["learning_rate"]


@pytest.mark.parametrize("path", sorted(STORE.glob("*.json")), ids=lambda path: str(path.stem)[:8])
def test_an_old_run_of_the_store_is_read(path: Path) -> None:
    """Its checksum still fits, and nothing of it is lost."""
    record = decode(path.read_bytes())
    content = json.loads(path.read_text(encoding="utf-8"))
    saved = content["record"]
    assert record == replace(RunRecord.from_json(saved), files_sha256=content["files_sha256"])
    assert _as_in_v01(record) == saved


def test_old_files_of_the_store_are_left_alone(tmp_path: Path) -> None:
    """Their names are those of other source code, so that no session looks for them; none is moved or reported."""
    shutil.copytree(STORE, tmp_path, dirs_exist_ok=True)
    names = {path.name for path in STORE.glob("*.json")}
    store = Store(tmp_path)
    for name in names:
        record = decode((STORE / name).read_bytes())
        key = record_key(record)
        assert key
        assert store.load(key) is store.load_of_other_device(key) is None
        assert store.save(record)
        assert store.load(key) == record
    assert store.problems == []
    assert names < {path.name for path in tmp_path.iterdir()}
    assert {(tmp_path / name).read_bytes() for name in names} == {(STORE / name).read_bytes() for name in names}


def test_files_have_the_same_columns_and_keys_as_before(tmp_path: Path) -> None:
    """The CSV's header begins as in version 0.1; experiments, configurations and runs in JSON have all keys of it."""
    requested = settings()
    write_report(tmp_path, [(requested, summarize(results(), requested))], SessionSettings())
    old_header, new_header = (
        (folder / "report.csv").read_text(encoding="utf-8").splitlines()[0] for folder in (OLD, tmp_path)
    )
    # People read the columns by position, so that further ones follow.
    assert new_header.startswith(f"{old_header},")
    old, new = (read_report(folder) for folder in (OLD, tmp_path))
    assert list(new) == list(old)
    old, new = (content["experiments"][0] for content in (old, new))
    assert set(old) <= set(new)
    assert set(old["settings"]) <= set(new["settings"])
    old, new = (experiment["configurations"][1] for experiment in (old, new))
    assert set(old) <= set(new)
    later = ["unit", "too_few"]
    assert list(new["verdict_at_margin"]) == [*old["verdict_at_margin"], *later]
    later = ["session", "files_sha256", "initial_sha256", "new_parameters", "num_added_params", "tests"]
    assert list(new["runs"][0]) == [*old["runs"][0], *later]
