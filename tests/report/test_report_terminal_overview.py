"""The overview on a terminal: it fits, and its sentence comes first."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

import hostile
from freezebench.report.overview.overview import Overview, overview
from freezebench.report.terminal_overview import overview_lines
from freezebench.report.terminal_table import plain_text
from freezebench.report.terminal_text import columns_of
from studies import STUDIES, two_by_two, uneven


@pytest.fixture(scope="module")
def shown() -> dict[str, Overview]:
    """The overview of every made-up session."""
    return {name: made for name, study in STUDIES.items() if (made := overview(study())) is not None}


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("study", STUDIES)
def test_the_screen_is_golden(shown: dict[str, Overview], study: str, width: int) -> None:
    """It equals the golden file; FREEZEBENCH_WRITE_GOLDEN=1 writes these anew, to be read before a commit."""
    golden = Path(__file__).with_name("golden") / f"overview_{study}_{width}.txt"
    screen = plain_text(overview_lines(shown[study], width)) + "\n"
    if os.environ.get("FREEZEBENCH_WRITE_GOLDEN"):
        golden.write_text(screen, encoding="utf-8")
    assert screen == golden.read_text(encoding="utf-8")
    assert max(map(columns_of, screen.splitlines())) <= width


@pytest.mark.parametrize("width", [40, *range(44, 200, 7)])
@pytest.mark.parametrize("study", STUDIES)
def test_no_line_wraps_and_the_answers_are_always_shown(shown: dict[str, Overview], study: str, width: int) -> None:
    """At every width: the deepest safe prefix, drop, speed-up, and the number of every experiment."""
    text = plain_text(overview_lines(shown[study], width))
    assert max(map(columns_of, text.splitlines())) <= width
    for part in (
        "deepest safe",
        "drop, points",
        "speed-up",
        "seeds",
        *(f"\n{row.number}: " for row in shown[study].rows),
    ):
        assert part in text


def test_answers_have_colours() -> None:
    """The colour repeats the meaning of the word."""
    made = overview(uneven())
    assert made is not None
    styles = {text.strip(): style for line in overview_lines(made, 140) for text, style in line}
    assert styles["emb+L0-2"] == styles["emb+L0-1, 33 %"] == "good"
    assert styles["emb+L0-4 inferior"] == "bad"
    assert styles["no experiment"] == "faint"


def test_names_are_short_where_they_stay_different() -> None:
    """Folders and organizations are left out."""
    names = ("org/a", "org/a", "x/b", "x/b")
    experiments = [
        replace(made, settings={**made.settings, "model": name}) for made, name in zip(two_by_two(), names, strict=True)
    ]
    made = overview(experiments)
    assert made is not None
    text = plain_text(overview_lines(made, 100))
    assert "1: a on reviews" in text
    assert "org/" not in text


@pytest.mark.parametrize("kind", hostile.HOSTILE)
def test_a_hostile_name_breaks_nothing(kind: str) -> None:
    """It is shown in its visible form, in rows, headings, matrix and front."""
    first, *others = two_by_two()
    name = hostile.HOSTILE[kind]
    made = overview([replace(first, settings={"model": name, "data": {"source": name}}), *others])
    assert made is not None
    lines = plain_text(overview_lines(made, 80)).split("\n")
    assert max(map(columns_of, lines)) <= 80
    hostile.check_terminal("\n".join(lines))
