"""One experiment as one row of the overview."""

from __future__ import annotations

from dataclasses import replace

import pytest

import made_up
import made_up_tasks
from freezebench.report.overview.columns import COLUMNS as OVERVIEW_COLUMNS
from freezebench.report.overview.columns import overview_columns, overview_words
from freezebench.report.overview.overview import overview
from freezebench.report.overview.rows import overview_rows, short_names
from studies import Study, ladder, mixed_answers, two_by_two, uneven


def test_every_kind_of_answer_has_a_state_and_a_word() -> None:
    """A cell without a safe prefix says why."""
    rows = overview_rows(mixed_answers())
    assert [(row.state, row.answer.word) for row in rows] == [
        ("safe", "emb+L0-1"),
        ("baseline_invalid", "baseline invalid"),
        ("undecided", "inconclusive"),
        ("none_safe", "inferior"),
        ("nothing_compared", "nothing compared"),
        ("safe", "emb+L0"),
        ("nothing_compared", "nothing compared"),
    ]
    assert all(row.answer.sign for row in rows)


def test_an_invalid_first_prefix_is_no_answer() -> None:
    """Deeper prefixes do not count after it."""
    study = Study(change=lambda run: made_up.broken("emb", run.spec.seed) if run.spec.freeze == "emb" else run)
    (row,) = overview_rows([study.experiment()])
    assert (row.state, row.answer.word, row.next_deeper) == ("invalid", "invalid", ("emb", "invalid"))


@pytest.mark.parametrize(
    ("accuracies", "depth", "frozen", "following"),
    [
        (ladder(6, safe=3), 6, 2, ("emb+L0-2", "inferior")),
        (ladder(6, safe=3, loss=0.02), 6, 2, ("emb+L0-2", "inconclusive")),
        (ladder(3, safe=4), 3, 3, ("", "no_deeper")),
        ({"none": 0.8, "emb+L0": 0.8}, 6, 1, ("", "not_tried")),
        (ladder(6, safe=0), 6, None, ("emb", "inferior")),
        ({"none": 0.8, "L3": 0.8}, 6, None, ("", "no_deeper")),
    ],
)
def test_depth_and_what_follows(
    accuracies: dict[str, float], depth: int, frozen: int | None, following: tuple[str, str]
) -> None:
    """The number of frozen layers, and the verdict on the next prefix of the grid."""
    (row,) = overview_rows([Study(accuracies=accuracies, depth=depth).experiment()])
    assert (row.num_frozen_layers, row.num_layers, row.next_deeper) == (frozen, depth, following)


def test_a_deeper_prefix_behind_an_undecided_one_does_not_count() -> None:
    """The deepest safe prefix is before the first one that is not shown to be non-inferior."""
    accuracies = {"none": 0.8, "emb": 0.8, "emb+L0": 0.78, "emb+L0-1": 0.8}
    (row,) = overview_rows([Study(accuracies=accuracies).experiment()])
    assert row.answer.word == "emb"
    assert row.next_deeper == ("emb+L0", "inconclusive")


def test_experiments_on_the_same_model_and_data_are_told_apart() -> None:
    """By the settings that differ, or by the reports from which they were read; others need no detail."""
    rows = overview_rows(uneven())
    assert [row.label for row in rows] == [
        "1: large on reviews (num_epochs 2)",
        "2: large on reviews (num_epochs 5)",
        "3: large on tweets",
        "4: small on reviews",
    ]
    saved = [replace(Study().experiment(), source=source) for source in ("before", "after")]
    assert [row.detail for row in overview_rows(saved)] == ["before", "after"]
    grids = [Study(flags={"grid": grid}).experiment() for grid in ("all", "none,emb")]
    assert [row.detail for row in overview_rows(grids)] == ["", ""]


def test_short_names_stay_different() -> None:
    """Folders and organizations are left out, unless two names have the same end."""
    assert short_names(["a/model", "b/other", "plain", "folder/x/"]) == {
        "a/model": "model",
        "b/other": "other",
        "plain": "plain",
        "folder/x/": "x",
    }
    assert short_names(["a/model", "b/model"]) == {"a/model": "a/model", "b/model": "b/model"}
    assert short_names(["/", "a"]) == {"/": "/", "a": "a"}


def test_figures_are_plain_and_named() -> None:
    """CSV and JSON hold numbers and texts in the same order for every answer."""
    figures = [row.figures() for row in overview_rows(mixed_answers())]
    assert len({tuple(figure) for figure in figures}) == 1
    assert {type(value) for figure in figures for value in figure.values()} <= {int, float, str, type(None)}
    first, broken = figures[0], figures[1]
    assert (first["deepest_safe"], first["num_frozen_layers"], first["num_layers"]) == ("emb+L0-1", 2, 6)
    assert first["frozen_share"] == pytest.approx(1 / 3)
    assert (first["next_deeper"], first["next_deeper_state"]) == ("emb+L0-2", "inferior")
    assert (broken["state"], broken["baseline_accuracy"], broken["deepest_safe"]) == ("baseline_invalid", None, None)


def test_the_recommendation_is_named_where_strategies_compete() -> None:
    """The deepest safe prefix stays that of the ladder."""
    assert [row.recommended for row in overview_rows(two_by_two())] == [None] * 4
    accuracies = {"none": 0.8, "emb": 0.8, "bitfit": 0.8}
    (row,) = overview_rows([Study(model="large", accuracies=accuracies).experiment()])
    assert (row.deepest and row.deepest.freeze, row.recommended) == ("emb", "bitfit")
    assert next(column for column in OVERVIEW_COLUMNS if column.name == "recommended").cell(row) == "bitfit"


def test_experiments_with_several_metrics_are_not_ranked_together() -> None:
    """Each row names its metric, in its own unit; there is no joint Pareto front of drops that cannot be compared."""
    experiments = [
        made_up_tasks.experiment("multi-label"),
        made_up_tasks.experiment("sequence-classification", "log-loss", margin=0.05),
    ]
    shown = overview(experiments)
    assert shown is not None
    assert shown.front is None
    assert "at the margin of each" in shown.sentence
    cells = {column.name: [column.cell(row) for row in shown.rows] for column in overview_columns(shown.rows)}
    assert "baseline_accuracy" not in cells
    assert cells["metric"] == ["macro F1", "log loss"]
    assert [cell.split(" ± ")[0] for cell in cells["baseline_metric"]] == ["96.5 %", "0.285"]
    assert [row.figures()["metric_unit"] for row in shown.rows] == ["points", "nats"]
    assert overview_words(shown.rows)["margin"] == "its margin"
    same = overview([experiments[0], made_up_tasks.experiment("multi-label")])
    assert same is not None
    assert same.front is not None
    assert "at a margin of 2 points of macro F1" in same.sentence
