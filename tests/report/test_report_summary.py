"""The summary table, its sentences and the files."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

import made_up
from freezebench.config.session_settings import SessionSettings
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.errors import SettingsError
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.report.files import prepare_folder, write_report
from freezebench.report.markdown import results_table
from freezebench.report.rows import row
from freezebench.report.summary import Summary, summarize
from freezebench.report.verdict_text import gate_sentence
from freezebench.verdicts.judge import ConfigurationResult, judge


def _settings(**flags: str) -> Settings:
    return resolve(
        [Source(label="{flag}", values={"model": "tiny", "data": "made-up", **flags})], lambda: ("embedded", "x")
    )


def _result(freeze: str, accuracy: float, *, limit: float | None = 5.0, num: int = 3) -> ConfigurationResult:
    baseline = made_up.seeds("none", accuracy=0.9, num=num)
    records = baseline if freeze == "none" else made_up.seeds(freeze, accuracy=accuracy, num=num)
    return judge(freeze, records, baseline, margin_pp=2.0, limit_pp=limit)


def _summary() -> Summary:
    results = [_result("emb+L0", 0.7), _result("none", 0.9), _result("emb", 0.9)]
    return summarize(results, _settings(max_drop="5"))


def test_markdown_has_a_header_of_one_line() -> None:
    """GitHub renders the table."""
    lines = results_table(_summary()).splitlines()
    assert lines[0].startswith("| frozen")
    assert set(lines[1]) <= set("|-: ")
    assert len(lines) == 5


def test_savings_are_against_the_baseline() -> None:
    """Speed-up and memory saving compare with no freezing; one seed has no spread."""
    figures = row(_result("emb", 0.9))
    assert figures.speedup == pytest.approx(2.0)
    assert figures.memory_saving == pytest.approx(0.25)
    assert figures.energy_saving is None
    assert figures.accuracy_sd is not None
    assert row(_result("emb", 0.9, num=1)).accuracy_sd is None


def _on_gpu(freeze: str, energy_j: float) -> list[RunRecord]:
    readings = {
        "train_s": Reading(value=10.0, unit="s", source="clock"),
        "peak_allocated_bytes": Reading(value=2.0**30, unit="B", source="torch"),
        "energy_j": Reading(value=energy_j, unit="J", source="NVML", uncertainty=0.05 * energy_j),
    }
    return made_up.seeds(freeze, device="cuda:0", device_name="a GPU", readings=readings)


def test_energy_is_shown_per_thousand_samples_and_its_saving_with_its_uncertainty() -> None:
    """Bounds of both arms add up; a GPU's own figures are the headline."""
    baseline, candidate = _on_gpu("none", 1000.0), _on_gpu("emb", 600.0)
    result = judge("emb", candidate, baseline, margin_pp=2.0, limit_pp=None)
    figures = row(result)
    assert (figures.memory_metric, figures.energy_metric) == ("peak_allocated_bytes", "energy_j")
    assert figures.energy_per_1000_samples_j == pytest.approx(1000 * 600 / (100 * 2))
    assert figures.energy_saving == pytest.approx(0.4)
    assert figures.energy_saving_uncertainty == pytest.approx(0.6 * 0.1)
    table = results_table(
        summarize([judge("none", baseline, baseline, margin_pp=2.0, limit_pp=None), result], _settings())
    )
    assert "40 % ± 6" in table
    assert "J per 1000" in table
    assert "GPU" in table


def test_the_deepest_safe_prefix_is_one_sentence_with_its_rates() -> None:
    """The answer first, then how much was decided."""
    lines = _summary().lines
    assert lines[0].startswith("Deepest safe prefix: emb is within 2 points of no freezing (drop ")
    assert "learning rate" in lines[0]
    assert lines[1].startswith(
        "Recommended: emb, the cheapest configuration within 2 points and its limits: 2.00× as fast"
    )
    assert lines[2].startswith("decided 2 of 2 at their limits")


def test_nothing_is_recommended_beside_an_invalid_baseline() -> None:
    """No freezing that did not learn is nothing to go back to."""
    baseline = made_up.seeds("none", accuracy=0.9, num=1)
    broken = [replace(record, status="invalid", reason="non-finite loss: nan") for record in baseline]
    results = [
        judge(freeze, made_up.seeds("emb", num=1) if freeze == "emb" else broken, broken, margin_pp=2.0, limit_pp=None)
        for freeze in ("none", "emb")
    ]
    line = next(line for line in summarize(results, _settings()).lines if line.startswith("Recommended: "))
    assert line.startswith("Recommended: nothing, ")
    assert "non-finite loss: nan" in line


def test_what_was_not_measured_has_a_footnote() -> None:
    """One line per distinct reason."""
    footnotes = [line for line in _summary().lines if made_up.NO_RAPL in line]
    assert footnotes == [f"CPU package energy not measured: {made_up.NO_RAPL}."]


@pytest.mark.parametrize(
    ("accuracy", "limit", "num", "start"),
    [
        (0.9, 5.0, 3, "emb is within 5 points of no freezing: drop "),
        (0.7, 5.0, 3, "WORSE emb is not within 5 points of no freezing: drop "),
        (0.85, 5.0, 3, "UNDECIDED emb is not shown to be within 5 points of no freezing: drop "),
        (0.9, 5.0, 1, "UNDECIDED emb is not shown to be within 5 points"),
    ],
)
def test_gate_sentences_put_limit_beside_observation(accuracy: float, limit: float, num: int, start: str) -> None:
    """The first word says what went wrong; the limit named is the asserted one."""
    sentence = gate_sentence(_result("emb", accuracy, limit=limit, num=num))
    assert sentence.startswith(start)
    assert "bound" in sentence


def test_broken_runs_say_so_first() -> None:
    """The cause stands in the sentence."""
    result = judge("emb", [made_up.broken("emb")], made_up.seeds("none"), margin_pp=2.0, limit_pp=5.0)
    assert gate_sentence(result) == "BROKEN invalid: emb: seed 42: non-finite loss: at step 3"
    assert "BROKEN" not in results_table(summarize([_result("none", 0.9), result], _settings()))


def test_the_report_is_markdown_csv_and_json(tmp_path: Path) -> None:
    """Everything per run is in the JSON; CSV has full precision and empty cells for what was not measured."""
    paths = write_report(tmp_path, [(_settings(), _summary())], SessionSettings())
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


def test_hostile_names_stay_text_in_markdown(tmp_path: Path) -> None:
    """A model name with markup is shown, not rendered."""
    settings = _settings(model="<script>alert(1)</script>")
    write_report(tmp_path, [(settings, summarize([_result("none", 0.9)], settings))], SessionSettings())
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A file in the way is said before anything is trained."""
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(SettingsError, match="cannot write there"):
        prepare_folder(blocked / "report")
