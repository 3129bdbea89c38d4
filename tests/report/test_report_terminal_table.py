"""Tables on a terminal."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments import judged, summary_settings, varied_summary
from freezebench.report.column import percent_number, points_text
from freezebench.report.summary import summarize
from freezebench.report.terminal_table import aligned, figure_tables, plain_text

_CASES: dict[str, dict[str, Any]] = {
    "gpu": {"on_gpu": True},
    "partly_contended": {"on_gpu": False, "contended": {"none": 1, "emb": 3, "emb+L0": 2}},
}


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("case", _CASES)
def test_the_tables_are_golden(case: str, width: int) -> None:
    """They equal the golden files; FREEZEBENCH_WRITE_GOLDEN=1 writes these anew, to be read before a commit."""
    golden = Path(__file__).with_name("golden") / f"{case}_{width}.txt"
    shown = "\n\n".join(plain_text(table) for table in figure_tables(varied_summary(**_CASES[case]), width)) + "\n"
    if os.environ.get("FREEZEBENCH_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("on_gpu", [False, True], ids=["cpu", "gpu"])
def test_the_majority_class_is_below_the_accuracies(on_gpu: bool) -> None:
    """Its decimal point is below theirs; tables without accuracy do not have it, nor do data sets without labels."""
    summary = varied_summary(on_gpu=on_gpu)
    tables = [plain_text(table).splitlines() for table in figure_tables(summary, 80)]
    assert [sum("majority class" in line for line in table) for table in tables] == [1, 0, 0]
    line, baseline = tables[0][-1], next(line for line in tables[0] if line.startswith("none"))
    assert line == "majority class".ljust(baseline.index("92.2")) + "50.0"
    unknown = replace(summary, results=())
    assert "majority" not in plain_text(figure_tables(unknown, 80)[0])


def test_the_majority_class_has_room_beside_short_names() -> None:
    """Where the accuracies of a table are right behind the names, these get the room that its name takes."""
    results = [replace(judged(freeze, 0.9), metric="mcc") for freeze in ("none", "emb")]
    *_, table, _ = figure_tables(summarize(results, summary_settings(metric="mcc")), 80)
    *_, baseline, _, line = plain_text(table).splitlines()
    assert baseline.startswith("none            89.3")
    assert line == "majority class  50.0"


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 300])
def test_every_column_is_shown_at_every_width(width: int) -> None:
    """The rate, too, where rates differ; those that do not fit form further tables."""
    summary = varied_summary(on_gpu=False)
    tables = [plain_text(table).splitlines() for table in figure_tables(summary, width)]
    assert all(len(line) <= width for table in tables for line in table)
    numbers = [next(len(line.split()) for line in table if set(line) == {"-", " "}) for table in tables]
    (wide,) = figure_tables(summary, 1000)
    rule = next(line for line in plain_text(wide).splitlines() if set(line) == {"-", " "})
    assert sum(numbers) - len(tables) == len(rule.split()) - 1


def test_a_test_without_a_limit_is_not_ok() -> None:
    """It asserted nothing; without any limit the column is left out."""
    results = [judged("none", 0.9), judged("emb", 0.9), judged("emb+L0", 0.9, limit=None)]
    lines = plain_text(figure_tables(summarize(results, summary_settings()), 100)[0]).splitlines()
    words = {line.split()[0]: line[:40].split()[1:] for line in lines[3:]}
    assert words["none"][:2] == ["baseline", "–"]
    assert words["emb"][:2] == ["non-inferior", "passed"]
    assert words["emb+L0"][:3] == ["non-inferior", "no", "limit"]
    without = [judged("none", 0.9), judged("emb", 0.9, limit=None)]
    assert "limit" not in plain_text(figure_tables(summarize(without, summary_settings()), 100)[0])


def test_numbers_are_aligned_at_the_decimal_point() -> None:
    """This holds for any size; a missing number is a dash."""
    assert aligned([145.4, 9.75, None, 0.102], "{:g}".format) == ("145.4  ", "  9.75 ", "  –    ", "  0.102")
    assert aligned([-0.04, 12.3], points_text) == (" +0.0", "+12.3")
    assert aligned([-0.001], percent_number(0)) == ("0",)
