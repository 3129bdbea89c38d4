"""The metric that judges, and margins and limits in its unit."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.errors import SettingsError
from freezebench.scoring import metrics


def _resolve(**values: object) -> Settings:
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "the default in this test"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("margin", "0.02", r"^--freeze-margin=0.02: give percentage points, .*Did you mean 2 points\?$"),
        ("margin", "101", r"^--freeze-margin=101: give percentage points, from 0.1 to 100\.$"),
        ("max_drop", "3,emb:0.05", r"^--freeze-max-drop=0.05: .*Did you mean 5 points\?$"),
        ("max_regression", "none:0.02", r"Did you mean 2 points\?$"),
        ("max_slice_drop", "0.02", r"^--freeze-max-slice-drop=0.02: "),
        ("max_test_drop", 0.02, r"^--freeze-max-test-drop=0.02: "),
    ],
)
@pytest.mark.parametrize("metric", [{}, {"metric": "accuracy"}], ids=str)
def test_points_have_bounds(metric: dict[str, str], name: str, value: object, message: str) -> None:
    """What is meant as a share gets a hint."""
    with pytest.raises(SettingsError, match=message):
        _resolve(slice_column="domain", test="a=b", **metric, **{name: value})


def test_a_unit_of_its_own_needs_a_margin_and_has_no_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """No margin in nats, or in the unit of the labels, is usual."""
    metric = replace(metrics.ACCURACY, name="made-up-loss", unit="nats", higher_is_better=False)
    monkeypatch.setitem(metrics.METRICS, "made-up-loss", metric)
    with pytest.raises(
        SettingsError, match=r"^--freeze-metric=made-up-loss: this metric is measured in nats.*--freeze-margin"
    ):
        _resolve(metric="made-up-loss")
    settings = _resolve(metric="made-up-loss", margin="0.02", max_drop="emb:250")
    assert (settings.metric, settings.margin_pp, settings.max_drop.get("emb")) == ("made-up-loss", 0.02, 250.0)


def _resolve_all(*values: Mapping[str, object]) -> Settings:
    """Resolve the options of flags, markers of a test, its class and its module, and ini keys, the strongest first."""
    flags, *markers, ini = values
    sources = [
        Source(label="{flag}", values=flags),
        Source(label="{name}", values=ChainMap(*map(dict, markers))),
        Source(label="{ini}", values=ini),
    ]
    return resolve(sources, lambda: ("embedded", "the default in this test"))


_LOSS = {"metric": "log-loss", "margin": 0.05}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (({"metric": "log-loss", "margin": "0.05"}, {"max_drop": 1}, {}), "max_drop is in points, .*-max-drop in nats"),
        (({"metric": "log-loss"}, {}, {"margin": "3"}), "freeze_margin is in points, .* Set --freeze-margin in nats"),
        (({}, _LOSS, {"max_drop": 1}, {}), "max_drop is in points, and metric=log-loss .* Set max_drop in nats"),
        (({"metric": "accuracy"}, _LOSS, {}), "margin is in nats, and --freeze-metric=accuracy .* in points, too"),
        (({}, _LOSS, {"metric": "mcc", "max_drop": 1}), "freeze_max_drop is in points"),
    ],
)
def test_an_amount_for_a_metric_of_another_unit_is_refused(
    values: Sequence[Mapping[str, object]], message: str
) -> None:
    """A limit of 1 point would be one of 1 nat, which every configuration passes."""
    with pytest.raises(SettingsError, match=message):
        _resolve_all(*values)


@pytest.mark.parametrize(
    "values",
    [
        ({}, {"max_drop": 0.1}, _LOSS),
        ({"metric": "log-loss", "margin": "0.1"}, {"metric": "log-loss", "max_drop": 0.1}, {}),
        ({"metric": "mcc"}, {"max_drop": 1}, {"margin": "3"}),
        ({"max_drop": "0.2"}, _LOSS, {"max_drop": 0.1}, {}),
    ],
)
def test_an_amount_in_the_unit_of_the_metric_is_taken_from_any_source(values: Sequence[Mapping[str, object]]) -> None:
    """A marker's limit may be for the metric of the ini file; one in points holds for every metric in points."""
    assert _resolve_all(*values).metric in ("log-loss", "mcc")


@pytest.fixture
def own_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the user's."""
    text = "def share(labels, predictions):\n    return 0.5\n\n\ndef cost(labels, scores):\n    return 0.5\n\n\n"
    (tmp_path / "own_metrics.py").write_text(f"{text}cost.unit = 'nats'\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("own_metrics")
def test_a_function_has_the_unit_that_it_says() -> None:
    """It is imported with the settings of a test, so that its margin is checked before anything is trained."""
    assert _resolve(metric="own_metrics:share").margin_pp == 2
    with pytest.raises(SettingsError, match=r"^--freeze-margin=0.02: give percentage points"):
        _resolve(metric="own_metrics:share", margin="0.02")
    with pytest.raises(
        SettingsError, match=r"^--freeze-metric=own_metrics:cost: this metric is measured in nats.*Set --freeze-margin"
    ):
        _resolve(metric="own_metrics:cost")
    assert _resolve(metric="own_metrics:cost", margin="0.02").metric == "own_metrics:cost"


@pytest.mark.usefixtures("own_metrics")
@pytest.mark.parametrize("name", ["own_metrics:sahre", "no_such_module:share"])
def test_a_function_that_cannot_be_imported_is_refused(name: str) -> None:
    """In a sentence that names it."""
    with pytest.raises(SettingsError, match=name):
        _resolve(metric=name)
