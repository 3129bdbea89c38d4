"""Interim looks: after how many seeds a configuration is judged."""

from __future__ import annotations

import pytest

from freezebench.errors import SettingsError
from freezebench.specs.interim_looks import InterimLooks


@pytest.mark.parametrize("text", ["3", "3,5,8", "1"])
def test_looks_are_parsed_and_printed(text: str) -> None:
    """Printing returns the text."""
    assert str(InterimLooks.parse(text)) == text


@pytest.mark.parametrize("text", ["", "0", "5,3", "3,3", "3,,5", "1.5", "-1,2"])
def test_counts_that_do_not_increase_are_refused(text: str) -> None:
    """Seed counts are whole, positive and increasing."""
    with pytest.raises(SettingsError, match=r"whole number|increasing"):
        InterimLooks.parse(text)


def test_several_looks_are_judged_more_strictly() -> None:
    """2 % per look are about 5 % over three looks."""
    assert InterimLooks.parse("3").alpha == 0.05
    assert InterimLooks.parse("3,5,8").alpha == 0.02
    assert InterimLooks.parse("3,5,8").after(3) == 5
    assert InterimLooks.parse("3,5,8").after(8) is None
