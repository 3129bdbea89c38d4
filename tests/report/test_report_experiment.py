"""Experiments of this session and from a report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments import not_run_experiment, partly_fixed_experiment, results, settings
from freezebench.config.session_settings import SessionSettings
from freezebench.errors import RecordError
from freezebench.records.files import plain
from freezebench.records.saved_files import read_saved_run
from freezebench.report.experiment import Experiment, read_experiments
from freezebench.report.publish import write_report
from freezebench.report.summary import summarize
from saved_runs import benchmark_json, configuration


def _report(folder: Path) -> dict[str, Any]:
    """Write a report and return its content."""
    requested = settings()
    write_report(folder, [(requested, summarize(results(), requested))], SessionSettings())
    content: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return content


def test_a_report_gives_back_the_experiment(tmp_path: Path) -> None:
    """Rows, verdicts, sentences and settings are those of the session."""
    _report(tmp_path)
    requested = settings()
    written = Experiment.of(requested, summarize(results(), requested))
    for path in (tmp_path, tmp_path / "report.json"):
        back = read_experiments(path)[0]
        assert back.rows == written.rows
        assert back.results == written.results
        assert back.summary.lines == written.summary.lines
        assert back.settings == json.loads(json.dumps(written.settings)) | plain(SessionSettings())
        assert back.deepest == written.deepest
        assert back.source == str(path)


def test_reports_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """They have neither the parts of the gate nor facts of the splits."""
    content = _report(tmp_path)
    for saved in content["experiments"][0]["configurations"]:
        del saved["parts"]
        for run in saved["runs"]:
            del run["data"]["splits"]
    (tmp_path / "report.json").write_text(json.dumps(content), encoding="utf-8")
    experiment = read_experiments(tmp_path)[0]
    assert experiment.results[1].parts == ()
    assert experiment.records[0].data is not None
    assert experiment.records[0].data.splits is None


def _set(content: dict[str, Any], *keys: Any, value: Any) -> str:
    """Return the content as text with one value changed."""
    parent = content
    for key in keys[:-1]:
        parent = parent[key]
    parent[keys[-1]] = value
    return json.dumps(content)


def _damaged(content: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return damaged files and the messages about them."""
    text = json.dumps(content)
    first = ("experiments", 0, "configurations", 1)
    verdict = (*first, "verdict_at_margin", "drop_pp")
    return {
        "cut off": (text[:-20], "damaged or no JSON"),
        "a list": ("[1]", "is no report of freezebench. Give another folder"),
        "a benchmark file": (json.dumps(benchmark_json(configuration())), "is a pytest-benchmark file, which has no"),
        "another schema": (_set(json.loads(text), "schema", value=99), "report of schema 99"),
        "nothing in it": (_set(json.loads(text), "experiments", value=[]), "holds no experiment"),
        "no runs": (_set(json.loads(text), *first, value={}), "is no report of freezebench"),
        "a text as drop": (_set(json.loads(text), *verdict, value="<b>"), "drop_pp: '<b>' is no finite number"),
        "no margin": (_set(json.loads(text), "experiments", 0, "settings", "margin_pp", value="x"), "without settings"),
        "a bad spec": (_set(json.loads(text), *first, "freeze", value="emb+X"), "emb"),
    }


@pytest.mark.parametrize(
    "name", list(_damaged({"experiments": [{"configurations": [{}, {"verdict_at_margin": {}}], "settings": {}}]}))
)
def test_damaged_and_foreign_files_are_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    """The message names the file."""
    text, reason = _damaged(_report(tmp_path))[name]
    file = tmp_path / "report.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=reason) as caught:
        read_experiments(tmp_path)
    assert str(file) in str(caught.value)


def test_a_folder_without_report_is_refused(tmp_path: Path) -> None:
    """The message names the file that was expected."""
    with pytest.raises(RecordError, match=r"report\.json: cannot be read in this folder"):
        read_experiments(tmp_path)


@pytest.mark.parametrize("made", [partly_fixed_experiment, not_run_experiment])
def test_what_was_not_run_survives_the_report(tmp_path: Path, made: Callable[[], Experiment]) -> None:
    """Its rows, results and sentences are those of the session; no comparison with another run misses it."""
    written, requested = made(), settings()
    write_report(tmp_path, [(requested, written.summary)], SessionSettings())
    back = read_experiments(tmp_path)[0]
    assert back.results == written.results
    assert back.rows == written.rows
    assert back.summary.answer == written.summary.answer
    assert back.summary.lines == written.summary.lines
    saved = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["experiments"][0]["configurations"]
    assert {item["freeze"]: item["verdict"] for item in saved if not item["runs"]} == {
        result.freeze: "not_run" for result in written.results if not result.was_run
    }
    was_run = [result.freeze for result in written.results if result.was_run]
    if was_run:
        assert [item.freeze for item in read_saved_run(tmp_path).configurations] == was_run
    else:
        with pytest.raises(RecordError, match="holds no configuration"):
            read_saved_run(tmp_path)
