"""Saved configurations whose strategies are not installed here."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import made_up
from freezebench.errors import RecordError
from freezebench.records.saved import from_records
from freezebench.records.saved_files import read_saved_run
from freezebench.records.saved_freeze import saved_freeze
from freezebench.records.store import Store, record_key
from freezebench.report.experiment import read_experiments
from saved_runs import benchmark_json
from strategy_packages import forget_strategies


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "'freeze' is missing or no text: None"),
        (["emb"], "'freeze' is missing or no text: ['emb']"),
        ("L3-1", "no freeze spec: layer range 'L3-1' in freeze spec 'L3-1' runs backwards"),
        ("emb+Query", "no freeze spec: cannot read 'Query'"),
        (
            "L0+query(rank=3)",
            "it has the configuration 'L0+query(rank=3)', and no installed package has the strategy query; install the",
        ),
    ],
)
def test_what_cannot_be_read_is_named(text: object, message: str) -> None:
    """A strategy that is missing here is no fault of the file."""
    with pytest.raises(RecordError, match=re.escape(message)):
        saved_freeze(text)
    assert saved_freeze("L0+emb") == "emb+L0"


def test_saved_files_with_a_strategy_of_a_package(own_strategies: Path, tmp_path: Path) -> None:
    """They are read where it is installed; elsewhere the strategy is named, and nothing is moved or changed."""
    records = [made_up.record(freeze) for freeze in ("none", "emb+few(rank=2)")]
    benchmark = tmp_path / "0001_a.json"
    saved = [from_records(record.spec.freeze, [record], node_id=record.spec.freeze) for record in records]
    benchmark.write_text(json.dumps(benchmark_json(*saved)), encoding="utf-8")
    store = Store(tmp_path / "store")
    keys = [record_key(record) or "" for record in records]
    assert [store.save(record) for record in records] == [True, True]
    report = tmp_path / "report.json"
    report.write_text(json.dumps(_report(tmp_path)), encoding="utf-8")

    assert [found.freeze for found in read_saved_run(benchmark).configurations] == ["none", "emb+few(rank=2)"]
    assert store.load(keys[1]) == records[1]
    assert [result.freeze for result in read_experiments(report)[0].results][-1] == "emb+few(rank=2)"

    shutil.rmtree(own_strategies)
    forget_strategies()
    missing = "it has the configuration 'emb+few(rank=2)', and no installed package has the strategy few"
    for read in (lambda: read_saved_run(benchmark), lambda: read_saved_run(report), lambda: read_experiments(report)):
        with pytest.raises(RecordError, match=re.escape(missing)):
            read()
    assert store.load(keys[0]) == records[0]
    assert sorted(path.stem for path in (tmp_path / "store").glob("*.json")) == sorted(keys)
    assert store.problems == []


def _report(folder: Path) -> object:
    """Return the content of a report in which a configuration has a strategy."""
    from experiments import results, settings
    from freezebench.config.session_settings import SessionSettings
    from freezebench.report.publish import write_report
    from freezebench.report.summary import summarize

    requested = settings()
    write_report(folder / "report", [(requested, summarize(results(), requested))], SessionSettings())
    text = (folder / "report" / "report.json").read_text(encoding="utf-8")
    content = json.loads(text)
    configurations = content["experiments"][0]["configurations"]
    configurations[-1]["freeze"] = "emb+few(rank=2)"
    for run in configurations[-1]["runs"]:
        run["spec"] = {**run["spec"], "freeze": "emb+few(rank=2)", "schema": 2}
    return content


def test_a_report_of_a_missing_strategy_says_what_to_do(
    own_strategies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command that makes pages anew: one sentence, and its exit code."""
    from freezebench.cli import main

    report = tmp_path / "report.json"
    report.write_text(json.dumps(_report(tmp_path)), encoding="utf-8")
    shutil.rmtree(own_strategies)
    forget_strategies()
    monkeypatch.setenv("COLUMNS", "400")
    assert main(["report", str(report), f"--output={tmp_path / 'page'}"]) == 4
    error = capsys.readouterr().err
    assert "no installed package has the strategy few; install the package that has it. Give another folder" in error
    assert list((tmp_path / "page").rglob("*")) == []
