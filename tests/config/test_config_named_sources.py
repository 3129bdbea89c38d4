"""Further test sets by flag, ini key and marker."""

from __future__ import annotations

import pytest

from freezebench.config.options import BY_NAME
from freezebench.errors import SettingsError
from freezebench.specs.data import NamedSource

TWO = (NamedSource(name="tweets", source="reviews:tweets"), NamedSource(name="mine", source="./a=b, c.csv"))


@pytest.mark.parametrize(
    "value",
    [
        "tweets=reviews:tweets,mine=./a=b, c.csv",
        " tweets = reviews:tweets , mine=./a=b, c.csv ",
        ["tweets=reviews:tweets", "mine=./a=b, c.csv"],
        {"tweets": "reviews:tweets", "mine": "./a=b, c.csv"},
    ],
    ids=repr,
)
def test_names_and_sources(value: object) -> None:
    """A repeated flag, lines, commas and a dictionary give the same; a path may have commas and equals signs."""
    assert BY_NAME["test"].parse(value, "--freeze-test") == TWO


@pytest.mark.parametrize("value", [[], {}, "", {"tweets": ""}, {"a b": "x"}, ["tweets"], ["a=x", "a=y"]], ids=repr)
def test_bad_pairs(value: object) -> None:
    """The message begins with the flag."""
    with pytest.raises(SettingsError, match=r"^--freeze-test=.*(give NAME=SOURCE|two test sets have the name 'a')"):
        BY_NAME["test"].parse(value, "--freeze-test")
