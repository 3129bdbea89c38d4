"""Grids and values per configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.errors import SpecError
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.grid import PerSpec, ladder, parse_grid, specs_of, split_grid
from made_up_strategies import Lora, Lpft, registered


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


def _grid(text: str, num_layers: int) -> list[str]:
    with registered(Lora, Lpft):
        return [str(spec) for spec in parse_grid(text, num_layers)]


def test_strategies_compares_some_prefixes_with_other_ways_to_train_less() -> None:
    """A third and half of the layers, and the head alone, whatever the depth; a flat model has fewer of them."""
    of_six = ["none", "emb+L0-1", "emb+L0-2", "emb+L0-5", "bitfit", "lora", "emb+L0-1+lora", "lpft"]
    assert _grid("strategies", 6) == of_six
    assert [str(spec) for spec in specs_of("strategies", 6)] == of_six  # of the strategies that there are
    of_twelve = ["none", "emb+L0-3", "emb+L0-5", "emb+L0-11", "bitfit", "lora", "emb+L0-3+lora", "lpft"]
    assert _grid("strategies", 12) == of_twelve
    assert _grid("strategies", 1) == ["none", "emb", "emb+L0", "bitfit", "lora", "emb+lora", "lpft"]


def test_words_names_and_strategies_mix() -> None:
    """With duplicates left out, and those with strategies last."""
    assert _grid("all,lora(r=4,alpha=16),top-1,emb+bitfit", 2) == [
        *("none", "emb", "emb+L0", "emb+L0-1"),
        *("emb+bitfit", "lora(r=4)"),
    ]
    assert "bitfit" in _grid("search,strategies", 6)


@pytest.mark.parametrize("text", ["search,top-2", "search,emb", "search,all"])
def test_what_a_search_chooses_is_not_named_besides_it(text: str) -> None:
    """However it is named; a strategy above a prefix is none."""
    with pytest.raises(SpecError, match="besides 'search', which chooses itself which prefixes"):
        split_grid(text)
    assert split_grid("search,top-2+bitfit,bitfit") == ["search", "top-2+bitfit", "bitfit"]


def test_numbers_of_the_top_layers_are_those_of_the_prefix_below() -> None:
    """Once the depth is known; two numbers of one configuration are refused then."""
    numbers = PerSpec.parse("2,top-2:3,emb+bitfit:4")
    assert str(numbers.at_depth(6, "tiny")) == "2,emb+L0-3:3,emb+bitfit:4"
    with pytest.raises(SpecError, match="gives configuration emb\\+L0-3 of tiny twice"):
        PerSpec.parse("emb+L0-3:2,top-2:3").at_depth(6, "tiny")
    with pytest.raises(SpecError, match="tiny has 1"):
        numbers.at_depth(1, "tiny")


def test_numbers_of_strategies_with_arguments() -> None:
    """A comma or a colon in parentheses separates nothing; the canonical text round-trips."""
    with registered(Lora):
        numbers = PerSpec.parse("2,lora(alpha=8,r=4):3,\nemb+lora(r=8):1")
        assert str(numbers) == "2,emb+lora:1,lora(r=4,alpha=8):3"
        assert PerSpec.parse(str(numbers)) == numbers
        assert numbers.get("lora(r=4,alpha=8.0)") == 3
