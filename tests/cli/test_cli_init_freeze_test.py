"""The freeze test that is written: a module that Python reads, with what the data ask for."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from freezebench.cli.init.freeze_test import (
    Argument,
    data_arguments,
    limit_argument,
    model_arguments,
    read_data,
    source_of_test,
)
from freezebench.data.load import load_data
from freezebench.errors import DataError
from freezebench.models.source import ModelSource
from freezebench.specs.data import DataSpec
from freezebench.specs.names import TaskName
from task_data import write_task_data
from tiny import sentences, write_data


def values(arguments: list[Argument]) -> dict[str, Any]:
    """Return what Python reads from the marker of the written test."""
    module = ast.parse(source_of_test("test_it", arguments))
    (function,) = (node for node in module.body if isinstance(node, ast.FunctionDef))
    (marker,) = function.decorator_list
    assert isinstance(marker, ast.Call)
    return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in marker.keywords}


def test_arguments_are_written_as_python_reads_them() -> None:
    """Whatever characters a path or a column has."""
    texts = ['./it\'s "mine"', "back\\slash", "ö 中 🙂", "new\nline\ttab", "{x} %s"]
    names = ("model", "data", "text_column", "label_column", "group_column")
    arguments = [Argument(name=name, value=text, comment="why") for name, text in zip(names, texts, strict=True)]
    assert list(values(arguments).values()) == texts


@pytest.mark.parametrize(
    ("num_layers", "grid"), [(1, "none,emb"), (2, "none,emb,emb+L0"), (3, "none,emb,emb+L0"), (6, "none,emb,emb+L0-2")]
)
def test_the_grid_has_half_of_the_layers(num_layers: int, grid: str) -> None:
    """Three configurations, so that a first session is short."""
    assert values(model_arguments("./m", num_layers)) == {"model": "./m", "grid": grid}


def test_columns_are_named_where_they_are_not_the_usual_ones(tiny_data: Path, tiny_model: Path) -> None:
    """The margin is the smallest one that the test set resolves."""
    spec = DataSpec(source=str(tiny_data))
    data = read_data(spec, ModelSource.resolve(str(tiny_model)))
    own = values(data_arguments("./data", spec, data))
    margin = own.pop("margin")
    assert own == {"data": "./data", "task": "sequence-classification", "epochs": 3}
    assert 2 < margin <= 20
    other = DataSpec(source="x", text_columns=("a", "b"), label_column="c", group_column="d")
    own = values(data_arguments("./data", other, data))
    assert (own["text_column"], own["label_column"], own["group_column"]) == ("a,b", "c", "d")


def test_own_models_and_data_have_a_limit() -> None:
    """The margin, or the usual one; the preset has limits for its own model on its own data."""
    own = [Argument(name="model", value="embedded"), Argument(name="data", value="./data")]
    assert values(limit_argument(own)) == {"max_drop": 2}
    assert values(limit_argument([*own, Argument(name="margin", value=9)])) == {"max_drop": 9}
    assert limit_argument([own[0], Argument(name="data", value="reviews")]) == []


def test_a_limit_that_may_be_too_small_says_so(tmp_path: Path) -> None:
    """Of every task; where the test set resolves the usual limit, or the margin says what it resolves, nothing is."""

    def comment(source: Path) -> str:
        spec = DataSpec(source=str(source))
        data = load_data(spec)
        (limit,) = limit_argument([Argument(name="model", value="./m"), *data_arguments("./data", spec, data)], data)
        (line,) = limit.lines[1:-1] or [""]
        return line

    labels: dict[TaskName, str] = {
        "token-classification": "entity F1",
        "multi-label": "macro F1",
        "regression": "Pearson",
    }
    for task, label in labels.items():
        line = comment(write_task_data(tmp_path / task, task))
        assert line.startswith(f"    # How small a drop of {label}"), line
        assert line.endswith(" can show is known after the first runs.")
    assert comment(write_data(tmp_path / "usual", sizes=(48, 24, 40))) == ""
    assert comment(write_data(tmp_path / "many", sizes=(48, 24, 9_000))) == ""
    line = comment(write_data(tmp_path / "few", sizes=(48, 24, 4)))
    assert re.fullmatch(
        r"    # 5 seeds and 4 test sentences can show no drop below \d\d points: use more of them\.", line
    )


def test_many_sentences_are_sampled(tmp_path: Path, tiny_model: Path) -> None:
    """A hosted runner would train on all of them for hours."""
    folder = write_data(tmp_path / "many", sizes=(2_001, 20, 2_000))
    spec = DataSpec(source=str(folder))
    own = values(data_arguments("./many", spec, read_data(spec, ModelSource.resolve(str(tiny_model)))))
    assert own["max_train"] == 2_000


def test_bad_rows_are_left_out_in_sight(tmp_path: Path, tiny_model: Path) -> None:
    """The test says so and counts them; data that are of no use either way are refused with the first message."""
    path, model = tmp_path / "data.jsonl", ModelSource.resolve(str(tiny_model))
    rows = [{"text": text, "label": label} for text, label in sentences(60, 2, 0)] + [{"text": "", "label": 0}]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    spec = DataSpec(source=str(path))
    arguments = data_arguments("./data.jsonl", spec, read_data(spec, model))
    assert values(arguments)["bad_rows"] == "drop"
    assert "# Rows that cannot be used: 1 (train: 1 without a text)." in source_of_test("test_it", arguments)
    path.write_text("".join(f"{json.dumps(row | {'label': 0})}\n" for row in rows[:60]), encoding="utf-8")
    with pytest.raises(DataError):
        read_data(spec, model)
