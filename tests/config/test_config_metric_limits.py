"""The metric that judges, and margins and limits in its unit."""

from __future__ import annotations

from dataclasses import replace

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
        SettingsError, match=r"^--freeze-metric=made-up-loss: .* unit of its own \(nats\).*--freeze-margin"
    ):
        _resolve(metric="made-up-loss")
    settings = _resolve(metric="made-up-loss", margin="0.02", max_drop="emb:250")
    assert (settings.metric, settings.margin_pp, settings.max_drop.get("emb")) == ("made-up-loss", 0.02, 250.0)


def test_a_function_is_imported_later() -> None:
    """Its unit is not known before, so that its margin is not bounded here."""
    assert _resolve(metric="my.metrics:f", margin="0.02").metric == "my.metrics:f"
