"""The matrix of models and data sets: how deep it is safe to freeze which model on which data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.units import percent_text
from freezebench.verdicts.vocabulary import Term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.overview.rows import OverviewRow

_NO_EXPERIMENT = Term(word="no experiment", tone="faint")


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The answers of experiments by model and data.

    Attributes:
        models: Names of its rows.
        data: Names of its columns.
        cells: The answer of every pair, one tuple for each model.
    """

    models: tuple[str, ...]
    data: tuple[str, ...]
    cells: tuple[tuple[Term, ...], ...]


def matrix(rows: Sequence[OverviewRow]) -> Matrix | None:
    """Return the deepest safe prefix of every model on every data set, with its share of the depth.

    ``None`` for a single model or a single data set, since the rows show the same.
    """
    models, data = (
        tuple(dict.fromkeys(names))
        for names in ((row.experiment.model for row in rows), (row.experiment.data_source for row in rows))
    )
    if min(len(models), len(data)) == 1:
        return None
    cells = tuple(tuple(_cell([row for row in rows if _is_of(row, model, name)]) for name in data) for model in models)
    return Matrix(models=models, data=data, cells=cells)


def _is_of(row: OverviewRow, model: str, data: str) -> bool:
    return (row.experiment.model, row.experiment.data_source) == (model, data)


def _cell(rows: Sequence[OverviewRow]) -> Term:
    """Return the answers of the experiments on one model and one data set."""
    if not rows:
        return _NO_EXPERIMENT
    tones, signs = {row.answer.tone for row in rows}, {row.answer.sign for row in rows}
    return Term(
        word=" / ".join(map(_text, rows)),
        # Answers of different kinds have no colour in common.
        sign=signs.pop() if len(signs) == 1 else "",
        tone=tones.pop() if len(tones) == 1 else "",
    )


def _text(row: OverviewRow) -> str:
    share = row.frozen_share
    return row.answer.word if share is None else f"{row.answer.word}, {percent_text(float(share), 0)}"
