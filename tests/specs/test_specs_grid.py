"""Grids and values per configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.errors import SpecError
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.grid import PerSpec, ladder, parse_grid


def test_the_ladder_of_six_layers_is_the_notebooks() -> None:
    """Eight nested prefixes, least frozen first."""
    assert [str(spec) for spec in parse_grid("all", num_layers=6)] == [
        "none",
        "emb",
        "emb+L0",
        "emb+L0-1",
        "emb+L0-2",
        "emb+L0-3",
        "emb+L0-4",
        "emb+L0-5",
    ]


@given(st.integers(1, 60))
def test_every_step_freezes_more(num_layers: int) -> None:
    """A ladder of any depth has depth + 2 steps, each of them valid and a prefix."""
    steps = ladder(num_layers)
    assert len(steps) == num_layers + 2
    assert steps == parse_grid("all", num_layers)
    assert all(step.is_prefix for step in steps)
    for step in steps:
        step.check(num_layers, "a model")


def test_entries_are_deduplicated_and_ordered() -> None:
    """Different notations of one spec are one configuration; the least frozen comes first."""
    grid = parse_grid("emb+L0-1,head,L0+L1+emb,none,L1", num_layers=3)
    assert [str(spec) for spec in grid] == ["none", "L1", "head", "emb+L0-1"]


def test_all_joins_other_entries() -> None:
    """The ladder and single specs form one grid."""
    assert [str(spec) for spec in parse_grid("all,head", num_layers=1)] == ["none", "emb", "head", "emb+L0"]


@pytest.mark.parametrize("text", ["", "emb,", "emb,,L0", "emb;L0"])
def test_unreadable_grids_are_refused(text: str) -> None:
    """An empty or unreadable entry is an error, not a smaller grid."""
    with pytest.raises(SpecError):
        parse_grid(text, num_layers=2)


def test_a_layer_outside_the_model_is_refused() -> None:
    """The error names the model."""
    with pytest.raises(SpecError, match="my-model has layers 0 to 1"):
        parse_grid("none,emb+L0-2", num_layers=2, model="my-model")


def test_numbers_per_configuration() -> None:
    """Named configurations have their own number, in any notation; the others have the default."""
    limits = PerSpec.parse("2, L0+emb:3,emb+L0-1:4.5")
    assert limits.get("none") == 2
    assert limits.get(FreezeSpec.parse("emb+L0")) == 3
    assert limits.get("emb+L0-1") == 4.5
    assert PerSpec.parse("emb:1").get("none") is None


@given(
    st.one_of(st.none(), st.floats(0.1, 99).map(lambda x: round(x, 2))),
    st.dictionaries(
        st.sampled_from(["none", "emb", "emb+L0-3", "head"]), st.floats(0.1, 99).map(lambda x: round(x, 2))
    ),
)
def test_numbers_round_trip(default: float | None, by_spec: dict[str, float]) -> None:
    """Printing and parsing give the same numbers."""
    numbers = PerSpec(default=default, by_spec=tuple(sorted(by_spec.items())))
    if default is not None or by_spec:
        assert PerSpec.parse(str(numbers)) == numbers


@pytest.mark.parametrize("text", ["", "x", "1,2", "emb:1,emb:2", "emb:", "nan", "emb:inf", "foo:1"])
def test_unreadable_numbers_are_refused(text: str) -> None:
    """Two defaults, a repeated configuration or a text that is no number is an error."""
    with pytest.raises(SpecError):
        PerSpec.parse(text)
