"""Words and numbers of the metric that is judged."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import made_up
import made_up_tasks
from freezebench.report.metric_text import (
    definition,
    direction_sentence,
    in_points_of,
    in_unit,
    is_known,
    judged_metric,
    metric_of_data,
    metric_shown,
    seed_drop,
    signed_drop,
    unsigned_drop,
    value_of,
    value_text,
    with_article,
)
from freezebench.report.rows import row
from freezebench.report.terminal_summary import summary_lines
from freezebench.report.terminal_table import plain_text
from freezebench.scoring.metrics import ACCURACY, METRICS
from freezebench.verdicts.judge import ConfigurationResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def error_rate(labels: NDArray[np.int64], predictions: NDArray[np.int64]) -> float:
    """Return the share of sentences that are wrong: a metric of a user."""
    return float((labels != predictions).mean())


error_rate.higher_is_better = False  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "value", "drop", "margin", "named"),
    [
        ("accuracy", "41.3 %", "+1.3", "2 points", "2 points"),
        ("macro-f1", "41.3 %", "+1.3", "2 points", "2 points of macro F1"),
        ("log-loss", "0.413", "+1.250", "2 nats", "2 nats"),
        ("rmse", "0.413", "+1.250", "2 units of the label", "2 units of the label"),
    ],
)
def test_values_and_drops_are_in_the_unit_of_the_metric(
    name: str, value: str, drop: str, margin: str, named: str
) -> None:
    """Points are hundredths of a share; other units are written as they are, with more decimals."""
    metric = METRICS[name]
    assert value_text(0.413, metric) == value
    assert signed_drop(1.25 if metric.unit != "points" else 1.26, metric) == drop
    assert (in_unit(2.0, metric), in_points_of(2.0, metric)) == (margin, named)
    assert unsigned_drop(-1e-9, metric) in ("0.0", "0.000")


def test_a_small_gain_keeps_its_sign() -> None:
    """Only a zero loses its minus: a gain of 0.04 nats is no drop of 0.04."""
    assert unsigned_drop(-0.04, METRICS["log-loss"]) == "-0.040"
    assert unsigned_drop(-0.04, ACCURACY) == "0.0"


def test_a_metric_that_is_not_known_here_is_shown_by_its_name_and_never_imported() -> None:
    """A saved report may name any function, and reading it runs none."""
    metric = metric_shown("antigravity:fly")
    assert (metric.name, metric.label, metric.unit) == ("antigravity:fly", "antigravity:fly", "points")
    assert not is_known(metric)
    assert value_of(made_up.record(), metric) is None
    assert "antigravity" not in sys.modules
    assert not is_known(metric_shown("math:sqrt"))  # loaded, and no metric
    result = made_up_tasks.results("sequence-classification", "log-loss", margin=0.05)[1]
    assert judged_metric([replace(result, metric="antigravity:fly")]).unit == "nats"  # as its verdict says
    assert row(replace(result, metric="antigravity:fly")).metric_unit == "nats"


def test_a_function_of_the_session_is_shown_with_its_values() -> None:
    """Its module is loaded, since runs were judged by it."""
    metric = metric_shown(f"{__name__}:error_rate")
    assert is_known(metric)
    assert (metric.label, metric.unit, metric.higher_is_better) == ("error rate", "points", False)
    run = made_up.record()
    assert value_of(run, metric) == pytest.approx(1 - (run.value("accuracy") or 0.0))
    assert direction_sentence(metric) is not None
    assert "jackknife" in definition(metric, 400)
    assert "100 groups of the 400 examples" in definition(metric, 400)


def test_what_was_not_run_has_no_metric() -> None:
    """The metric of a table is that of the configurations that were judged."""
    results = [ConfigurationResult.not_run("emb", same_as="none"), *made_up_tasks.results("multi-label")]
    assert judged_metric(results).name == "macro-f1"
    assert judged_metric(results[:1]) is ACCURACY


def test_a_drop_is_positive_where_a_loss_grows() -> None:
    """Baseline - candidate of an accuracy, candidate - baseline of a loss."""
    good, bad = (made_up_tasks.run("sequence-classification", noise=noise) for noise in (0.3, 1.5))
    for name in ("accuracy", "log-loss"):
        drop = seed_drop(good, bad, METRICS[name])
        assert drop is not None
        assert drop > 0
    assert seed_drop(good, made_up.broken("emb"), ACCURACY) is None


def test_the_metric_of_a_run_is_the_one_of_the_settings_or_of_its_task() -> None:
    """Names that do not fit the task are said to be wrong elsewhere: what is shown of a run goes on."""
    tokens = made_up_tasks.run("token-classification")
    assert metric_of_data(tokens.data, None).name == "entity-f1"
    assert metric_of_data(tokens.data, "micro-f1").name == "micro-f1"
    assert metric_of_data(tokens.data, "pearson").name == "pearson"
    assert metric_of_data(None, None) is ACCURACY


def test_articles_follow_the_sound() -> None:
    """Of an abbreviation, that of its first letter."""
    assert [with_article(METRICS[name]) for name in ("accuracy", "macro-f1", "auroc", "rmse", "mae", "r2")] == [
        "an accuracy",
        "a macro F1",
        "an AUROC",
        "an RMSE",
        "a mean absolute error",
        "an R²",
    ]


@pytest.mark.parametrize(
    ("task", "metric", "margin", "shown", "hidden"),
    [
        ("regression", None, 2.0, "Pearson correlation stays within 2 points of no freezing (", "test acc."),
        ("regression", "rmse", 0.1, "RMSE stays within 0.1 units of the label of no freezing (", "F1"),
        ("multi-label", None, 2.0, "macro F1 stays within 2 points of no freezing (", "test acc."),
        ("token-classification", None, 2.0, "entity F1 stays within 2 points of no freezing (", "recall of"),
        ("sequence-classification", "macro-f1", 2.0, "macro F1 stays within 2 points of no freezing (", "F1 of"),
        ("sequence-classification", "log-loss", 0.05, "log loss stays within 0.05 nats of no freezing (", "F1 of"),
    ],
)
def test_a_summary_is_about_its_metric(task: str, metric: str | None, margin: float, shown: str, hidden: str) -> None:
    """Headline, table and sentences name it; other tasks than classification have no accuracy of sentences."""
    experiment = made_up_tasks.experiment(task, metric, margin=margin)  # type: ignore[arg-type]
    text = plain_text(summary_lines(experiment.summary, 140, verbose=True))
    assert text.startswith(f"Freeze emb: {shown}")
    assert hidden not in text
    assert "verdict at" in text
    assert f"at the margin of {in_points_of(margin, judged_metric(experiment.results))};" in text
