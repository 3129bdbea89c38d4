"""Plots: every picture of the report, drawn by matplotlib; nothing else imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.plots import accuracy, costs, several, training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.picture import Missing, Picture
    from freezebench.report.study import Study


def draw_together(studies: Sequence[Study]) -> list[Picture | Missing]:
    """Return the pictures of several experiments in one frame."""
    return [several.drops(studies), several.speedups(studies)]


def draw(study: Study) -> list[Picture | Missing]:
    """Return the pictures of one experiment, and why others could not be drawn."""
    found: list[Picture | Missing] = [
        accuracy.drops(study),
        *(costs.trade_off(study, cost) for cost in costs.COSTS),
        costs.parameters(study),
        training.metrics(study),
        training.losses(study),
        *(costs.over_time(study, quantity) for quantity in costs.QUANTITIES),
    ]
    if study.settings.get("preset") == "notebook":
        found.append(accuracy.beside_the_notebook(study))
    return found
