"""The figures of the metric on a model card: the header's list, which the Hub reads, and the table's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.metric_text import (
    definition,
    digits_of,
    in_points_of,
    level_percent,
    unit_word,
    value_number,
    value_of,
    value_text,
)
from freezebench.report.rows import table_metric
from freezebench.scoring.metrics import ACCURACY
from freezebench.units import NOT_MEASURED, percent_text
from freezebench.verdicts.classes import class_name
from freezebench.verdicts.vocabulary import VERDICTS

if TYPE_CHECKING:
    from freezebench.records.data_facts import DataFacts
    from freezebench.records.run_record import Evaluation, RunRecord
    from freezebench.report.rows import Row
    from freezebench.report.saved_model import SavedModel
    from freezebench.scoring.metric import Metric

_NUM_BINARY = 2
# Names of the library evaluate, by which the Hub groups results; others keep their own.
_HUB_NAMES = {
    "macro-f1": "f1",
    "micro-f1": "f1",
    "mcc": "matthews_correlation",
    "quadratic-kappa": "cohen_kappa",
    "auroc": "roc_auc",
    "entity-f1": "seqeval",
    "pearson": "pearsonr",
    "spearman": "spearmanr",
    "r2": "r_squared",
}

Figures = list[tuple[str, str]]


def hub_metrics(saved: SavedModel, test: Evaluation) -> list[dict[str, object]]:
    """Return the metrics of the saved model as the header of its card lists them, the judged one first."""
    metric = table_metric([saved.row])
    is_classifier = saved.row.task == "sequence-classification"
    metrics: list[dict[str, object]] = []
    if metric is not ACCURACY or not is_classifier:
        name = _HUB_NAMES.get(metric.name, metric.name.replace("-", "_"))
        metrics.append({"type": name, "value": value_of(saved.record, metric), "name": metric.label})
    if is_classifier:
        metrics.append({"type": "accuracy", "value": test.accuracy, "name": "Accuracy"})
        if metric.name not in ("f1", "macro-f1"):
            metrics.append({"type": "f1", "value": test.f1, "name": _f1_name(saved.record)})
    return metrics


def metric_figures(saved: SavedModel, test: Evaluation, data: DataFacts) -> Figures:
    """Return what was measured of this model, of its configuration over the seeds, and of the comparison."""
    row, baseline, metric = saved.row, saved.baseline, table_metric([saved.row])
    is_classifier = data.task == "sequence-classification"
    return [
        *([] if metric is ACCURACY and is_classifier else _of_this_model(saved, metric)),
        *(_of_classifier(saved.record, test, data, metric) if is_classifier else []),
        (f"test {metric.label} of {row.freeze}", _over_seeds(row, metric)),
        (f"test {metric.label} without freezing", _over_seeds(baseline, metric)),
        *([("accuracy of the most frequent class", percent_text(data.majority_share))] if is_classifier else []),
        (f"{metric.label} drop against no freezing", _drop(row, saved.alpha, metric)),
        ("verdict", f"{VERDICTS[row.verdict].word} at a margin of {in_points_of(saved.margin_pp, metric)}"),
    ]


def metric_definition(saved: SavedModel, data: DataFacts) -> Figures:
    """Return task and metric with its definition; nothing of a classifier that was judged by its accuracy."""
    metric, task = table_metric([saved.row]), saved.row.task
    if metric is ACCURACY and task == "sequence-classification":
        return []
    return [("task", task), ("metric", definition(metric, data.num_distinct_test))]


def _of_this_model(saved: SavedModel, metric: Metric) -> Figures:
    value = value_text(value_of(saved.record, metric), metric)
    return [(f"test {metric.label} of this model (seed {saved.record.spec.seed})", value)]


def _of_classifier(record: RunRecord, test: Evaluation, data: DataFacts, metric: Metric) -> Figures:
    """Return accuracy and F1 of a model that gives every sentence one class."""
    figures = [
        (
            f"test accuracy of this model (seed {record.spec.seed})",
            f"{percent_text(test.accuracy)} ({sum(record.test_correct):,} of {data.num_test:,} sentences)",
        )
    ]
    if metric.name not in ("f1", "macro-f1"):
        figures.append((f"test {_f1_name(record)}, of this model", percent_text(test.f1)))
    return figures


def _over_seeds(row: Row, metric: Metric) -> str:
    spread = ""
    if row.metric_sd is not None:
        spread = f" ± {value_number(row.metric_sd, metric)} {unit_word(metric)} (standard deviation)"
    return f"{value_text(row.metric_value, metric)}{spread}, mean of {row.num_seeds} seeds"


def _drop(row: Row, alpha: float, metric: Metric) -> str:
    drop, lower, upper = (
        NOT_MEASURED if value is None else f"{value:.{digits_of(metric) + 1}f}"
        for value in (row.drop_pp, row.lower_pp, row.upper_pp)
    )
    interval = f"{level_percent(alpha)} % interval {lower} to {upper}"
    better = "more accurate" if metric is ACCURACY else "better"
    return f"{drop} {unit_word(metric)}, {interval} (negative: {better} than without freezing)"


def _f1_name(record: RunRecord) -> str:
    data = record.data
    if data is None:
        return "F1"
    return f"F1 of {class_name(data, 1)}" if len(data.label_names) <= _NUM_BINARY else "macro F1"
