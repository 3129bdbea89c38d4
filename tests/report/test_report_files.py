"""The files of a report."""

from __future__ import annotations

import csv
import json

from experiments import small_summary, summary_settings
from freezebench.config.session_settings import SessionSettings
from freezebench.report.files import OVERVIEW_FILE, report_files
from report_schema import checked


def test_the_report_is_markdown_csv_and_json() -> None:
    """JSON has every run; CSV has full precision and empty cells for missing figures."""
    requested = summary_settings()
    files = report_files([(requested, small_summary())], SessionSettings(), {requested: ["test_it.py::test_it"]})
    assert list(files) == ["report.md", "report.csv", "report.json"]
    rows = list(csv.DictReader(files["report.csv"].decode().splitlines()))
    assert [line["freeze"] for line in rows] == ["none", "emb", "emb+L0"]
    assert rows[1]["energy_j"] == ""
    assert float(rows[1]["train_s"]) == 5.0
    report = checked("report.schema.json", files["report.json"])
    assert report["experiments"][0]["tests"] == ["test_it.py::test_it"]
    configurations = report["experiments"][0]["configurations"]
    assert len(configurations[1]["runs"]) == 3
    assert configurations[1]["verdict_at_margin"]["outcome"] == "non_inferior"


def test_of_several_experiments_the_overview_is_in_every_file() -> None:
    """CSV has one line per experiment, JSON the sentence as well; of a single experiment nothing changes."""
    first, second = summary_settings(), summary_settings(model="=other")
    files = report_files([(first, small_summary()), (second, small_summary())], SessionSettings(), {})
    assert list(files) == ["report.md", "report.csv", "report.json", OVERVIEW_FILE]
    lines = list(csv.DictReader(files[OVERVIEW_FILE].decode().splitlines()))
    assert [(line["experiment"], line["model"]) for line in lines] == [("1", "tiny"), ("2", "'=other")]
    assert [line["deepest_safe"] for line in lines] == ["emb", "emb"]
    content = checked("report.schema.json", files["report.json"])
    assert content["overview"]["experiments"][0]["deepest_safe"] == "emb"
    assert content["overview"]["sentence"] in files["report.md"].decode().replace("\\", "")
    single = json.loads(report_files([(first, small_summary())], SessionSettings(), {})["report.json"])
    assert "overview" not in single
