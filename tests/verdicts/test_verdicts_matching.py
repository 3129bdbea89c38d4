"""Which saved configuration a new one is compared with, and what keeps the two from being compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from freezebench.scoring.metrics import METRICS
from freezebench.verdicts.compare import compare
from freezebench.verdicts.matching import differences, match
from saved_runs import configuration, saved


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model": "large"}, ["model tiny → large"]),
        ({"model_sha256": "cd" * 32}, ["model weights sha256 abababababab → sha256 cdcdcdcdcdcd"]),
        ({"model_sha256": None}, []),
        ({"data": "moved"}, []),
        (
            {"data": "b", "data_sha256": {"train": "t", "validation": "v", "test": "x"}},
            ["data made-up → b", "test sentences sha256 test400 → sha256 x"],
        ),
        ({"precision": "bf16"}, ["precision float32 → bf16"]),
        ({"experiment_id": "another"}, []),
        ({"metric": METRICS["macro-f1"]}, ["metric accuracy → macro-f1"]),
        ({"task": "multi-label", "metric": METRICS["macro-f1"]}, ["task sequence-classification → multi-label"]),
        ({"test_sets": {"tweets": "cd" * 32}}, ["the test set tweets, which only this run has"]),
    ],
)
def test_differences_are_named_with_both_values(changes: dict[str, Any], expected: list[str]) -> None:
    """Content hashes decide where they are known: data that were only moved are the same data."""
    found = differences(configuration(), replace(configuration(), **changes))
    assert [difference.text for difference in found] == expected


def test_only_a_test_set_that_one_side_lacks_is_harmless() -> None:
    """The sets that both sides have are compared; a set of one name and other content would be mistaken for it."""
    old = replace(configuration(), test_sets={"tweets": "ab" * 32, "products": "ab" * 32})
    new = replace(configuration(), test_sets={"tweets": "cd" * 32, "editorials": "ab" * 32})
    found = differences(old, new)
    assert [(item.name, item.text, item.is_harmless) for item in found] == [
        (None, "test set tweets sha256 abababababab → sha256 cdcdcdcdcdcd", False),
        (None, "the test set products, which only the saved run has", True),
        (None, "the test set editorials, which only this run has", True),
    ]
    other = replace(configuration(), metric=METRICS["mcc"])
    assert [item.name for item in differences(configuration(), other)] == [None]


def test_configurations_are_matched_by_test_then_experiment_then_freeze_spec() -> None:
    """A renamed test is matched, and so is one whose protocol changed, so that the change can be named."""
    old = [configuration("none"), configuration("emb"), configuration("head")]
    renamed = configuration("emb", test="u.py::test_other")
    changed = replace(configuration("head", test="u.py::test_other"), experiment_id="another")
    new = [renamed, changed, configuration("none"), configuration("emb+L0")]
    assert match(old, new) == [(old[1], renamed), (old[2], changed), (old[0], new[2])]


def test_ambiguous_configurations_are_not_matched() -> None:
    """Of two renamed tests with the same configuration neither is chosen; all are listed."""
    old = saved(configuration("emb"))
    new = saved(configuration("emb", test="a.py::test_a"), configuration("emb", test="b.py::test_b"))
    comparison = compare(old, new, margin_pp=2)
    assert comparison.pairs == ()
    assert comparison.only_old == ("t.py::test_it[emb]",)
    assert comparison.only_new == ("a.py::test_a[emb]", "b.py::test_b[emb]")
