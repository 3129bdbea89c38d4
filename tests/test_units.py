"""Quantities and lists as text."""

from __future__ import annotations

import pytest

from freezebench import units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (units.bytes_text(None), "–"),
        (units.bytes_text(0), "0 B"),
        (units.bytes_text(1536), "1.50 KiB"),
        (units.bytes_text(3 * 2**30), "3.00 GiB"),
        (units.bytes_text(1020 * 2**20), "1020 MiB"),
        (units.bytes_text(2.0**60), "1048576 TiB"),
        (units.seconds_text(None), "–"),
        (units.seconds_text(0.12345), "0.123 s"),
        (units.seconds_text(87.46), "87.5 s"),
        (units.seconds_text(900), "15.0 min"),
        (units.energy_text(None), "–"),
        (units.energy_text(123.4), "123 J"),
        (units.energy_text(25_300), "25.3 kJ"),
        (units.percent_text(0.0088), "0.9 %"),
        (units.percent_text(None), "–"),
        (units.percent_text(-0.001, 0), "0 %"),
        (units.ratio_text(2.4), "2.40×"),
        (units.ratio_text(None), "–"),
        (units.number_text(None), "–"),
        (units.number_text(326.655, 0), "327"),
        (units.listed([], 2), ""),
        (units.listed(["emb", "L0"], 2), "emb, L0"),
        (units.listed([1, 2, 3], 2, "#{}".format), "#1, #2 and 1 more"),
        (units.with_and([42]), "42"),
        (units.with_and([42, 43]), "42 and 43"),
        (units.with_and([42, 43, 44]), "42, 43 and 44"),
    ],
)
def test_quantities(text: str, expected: str) -> None:
    """Figures have units, a missing figure is a dash, and long lists are cut."""
    assert text == expected


@pytest.mark.parametrize(("share", "text"), [(0.48, "48 %"), (0.0123, "1 %"), (0.0083, "0.8 %"), (0.0003, "0.03 %")])
def test_a_small_share_has_decimals(share: float, text: str) -> None:
    """What trains is a small share of a model, and never none of it."""
    assert units.share_text(share) == text


def test_numbers_of_bytes_in_one_unit() -> None:
    """The column of a table can be compared at a glance, and small figures keep their digits."""
    mib = 2.0**20
    assert units.bytes_texts([1157 * mib, None, 1012 * mib, 0]) == ["1.13 GiB", "–", "0.99 GiB", "0 GiB"]
    assert units.bytes_texts([2048 * mib, 3 * mib]) == ["2048 MiB", "3.00 MiB"]
    assert units.bytes_texts([None, 0]) == ["–", "0 B"]
    assert units.bytes_texts([]) == []
