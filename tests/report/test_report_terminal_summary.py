"""The summary on a terminal: it fits, and the answer comes first."""

from __future__ import annotations

import pytest

from experiments import varied_summary
from freezebench.report.terminal_summary import summary_lines, title_line
from freezebench.report.terminal_table import plain_text
from freezebench.report.terminal_text import columns_of


@pytest.mark.parametrize("width", range(44, 200, 3))
@pytest.mark.parametrize("on_gpu", [False, True], ids=["cpu", "gpu"])
def test_no_line_wraps_and_the_main_columns_are_always_shown(on_gpu: bool, width: int) -> None:
    """At every width: verdict, drop, accuracy, time, speed-up, memory, and energy where it was measured."""
    text = plain_text(summary_lines(varied_summary(on_gpu=on_gpu), width))
    assert max(map(columns_of, text.splitlines())) <= width
    needed = ["verdict at", "drop, points", "test acc.", "train", "speed-", "peak", "1424×"]
    for part in [*needed, *(["test at", "energy"] if on_gpu else [])]:
        assert part in text


def test_the_answer_comes_first() -> None:
    """What can be frozen and what that saves precede the tables."""
    lines = plain_text(summary_lines(varied_summary(on_gpu=True), 100)).splitlines()
    assert lines[0].startswith("Deepest safe prefix: emb")
    assert next(line for line in lines if line.startswith("Recommended: "))
    assert lines.index("") < next(index for index, line in enumerate(lines) if "verdict at" in line)


def test_what_was_not_measured_has_a_footnote_instead_of_a_column() -> None:
    """A column of dashes is left out."""
    text = plain_text(summary_lines(varied_summary(on_gpu=False), 140))
    assert "\n" + "CPU package energy not measured: no /sys/class/powercap." in text
    assert "J per" not in text
    assert text.count("energy") == 1


def test_every_verdict_has_a_word_and_a_colour() -> None:
    """The colour repeats the meaning of the word."""
    spans = [span for line in summary_lines(varied_summary(on_gpu=True), 100) for span in line]
    looks = {text.strip(): style for text, style in spans}
    assert looks["non-inferior"] == looks["ok"] == "good"
    assert looks["inferior"] == looks["WORSE"] == "bad"
    assert looks["baseline"] == "faint"


@pytest.mark.parametrize(
    "name", ["a\nb\r\x1b[2J\x07", "模型" * 60, "x" * 500, "\u202egnp.model", "e\u0301" * 90], ids=ascii
)
def test_a_hostile_name_breaks_nothing(name: str) -> None:
    """Control characters are escaped, wide and long names are cut or wrapped."""
    summary = varied_summary(on_gpu=True, model=name)
    lines = [title_line(summary, 76), *plain_text(summary_lines(summary, 80)).splitlines()]
    assert all(columns_of(line) <= 80 for line in lines)
    assert all(line.isprintable() for line in lines)
    assert columns_of(lines[0]) <= 76
