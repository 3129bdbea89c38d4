"""The notebook's published figures and those of a reproduction, with differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.report.notebook_metrics import NOTEBOOK_METRICS, cost, mean_of
from freezebench.report.page.markup import Html, data_table, section
from freezebench.report.reproduce import preset_differences
from freezebench.report.rows import table_metric, table_model
from freezebench.scoring.metrics import ACCURACY
from freezebench.specs.notebook_figures import PUBLISHED
from freezebench.units import NOT_MEASURED

if TYPE_CHECKING:
    from freezebench.report.experiment import Experiment
    from freezebench.report.notebook_metrics import NotebookMetric
    from freezebench.specs.notebook_figures import PublishedRun


@dataclass(frozen=True, kw_only=True)
class _Figure:
    """One figure that the notebook published and this run measured.

    Attributes:
        name: Heading in the table.
        field: Field of ``PublishedRun``.
        metric: NotebookMetric of this run.
        factor: Factor by which the notebook's figure is multiplied to have the same unit.
        digits: Number of decimals.
    """

    name: str
    field: str
    metric: NotebookMetric
    factor: float = 1.0
    digits: int = 1


def _share(name: str, field: str) -> _Figure:
    return _Figure(name=name, field=field, metric=NOTEBOOK_METRICS[name], factor=100)


_FIGURES = (
    _share("test accuracy (%)", "test_accuracy"),
    _share("test F1 of class 1, or macro (%)", "test_f1"),
    _share("validation accuracy (%)", "validation_accuracy"),
    _share("validation F1 of class 1, or macro (%)", "validation_f1"),
    _Figure(
        name="validation loss (nats)",
        field="validation_loss",
        metric=NOTEBOOK_METRICS["validation loss (nats)"],
        digits=3,
    ),
    _Figure(name="training loss (nats)", field="train_loss", metric=NOTEBOOK_METRICS["training loss (nats)"], digits=3),
    # The notebook's runtime contains the evaluations between the epochs.
    _Figure(name="runtime with evaluations (s)", field="train_s", metric=cost("train_and_eval_s")),
    _Figure(
        name="trainable params (M)",
        field="num_trainable_params",
        metric=NOTEBOOK_METRICS["trainable params (M)"],
        factor=1e-6,
        digits=2,
    ),
)
_NOTE = (
    "Each cell: the notebook's figure → this run's figure (difference). This run's figures are means over its seeds. "
    "The times were measured on different machines."
)


def published_figures(experiment: Experiment) -> Html | None:
    """Return the comparison with the published figures; ``None`` for other presets than the notebook's."""
    # The notebook published accuracies.
    if experiment.settings.get("preset") != "notebook" or table_metric(experiment.rows) is not ACCURACY:
        return None
    model = table_model(experiment.results)
    rows = [
        [
            result.freeze,
            *(
                _cell(figure, PUBLISHED[result.freeze], mean_of(result.records, figure.metric, model))
                for figure in _FIGURES
            ),
        ]
        for result in experiment.results
        if result.freeze in PUBLISHED
    ]
    note = f"{_NOTE} {preset_differences(experiment.settings)}"
    headers = ["frozen", *(figure.name for figure in _FIGURES)]
    return section("Comparison with the notebook's published figures", data_table(note, headers, rows))


def _cell(figure: _Figure, published: PublishedRun, ours: float | None) -> str:
    """Return the published figure, this run's, and their difference."""
    published_figure = figure.factor * float(getattr(published, figure.field))
    if ours is None:
        return f"{published_figure:.{figure.digits}f} → {NOT_MEASURED}"
    digits = figure.digits
    return f"{published_figure:.{digits}f} → {ours:.{digits}f} ({ours - published_figure:+.{digits}f})"
