"""What memory is used for: weights, as they train and merged, gradients, optimizer state and activations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.records.device_models import of_model
from freezebench.report.aggregate import aggregate
from freezebench.report.rows import table_model
from freezebench.report.strategy_text import names_heading
from freezebench.units import bytes_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.verdicts.judge import ConfigurationResult

# Heading of every column and its metric; the last ones only where a configuration has them.
_PARTS = {
    "weights": "allocated_parameters_bytes",
    "gradients": "allocated_gradients_bytes",
    "optimizer": "allocated_optimizer_bytes",
    "activations, rest": "allocated_rest_bytes",
    "added weights": "weights_added_bytes",
    "merged weights": "weights_merged_bytes",
}
_NUM_ALWAYS = 4


def memory_table(results: Sequence[ConfigurationResult]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return headers and cells of the table; empty if no run recorded the parts.

    The weights include what strategies have added, which is told apart beside what is left once it is merged.
    """
    model = table_model(results)
    arms = [(result.freeze, of_model(result.records, model)) for result in results]
    figures = [
        (freeze, [aggregate(records, metric) for metric in _PARTS.values()]) for freeze, records in arms if records
    ]
    measured = [any(values[index] is not None for _, values in figures) for index in range(len(_PARTS))]
    if not any(measured):
        return (), []
    shown = [index for index in range(len(_PARTS)) if index < _NUM_ALWAYS or measured[index]]
    headings = list(_PARTS)
    headers = (names_heading(freeze for freeze, _ in figures), *(headings[index] for index in shown))
    columns = [bytes_texts([values[index] for _, values in figures]) for index in shown]
    return headers, [[freeze, *cells] for (freeze, _), *cells in zip(figures, *columns, strict=True)]


def memory_title(results: Sequence[ConfigurationResult]) -> str:
    """Return the title of the table; on a CPU it says what an embedding that trains holds."""
    records = [record for result in results for record in result.records]
    is_reduced = any(record.device == "cpu" for record in records)
    rows = "; on a CPU, an embedding that trains may hold only the rows that the data use" if is_reduced else ""
    return f"What the memory is used for{rows}"
