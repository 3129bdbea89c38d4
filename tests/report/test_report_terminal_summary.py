"""The summary on a terminal: it fits, and the answer comes first."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from experiments import broken_experiment, experiment, varied_summary
from freezebench.pytest_plugin.terminal import more_flag
from freezebench.report.overview.overview import overview
from freezebench.report.terminal_summary import closing_lines, summary_lines, title_line
from freezebench.report.terminal_table import plain_text
from freezebench.report.terminal_text import columns_of
from stories import STORIES
from studies import two_by_two


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("story", STORIES)
def test_the_screen_is_golden(story: str, width: int) -> None:
    """It equals the golden file; FREEZEBENCH_WRITE_GOLDEN=1 writes these anew, to be read before a commit."""
    golden = Path(__file__).with_name("golden") / f"{story}_{width}.txt"
    summary = STORIES[story]().summary
    title = f"= {title_line(summary, width - 4)} ="
    screen = plain_text([*summary_lines(summary, width), (), *closing_lines([summary], width)])
    shown = f"{title}\n{screen}\n"
    if os.environ.get("FREEZEBENCH_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")
    assert max(map(columns_of, shown.splitlines())) <= width


@pytest.mark.parametrize("width", range(44, 200, 3))
@pytest.mark.parametrize("on_gpu", [False, True], ids=["cpu", "gpu"])
def test_no_line_wraps_and_the_main_columns_are_always_shown(on_gpu: bool, width: int) -> None:
    """At every width: verdict, drop, accuracy, time, speed-up, memory, and energy where it was measured."""
    text = plain_text(summary_lines(varied_summary(on_gpu=on_gpu), width))
    assert max(map(columns_of, text.splitlines())) <= width
    needed = ["verdict at", "drop, points", "test acc.", "train", "speed-", "peak", "1424×"]
    for part in [*needed, *(["test at", "energy"] if on_gpu else [])]:
        assert part in text


def test_the_answer_comes_first_and_last() -> None:
    """What can be frozen and how precede the tables, and are repeated at the end of the session."""
    summary = varied_summary(on_gpu=True)
    lines = plain_text(summary_lines(summary, 100)).splitlines()
    assert lines[0].startswith("Freeze emb+L0: accuracy stays within 2 points of no freezing")
    assert lines.index("") < next(index for index, line in enumerate(lines) if "verdict at" in line)
    closing = plain_text(closing_lines([summary], 300)).splitlines()
    assert closing == [summary.answer.headline, summary.answer.next_steps[0]]


def test_several_answers_are_repeated_with_their_names() -> None:
    """Otherwise nobody could tell which is which."""
    summaries = [varied_summary(on_gpu=True, model=name) for name in ("first", "second")]
    closing = plain_text(closing_lines(summaries, 300)).splitlines()
    assert [line.partition(" on ")[0] for line in closing] == ["first", "second"]


def test_the_sentence_on_all_experiments_is_the_last_line() -> None:
    """After the answer of each of them."""
    experiments = two_by_two()
    shown = overview(experiments)
    assert shown is not None
    closing = plain_text(closing_lines([experiment.summary for experiment in experiments], 500, shown)).splitlines()
    assert closing[-1] == shown.sentence
    assert len(closing) == 5


def test_notes_and_times_need_verbosity() -> None:
    """What does not change the answer is shown with -v, and a line says so."""
    summary = experiment().summary
    short, long = (plain_text(summary_lines(summary, 140, verbose=verbose)) for verbose in (False, True))
    assert "\nFor further notes and the time of every phase, use -v or the page of --freeze-report=DIR." in short
    assert "use -v" not in long
    quiet = plain_text(summary_lines(summary, 140, more=more_flag(-1)))
    assert "\nFor further notes and the time of every phase, use -vv or the page of --freeze-report=DIR." in quiet
    assert [more_flag(verbosity) for verbosity in (1, 0, -2)] == ["-v", "-v", "-vvv"]
    assert "optimizer" in long
    assert "optimizer" not in short
    text = plain_text(summary_lines(varied_summary(on_gpu=False), 140, verbose=True))
    assert "\nCPU package energy not measured: no /sys/class/powercap." in text
    # A column of dashes is left out.
    assert "J per" not in text
    assert text.count("energy") == 1


def test_without_a_figure_there_is_no_table() -> None:
    """It would repeat that everything is invalid."""
    text = plain_text(summary_lines(broken_experiment().summary, 100))
    assert text.startswith("The experiment failed: ")
    assert "---" not in text


def test_every_verdict_has_a_word_and_a_colour() -> None:
    """The colour repeats the meaning of the word."""
    spans = [span for line in summary_lines(varied_summary(on_gpu=True), 100) for span in line]
    looks = {text.strip(): style for text, style in spans}
    assert looks["non-inferior"] == looks["passed"] == "good"
    assert looks["inferior"] == looks["INFERIOR"] == "bad"
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


def test_a_session_that_saves_its_model_does_not_say_how_to() -> None:
    """No sentence names the option where it was given, at the end or above."""
    summary = varied_summary(on_gpu=True)
    saving = replace(summary, is_saving=True)
    for lines in (closing_lines([summary], 200), summary_lines(summary, 200)):
        assert "--freeze-save=DIR" in plain_text(lines)
    for lines in (closing_lines([saving], 200), summary_lines(saving, 200)):
        text = plain_text(lines)
        assert "To use it: " in text
        assert "--freeze-save" not in text
    assert "--freeze-save" not in " ".join(saving.answer_lines)
