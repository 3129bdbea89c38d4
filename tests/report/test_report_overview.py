"""The overview of several experiments."""

from __future__ import annotations

import json

from freezebench.report.overview.overview import overview
from studies import mixed_answers, one, two_by_two, uneven


def test_a_single_experiment_has_none() -> None:
    """Its own table shows everything."""
    assert overview(one()) is None
    assert overview([]) is None


def test_the_device_is_named_once_where_it_is_the_same() -> None:
    """Otherwise a column has it."""
    same, different = overview(two_by_two()), overview(uneven())
    assert same is not None
    assert different is not None
    assert same.device_sentence == "Costs are those of one device model: a CPU of two cores."
    assert different.device_sentence is None
    assert "Times are not ranked: they are those of 2 device models" in different.front_title
    assert "Times are not ranked" not in same.front_title


def test_json_holds_sentence_rows_and_front() -> None:
    """In JSON types, with the number of each experiment."""
    shown = overview(mixed_answers())
    assert shown is not None
    content = json.loads(json.dumps(shown.to_json(), allow_nan=False))
    assert content["sentence"] == shown.sentence
    assert [row["experiment"] for row in content["experiments"]] == [1, 2, 3, 4, 5, 6, 7]
    assert content["front"]["cost"] == "time"
    assert content["front"]["configurations"][0].keys() == {"experiment", "freeze", "cost", "upper_pp"}
