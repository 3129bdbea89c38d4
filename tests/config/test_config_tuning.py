"""Factors of learning rates that are tried."""

from __future__ import annotations

import pytest

from freezebench.config.configurations import configurations
from freezebench.config.settings import resolve
from freezebench.config.sources import Source
from freezebench.config.tuning import parse_tune_lr
from freezebench.errors import SettingsError


def test_factors_are_sorted_and_have_a_default() -> None:
    """A marker and an ini key say yes or no in their own way."""
    assert parse_tune_lr("3, 1,0.33") == (0.33, 1, 3)
    assert parse_tune_lr("yes") == parse_tune_lr("True") == (0.33, 1, 3)
    assert parse_tune_lr("no") == parse_tune_lr("False") == ()


@pytest.mark.parametrize(
    "text", ["benchmarks", "", "1", "1,1", "0,1", "1,2000", "nan,1", "1,,2", "1,2,3,4,5,6,7,8,9,9.5"]
)
def test_other_values_are_refused(text: str) -> None:
    """Such as a folder of tests behind the flag without a value."""
    with pytest.raises(SettingsError, match=r"give 2 to 9 different factors .* behind the tests"):
        parse_tune_lr(text)


def test_a_rate_above_one_is_refused_before_anything_is_trained() -> None:
    """With the configuration whose rate it is; a preset's limits do not hold for other rates than its own."""
    flags = {"lr": "1e-4,emb:0.5", "tune_lr": "1,3", "grid": "none,emb"}
    settings = resolve([Source(label="{flag}", values=flags)], lambda: ("embedded", "x"))
    with pytest.raises(SettingsError, match=r"3 times the rate of emb, 0.5, is above 1"):
        configurations(settings, 6)
    tuned = resolve([Source(label="{flag}", values={"tune_lr": "1,3"})], lambda: ("embedded", "x"))
    usual = resolve([Source(label="{flag}", values={})], lambda: ("embedded", "x"))
    assert (tuned.limits_from, bool(usual.limits_from)) == (None, True)
