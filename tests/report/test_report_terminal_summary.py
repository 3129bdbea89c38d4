"""The summary on a terminal: it fits, and the answer comes first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import made_up
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.report.summary import Summary, summarize
from freezebench.report.terminal_summary import summary_lines, title_line
from freezebench.report.terminal_table import aligned, figure_tables, plain_text
from freezebench.report.terminal_text import columns_of
from freezebench.verdicts.judge import ConfigurationResult, judge

# Accuracy, seconds, GiB and joules of every configuration: figures of many sizes.
FIGURES = {
    "none": (0.94, 145.4, 1.32, 8123.0),
    "emb": (0.94, 134.4, 1.30, 7902.0),
    "emb+L0": (0.93, 23.3, 1.25, 700.0),
    "emb+L0-3": (0.80, 9.754, 0.9, 81.0),
    "emb+L0-5": (0.65, 0.102, 0.61, 2.4),
}


def _settings(**flags: str) -> Settings:
    values = {"model": "tiny", "data": "made-up", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))


def _result(freeze: str, *, on_gpu: bool, limit: float | None) -> ConfigurationResult:
    def records(name: str) -> list[RunRecord]:
        accuracy, seconds, gib, joules = FIGURES[name]
        names = ("peak_allocated_bytes", "energy_j") if on_gpu else ("peak_rss_bytes", "cpu_energy_j")
        energy = (
            Reading(value=joules, unit="J", source="NVML", uncertainty=0.05 * joules)
            if on_gpu
            else Reading.not_measured("J", "powercap", made_up.NO_RAPL)
        )
        readings = {
            "train_s": Reading(value=seconds, unit="s", source="clock"),
            names[0]: Reading(value=gib * 2**30, unit="B", source="torch"),
            names[1]: energy,
        }
        device: dict[str, Any] = {"device": "cuda:0", "device_name": "a GPU"} if on_gpu else {}
        return made_up.seeds(name, accuracy=accuracy, readings=readings, **device)

    return judge(freeze, records(freeze), records("none"), margin_pp=2.0, limit_pp=limit)


def _summary(*, on_gpu: bool, **flags: str) -> Summary:
    limit = 5.0 if on_gpu else None
    asserted = {"max_drop": "5"} if on_gpu else {}
    results = [_result(freeze, on_gpu=on_gpu, limit=None if freeze == "none" else limit) for freeze in FIGURES]
    return summarize(results, _settings(**asserted, **flags))


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("on_gpu", [False, True], ids=["cpu", "gpu"])
def test_the_tables_are_golden(on_gpu: bool, width: int) -> None:
    """They equal the golden files; FREEZEBENCH_WRITE_GOLDEN=1 writes these anew, to be read before a commit."""
    golden = Path(__file__).with_name("golden") / f"{'gpu' if on_gpu else 'cpu'}_{width}.txt"
    shown = "\n\n".join(plain_text(table) for table in figure_tables(_summary(on_gpu=on_gpu), width)) + "\n"
    if os.environ.get("FREEZEBENCH_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", range(44, 200, 3))
@pytest.mark.parametrize("on_gpu", [False, True], ids=["cpu", "gpu"])
def test_no_line_wraps_and_the_main_columns_are_always_shown(on_gpu: bool, width: int) -> None:
    """At every width: verdict, drop, accuracy, time, speed-up, memory, and energy where it was measured."""
    text = plain_text(summary_lines(_summary(on_gpu=on_gpu), width))
    assert max(map(columns_of, text.splitlines())) <= width
    needed = ["verdict at", "drop, points", "test acc.", "train", "speed-", "peak", "1425.49×"]
    for part in [*needed, *(["test at", "energy"] if on_gpu else [])]:
        assert part in text


def test_the_answer_comes_first() -> None:
    """What can be frozen and what that saves precede the tables."""
    lines = plain_text(summary_lines(_summary(on_gpu=True), 100)).splitlines()
    assert lines[0].startswith("Deepest safe prefix: emb")
    assert next(line for line in lines if line.startswith("Recommended: "))
    assert lines.index("") < next(index for index, line in enumerate(lines) if "verdict at" in line)


def test_what_was_not_measured_has_a_footnote_instead_of_a_column() -> None:
    """A column of dashes is left out."""
    text = plain_text(summary_lines(_summary(on_gpu=False), 140))
    assert "\n" + "CPU package energy not measured: no /sys/class/powercap." in text
    assert "J per" not in text
    assert text.count("energy") == 1


def test_every_verdict_has_a_word_and_a_colour() -> None:
    """The colour repeats the meaning of the word."""
    spans = [span for line in summary_lines(_summary(on_gpu=True), 100) for span in line]
    looks = {text.strip(): style for text, style in spans}
    assert looks["non-inferior"] == looks["ok"] == "good"
    assert looks["inferior"] == looks["WORSE"] == "bad"
    assert looks["baseline"] == "faint"


def test_numbers_are_aligned_at_the_decimal_point() -> None:
    """This holds for any size; a missing number is a dash."""
    assert aligned([145.4, 9.75, None, 0.102], "{:g}".format) == ("145.4  ", "  9.75 ", "  –    ", "  0.102")
    assert aligned([-0.04, 12.3], "{:+.1f}".format) == (" +0.0", "+12.3")
    assert aligned([-0.001], "{:.0f} %".format) == ("0 %",)


@pytest.mark.parametrize(
    "name", ["a\nb\r\x1b[2J\x07", "模型" * 60, "x" * 500, "\u202egnp.model", "e\u0301" * 90], ids=ascii
)
def test_a_hostile_name_breaks_nothing(name: str) -> None:
    """Control characters are escaped, wide and long names are cut or wrapped."""
    summary = _summary(on_gpu=True, model=name)
    lines = [title_line(summary, 76), *plain_text(summary_lines(summary, 80)).splitlines()]
    assert all(columns_of(line) <= 80 for line in lines)
    assert all(line.isprintable() for line in lines)
    assert columns_of(lines[0]) <= 76
