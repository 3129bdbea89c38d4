"""The files of a report."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from experiments import small_summary, summary_settings
from freezebench.config.session_settings import SessionSettings
from freezebench.report.files import write_report


def test_the_report_is_markdown_csv_and_json(tmp_path: Path) -> None:
    """JSON has every run; CSV has full precision and empty cells for missing figures."""
    paths = write_report(tmp_path, [(summary_settings(), small_summary())], SessionSettings())
    assert [path.name for path in paths] == ["report.md", "report.csv", "report.json"]
    rows = list(csv.DictReader((tmp_path / "report.csv").read_text(encoding="utf-8").splitlines()))
    assert [line["freeze"] for line in rows] == ["none", "emb", "emb+L0"]
    assert rows[1]["energy_j"] == ""
    assert float(rows[1]["train_s"]) == 5.0
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    configurations = report["experiments"][0]["configurations"]
    assert len(configurations[1]["runs"]) == 3
    assert configurations[1]["verdict_at_margin"]["outcome"] == "non_inferior"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.csv", "report.json", "report.md"]
