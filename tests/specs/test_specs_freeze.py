"""Freeze specs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.errors import SpecError
from freezebench.specs.freeze import FreezeSpec

SPECS = st.builds(
    FreezeSpec,
    embeddings=st.booleans(),
    layers=st.sets(st.integers(0, 30)).map(lambda layers: tuple(sorted(layers))),
    head=st.booleans(),
)


@given(SPECS)
def test_printing_and_parsing_round_trip(spec: FreezeSpec) -> None:
    """Parsing the id of a spec returns the spec."""
    assert FreezeSpec.parse(str(spec)) == spec


@given(st.text(max_size=30))
def test_any_text_parses_or_is_refused(text: str) -> None:
    """A text is either a spec, whose id is stable, or a SpecError."""
    try:
        spec = FreezeSpec.parse(text)
    except SpecError:
        return
    assert FreezeSpec.parse(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("none", "none"),
        ("NONE", "none"),
        ("emb", "emb"),
        ("L3", "L3"),
        ("l0-3+EMB", "emb+L0-3"),
        ("emb+L0+L1+L2", "emb+L0-2"),
        ("L0-2+L1-4+head", "L0-4+head"),
        ("L00", "L0"),
        ("L5-5", "L5"),
        ("L0+L2", "L0+L2"),
        (" emb + L0 ", "emb+L0"),
    ],
)
def test_canonical_id(text: str, canonical: str) -> None:
    """Order, case, overlap and leading zeros do not matter."""
    assert str(FreezeSpec.parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "cannot read ''"),
        ("emb+", "cannot read ''"),
        ("none+emb", "Leave it out"),
        ("L3-1", "runs backwards. Write L1-3"),
        ("L-1", "cannot read 'L-1'"),
        ("layer3", "cannot read 'layer3'"),
        ("L99999", "cannot read"),
        ("L٣", "cannot read"),
        ("emb,L0", "cannot read"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, part: str) -> None:
    """The error quotes the part and gives the grammar."""
    with pytest.raises(SpecError, match=part):
        FreezeSpec.parse(text)


def test_a_layer_that_does_not_exist_names_those_that_do() -> None:
    """The error names the model, its layers and the possible parts."""
    with pytest.raises(SpecError) as caught:
        FreezeSpec.parse("emb+L7").check(6, "distilbert-base-uncased")
    assert str(caught.value) == (
        "cannot freeze layer 7 of emb+L7: distilbert-base-uncased has layers 0 to 5. Choose from emb, L0 … L5, head."
    )


def test_freezing_everything_is_refused() -> None:
    """At least one parameter has to train."""
    with pytest.raises(SpecError, match="nothing of tiny would be left to train"):
        FreezeSpec.parse("emb+L0-1+head").check(2, "tiny")


@pytest.mark.parametrize(
    ("text", "is_prefix"),
    [("none", True), ("emb", True), ("emb+L0-2", True), ("L0", False), ("emb+L1", False), ("emb+head", False)],
)
def test_prefixes_are_the_steps_of_the_ladder(text: str, *, is_prefix: bool) -> None:
    """Only nested prefixes are part of the fixed sequence of tests."""
    assert FreezeSpec.parse(text).is_prefix is is_prefix


def test_layers_out_of_order_are_refused() -> None:
    """A spec has one form only, so that equal specs are equal values."""
    with pytest.raises(SpecError, match="ascending"):
        FreezeSpec(layers=(2, 1))
