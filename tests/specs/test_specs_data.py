"""Tests of data specs."""

from __future__ import annotations

import pytest

from freezebench.errors import SettingsError
from freezebench.specs.data import DataSpec, NamedSource
from freezebench.specs.run import RunSpec

_TWEETS = NamedSource(name="tweets", source="reviews:tweets")


def test_fields_that_were_added_leave_ids_as_they_were() -> None:
    """Only a value other than the usual one makes another run."""
    plain = RunSpec(model="embedded", data=DataSpec(source="reviews"))
    assert "task" not in plain.to_json()["data"]  # type: ignore[operator]
    for data in (
        DataSpec(source="reviews", task="regression"),
        DataSpec(source="reviews", slice_column="domain"),
        DataSpec(source="reviews", group_column="document"),
        DataSpec(source="reviews", test_sets=(_TWEETS,)),
    ):
        spec = RunSpec(model="embedded", data=data)
        assert spec.run_id != plain.run_id
        assert RunSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "ä", "../x"])
def test_names_of_test_sets_are_checked(name: str) -> None:
    """A name is part of options, tables and files."""
    with pytest.raises(SettingsError, match="name"):
        NamedSource(name=name, source="reviews:tweets")


def test_two_test_sets_have_two_names() -> None:
    """The name says which one is meant."""
    with pytest.raises(SettingsError, match="two test sets have one name"):
        DataSpec(source="reviews", test_sets=(_TWEETS, _TWEETS))
