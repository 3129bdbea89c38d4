"""The columns on single classes: F1 by the name of its class, and recall and macro F1 where a class is rare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.escaping import visible
from freezebench.records.run_record import data_of
from freezebench.report.column import Column, percent_number
from freezebench.report.terminal_text import cut
from freezebench.units import NOT_MEASURED
from freezebench.verdicts.classes import has_rare_class, macro_f1, rarest_classes, recall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.data_facts import DataFacts
    from freezebench.report.rows import Row

_NUM_BINARY = 2
RECALLS = ("recall_rarest", "recall_second_rarest", "recall_third_rarest")  # two of two classes
_WIDEST_CLASS = 16


def class_words(rows: Sequence[Row]) -> dict[str, str]:
    """Return whose F1 and whose recalls the columns show."""
    data = _data_of(rows)
    rarest = [] if data is None or data.task != "sequence-classification" else rarest_classes(data)
    f1_of = "" if data is None or _has_macro_f1(data) else _name(data, 1)
    return {
        "f1": f"F1 of class {f1_of}" if f1_of else "macro F1",
        "f1_begin": "test F1 of" if f1_of else "test",
        "f1_end": f1_of or "macro F1",
        **{
            f"rare_{place}": _name(data, rarest[place]) if data is not None and place < len(rarest) else NOT_MEASURED
            for place in range(len(RECALLS))
        },
    }


def _name(data: DataFacts, label: int) -> str:
    """Return the name of a class, short enough for a heading."""
    return cut(visible(data.label_names[label]), _WIDEST_CLASS) if label < len(data.label_names) else str(label)


def is_classification(row: Row) -> bool:
    """Return whether every sentence has one class, so that it has an accuracy and classes have a recall.

    Other tasks have the column of their metric alone.
    """
    return row.task == "sequence-classification"


def same_as_metric(rows: Sequence[Row]) -> set[str]:
    """Return the names of the columns that have the same figures as that of the metric."""
    metric, is_macro = rows[0].metric, _has_macro_f1(_data_of(rows))
    if metric == "macro-f1":
        return {"macro_f1", "f1"} if is_macro else {"macro_f1"}
    return {"f1"} if metric == "f1" and not is_macro else set()


def _data_of(rows: Sequence[Row]) -> DataFacts | None:
    """Return the facts of the data of one table; ``None`` without a valid run."""
    return data_of(record for row in rows for record in row.records)


def _has_macro_f1(data: DataFacts | None) -> bool:
    """Return whether the F1 of a record is that of all classes, since there are more than two."""
    return data is not None and len(data.label_names) > _NUM_BINARY


def _f1(row: Row) -> float | None:
    """Return the F1 of a record; of many classes it is the macro F1, which has a column of its own if one is rare."""
    if not is_classification(row) or (_has_macro_f1(_data_of([row])) and _macro_f1(row) is not None):
        return None
    return row.f1


def _macro_f1(row: Row) -> float | None:
    """Return the macro F1 where a class of the test split is rare."""
    data = _classes_of(row)
    return macro_f1(row.records) if data is not None and has_rare_class(data) else None


def _classes_of(row: Row) -> DataFacts | None:
    """Return the facts of the data; ``None`` where sentences have no single class."""
    return _data_of([row]) if is_classification(row) else None


def _recall_column(place: int, name: str) -> Column[Row]:
    """Return the column of the recall of one of the rarest classes, which is filled where a class is rare."""

    def source(row: Row) -> float | None:
        data = _classes_of(row)
        if data is None or not has_rare_class(data):
            return None
        rarest = rarest_classes(data)
        return recall(row.records, rarest[place]) if place < len(rarest) else None

    return Column(
        name=name,
        heading=f"test recall of class {{rare_{place}}}, %",
        short_heading=("recall of", f"{{rare_{place}}}", "%"),
        source=source,
        aggregation="mean",
        better="higher",
        text=percent_number(1),
        hide_empty=True,
    )


CLASS_COLUMNS: tuple[Column[Row], ...] = (
    Column(
        name="f1",
        heading="test {f1}, %{sd}",
        short_heading=("{f1_begin}", "{f1_end}", "%{sd}"),
        source=_f1,
        hide_empty=True,
        aggregation="mean",
        better="higher",
        text=percent_number(1),
        spread=lambda row: row.f1_sd,
        spread_text=percent_number(1),
        rank=5,
    ),
    Column(
        name="macro_f1",
        heading="test macro F1, %",
        short_heading=("test", "macro F1", "%"),
        source=_macro_f1,
        aggregation="mean",
        better="higher",
        text=percent_number(1),
        hide_empty=True,
    ),
    *(_recall_column(place, name) for place, name in enumerate(RECALLS)),
)
