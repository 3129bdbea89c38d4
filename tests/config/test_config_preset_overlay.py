"""A preset's limits and claims with other metrics, tasks, test sets and columns."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.errors import SettingsError
from freezebench.specs.presets import PRESETS


def _resolve(values: Mapping[str, object], preset: str = "embedded") -> Settings:
    return resolve([Source(label="{flag}", values=values)], lambda: (preset, "the default in this test"))


@pytest.mark.parametrize(
    "values",
    [
        {"test": "tweets=reviews:tweets"},
        {"slice_column": "domain"},
        {"group_column": "document"},
        {"metric": "accuracy"},
        {"task": "sequence-classification"},
    ],
    ids=str,
)
def test_what_changes_no_training_keeps_limits_and_rates(values: dict[str, object]) -> None:
    """Further test sets, slices and groups leave the drop on the own test set what it was."""
    settings, usual = _resolve(values), _resolve({})
    assert settings.limits_from == "preset embedded"
    assert settings.max_drop == usual.max_drop
    assert settings.learning_rates == usual.learning_rates
    assert settings.protocol == usual.protocol


@pytest.mark.parametrize("values", [{"metric": "macro-f1"}, {"task": "regression"}], ids=str)
def test_another_metric_or_task_has_none_of_its_limits(values: dict[str, object]) -> None:
    """The limits are accuracies of classification; the rates of the preset's model and data stay."""
    settings = _resolve(values)
    assert settings.limits_from is None
    assert not settings.max_drop.numbers
    assert settings.learning_rates == PRESETS["embedded"].learning_rates
    assert _resolve({**values, "max_drop": "3"}).limits_from == "--freeze-max-drop"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"max_slice_drop": "3"},
            "--freeze-max-slice-drop limits the drop on slices.*Give --freeze-slice-column as",
        ),
        ({"max_test_drop": "3"}, "--freeze-max-test-drop limits .*Give --freeze-test=NAME=SOURCE as well"),
        ({"claims": "yes", "metric": "mcc"}, "--freeze-metric=mcc judges by another metric. Leave one"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_options_that_need_or_exclude_another(values: dict[str, object], message: str) -> None:
    """The sentence names both options."""
    with pytest.raises(SettingsError, match=message):
        _resolve(values)


def test_the_notebook_judges_its_claims_by_accuracy_alone() -> None:
    """With another metric, the preset's claims are left out, since nobody requested them."""
    assert _resolve({"metric": "accuracy"}, "notebook").claims
    assert not _resolve({"metric": "macro-f1"}, "notebook").claims
