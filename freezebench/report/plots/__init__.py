"""The pictures of the report; only this package imports matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.plots import accuracy, costs, side_by_side, test_sets, training
from freezebench.report.rows import table_metric
from freezebench.scoring.metrics import ACCURACY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.experiment import Experiment
    from freezebench.report.picture import Missing, Picture


def draw_side_by_side(experiments: Sequence[Experiment]) -> list[Picture | Missing]:
    """Return the pictures that show several experiments."""
    return [side_by_side.front(experiments), side_by_side.drops(experiments), side_by_side.speedups(experiments)]


def draw(experiment: Experiment) -> list[Picture | Missing]:
    """Return the pictures of one experiment; a missing one has its reason."""
    pictures: list[Picture | Missing] = [
        accuracy.drops(experiment),
        *(costs.trade_off(experiment, cost) for cost in costs.COSTS),
        costs.parameters(experiment),
        training.metrics(experiment),
        training.losses(experiment),
        *(costs.over_time(experiment, quantity) for quantity in costs.QUANTITIES),
    ]
    if any(result.test_sets for result in experiment.results):
        pictures.append(test_sets.drops(experiment))
    if experiment.settings.get("preset") == "notebook" and table_metric(experiment.rows) is ACCURACY:
        pictures.append(accuracy.published_figures(experiment))
    return pictures
