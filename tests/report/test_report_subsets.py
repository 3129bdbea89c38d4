"""Drops of classes, slices and test sets in sentences and tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import made_up_tasks
from experiments import experiment, settings
from freezebench.config.session_settings import SessionSettings
from freezebench.report.experiment import read_experiments
from freezebench.report.markdown import markdown_report
from freezebench.report.page.page import page
from freezebench.report.picture import Missing, Picture
from freezebench.report.plots.test_sets import drops
from freezebench.report.publish import write_report
from freezebench.report.subsets import subset_sentences, subset_tables
from freezebench.report.terminal_summary import summary_lines
from freezebench.report.terminal_table import plain_text
from freezebench.report.verdict_text import class_loss_sentences, loss_text

if TYPE_CHECKING:
    from freezebench.specs.names import TaskName


def test_without_subsets_nothing_is_said() -> None:
    """Most experiments have neither slices nor further test sets, and their classes are in a table alone."""
    assert [table.kind for table in subset_tables(experiment().results)] == ["class"]
    assert subset_sentences(experiment().results) == []


def test_only_classes_past_the_margin_are_named_below_the_table() -> None:
    """Those of a configuration that loses too much as a whole are not; slices and test sets were requested by name."""
    assert subset_sentences(made_up_tasks.with_subsets().results) == [
        (
            "Classes: emb+L0: recall drops by more than the margin: bad by +10.0 [+9.0, +11.0] (90.0 % → 80.0 %, "
            "120 examples)."
        ),
        (
            "Slice books (120 examples, accuracy 90.0 % unfrozen), drops in points: emb +0.0 [-1.0, +1.0] "
            "non-inferior; emb+L0, emb+L0-1 +5.0 [+4.0, +6.0] inferior."
        ),
        (
            "Slice films (3 examples, accuracy 90.0 % unfrozen), drops in points: emb, emb+L0, emb+L0-1 inconclusive "
            "(too few examples: 3 sentences)."
        ),
        (
            "Test set tweets (120 examples, accuracy 90.0 % unfrozen), drops in points: emb, emb+L0, emb+L0-1 +0.4 "
            "[-0.6, +1.4] non-inferior."
        ),
        (
            "Test set products (120 examples, accuracy 90.0 % unfrozen), drops in points: emb, emb+L0, emb+L0-1 +0.5 "
            "inconclusive (too few examples: 9 sentences of class bad)."
        ),
    ]


def test_of_many_slices_those_that_lose_too_much_have_a_sentence() -> None:
    """The tables have all of them."""
    result = made_up_tasks.with_subsets().results[1]
    drops = [5.0 if number == 3 else 0.0 for number in range(20)]
    slices = tuple(made_up_tasks.subset("slice", f"s{number}", drop) for number, drop in enumerate(drops))
    lost, more = subset_sentences([replace(result, classes=(), test_sets=(), slices=slices)])
    assert lost.startswith("Slice s3 (120 examples")
    assert more == "Slices: 19 more (use -v, or the page of --freeze-report=DIR, to see them)."
    everywhere = tuple(made_up_tasks.subset("slice", f"s{number}", 5.0) for number in range(20))
    sentences = subset_sentences([replace(result, classes=(), test_sets=(), slices=everywhere)])
    assert len(sentences) == 9
    assert sentences[-1].startswith("Slices: 12 more, 12 of them inferior (")


def test_tables_have_every_subset_of_every_candidate() -> None:
    """The baseline is compared with nothing; slices are named by their column."""
    classes, slices, test_sets = subset_tables(made_up_tasks.with_subsets(slice_column="domain").results)
    assert [table.title for table in (classes, slices, test_sets)] == [
        "Classes",
        "Slices by domain",
        "Further test sets",
    ]
    assert classes.headers == (
        *("class", "frozen", "examples", "recall, unfrozen", "recall, frozen", "drop, points [interval]", "verdict"),
    )
    assert [cells[:2] for cells in classes.cells] == [
        (name, freeze) for name in ("bad", "good") for freeze in ("emb", "emb+L0", "emb+L0-1")
    ]
    assert slices.cells[2] == ("books", "emb+L0-1", "120", "90.0 %", "85.0 %", "+5.0 [+4.0, +6.0]", "inferior")
    assert slices.cells[3][4:] == ("–", "–", "inconclusive: too few examples: 3 sentences")
    assert "Holm" in test_sets.caption


def test_every_rendering_has_them(tmp_path: Path) -> None:
    """Terminal, Markdown and page; and JSON, from which they are read again."""
    shown = made_up_tasks.with_subsets()
    brief = plain_text(summary_lines(shown.summary, 100))
    assert "Slice books (120 examples" in brief
    assert "recall, unfrozen" not in brief
    assert "recall, unfrozen" in plain_text(summary_lines(shown.summary, 100, verbose=True))
    assert "| books   | emb+L0-1 | 120" in markdown_report([shown.summary])
    text = page([shown], [[drops(shown)]])
    assert "<h2>Classes, slices and further test sets</h2>" in text
    assert text.index("<figure") < text.index('<th scope="row">tweets</th>')  # beside its table
    assert "<h2>Classes</h2>" in page([experiment()], "no pictures")
    assert "Kumar et al. 2022" in text
    write_report(tmp_path, [(settings(), shown.summary)], SessionSettings())
    saved = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["experiments"][0]["configurations"][1]
    assert [item["name"] for item in saved["test_sets"]] == ["tweets", "products"]
    (again,) = read_experiments(tmp_path)
    assert [result.slices for result in again.results] == [result.slices for result in shown.results]
    assert subset_sentences(again.results) == subset_sentences(shown.results)


def test_the_picture_shows_own_against_further_drops() -> None:
    """Both with their intervals; without further test sets there is none."""
    picture = drops(made_up_tasks.with_subsets())
    assert isinstance(picture, Picture)
    assert "emb on tweets +0.4 (own " in picture.alt
    assert isinstance(drops(experiment()), Missing)


@pytest.mark.parametrize(
    ("task", "begin", "text"),
    [
        ("sequence-classification", "Class lost", "loses a class"),
        ("multi-label", "Label lost", "loses a label"),
        ("regression", "Sentences ignored", "ignores the sentences"),
    ],
)
def test_what_is_lost_is_called_by_its_name(task: TaskName, begin: str, text: str) -> None:
    """Several labels are no classes, and numbers are neither."""
    result = replace(made_up_tasks.experiment(task).results[1], class_loss="hardly recognised: it")
    assert loss_text(result) == text
    (sentence,) = class_loss_sentences([result])
    assert sentence.startswith(f"{begin}: {result.freeze}: hardly recognised: it; inferior, ")


def test_labels_are_not_called_classes() -> None:
    """Neither above the table of their recalls, nor in it."""
    (table,) = [
        table for table in subset_tables(made_up_tasks.experiment("multi-label").results) if table.kind == "class"
    ]
    assert (table.title, table.headers[0]) == ("Labels", "label")
    assert table.caption.startswith("Recall of every label, ")
