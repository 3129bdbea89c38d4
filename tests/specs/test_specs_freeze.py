"""Freeze specs."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.errors import SpecError
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.strategies import STRATEGIES, strategy_class
from strategy_packages import OWN, OWN_ENTRIES, forget_strategies, write_package

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


@pytest.fixture(scope="module")
def _three_kinds() -> Iterator[None]:
    """Strategies of each kind with arguments, for a test whose examples share them."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.syspath_prepend(write_package(Path(folder), "own", OWN_ENTRIES, own_strategies=OWN))
        forget_strategies()
        yield
        patch.undo()
        forget_strategies()
        sys.modules.pop("own_strategies", None)


FINITE = st.floats(allow_nan=False, allow_infinity=False)
FEW = st.fixed_dictionaries(
    {},
    optional={
        "rank": st.integers(1, 10**15 - 1),
        "share": FINITE,
        "targets": st.text(alphabet="AZaz09_-.|*", min_size=1, max_size=20),
    },
)
ARGUMENTS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "few": FEW,
    "later": st.fixed_dictionaries({}, optional={"epochs": st.integers(-(10**15) + 1, 10**15 - 1)}),
    "slower": st.fixed_dictionaries({}, optional={"factor": FINITE}),
    **{name: st.just({}) for name in STRATEGIES},
}


@pytest.mark.usefixtures("_three_kinds")
@given(SPECS.filter(lambda spec: not spec.head), st.data())
def test_specs_with_strategies_round_trip(frozen: FreezeSpec, data: st.DataObject) -> None:
    """In any order of parts, upper and lower case, with blanks and repetitions; the id is canonical."""
    names = data.draw(st.lists(st.sampled_from(sorted(ARGUMENTS)), max_size=3, unique=True))
    chosen = {strategy_class(name).kind: strategy_class(name)(**data.draw(ARGUMENTS[name])) for name in names}
    spec = replace(frozen, strategies=tuple(chosen.values()))
    assert FreezeSpec.parse(str(spec)) == spec
    assert FreezeSpec.parse(str(spec)).frozen_order == spec.frozen_order
    parts = ["none"] if spec.is_none else data.draw(st.permutations(str(spec).split("+")))
    blank = data.draw(st.sampled_from(["", " ", "\t", "\u00a0"]))
    words = [part if "(" in part else data.draw(st.sampled_from([part, part.upper()])) for part in parts]
    words += words[:1] if len(words) > 1 else []
    assert FreezeSpec.parse(f"{blank}+{blank}".join(words) if len(words) > 1 else blank + words[0]) == spec


@pytest.mark.usefixtures("own_strategies")
def test_what_a_spec_with_strategies_says() -> None:
    """It is no step of the ladder, and stands behind what has none; its usual rate is the product of all."""
    spec = FreezeSpec.parse("slower+few+L0+emb")
    assert str(spec) == "emb+L0+few+slower"
    assert str(spec.frozen_parts) == "emb+L0"
    assert (spec.is_prefix, spec.is_none, FreezeSpec.parse("few").is_none) == (False, False, False)
    assert (spec.num_frozen_layers, spec.rate_factor, spec.family) == (1, 1.0, "other")
    assert FreezeSpec.parse("bitfit+slower").rate_factor == strategy_class("bitfit").rate_factor
    texts = ["none", "L7+head", "emb+L0-5", "bitfit", "emb+bitfit", "emb+L0+bitfit", "few", "emb+few(rank=2)"]
    ordered = sorted(map(FreezeSpec.parse, reversed(texts)), key=lambda spec: spec.frozen_order)
    assert list(map(str, ordered)) == texts


@pytest.mark.usefixtures("own_strategies")
def test_specs_with_strategies_that_a_model_cannot_have() -> None:
    """What a strategy could not change any more is refused before the model is loaded."""
    with pytest.raises(SpecError) as caught:
        FreezeSpec.parse("emb+L0-1+few").check(2, "tiny")
    assert str(caught.value) == (
        "cannot apply emb+L0-1+few: few changes what trains of embeddings and layers, and all of tiny are frozen. "
        "Write emb+L0-1, or freeze fewer layers."
    )
    FreezeSpec.parse("emb+L0-1+slower").check(2, "tiny")
    with pytest.raises(SpecError, match=r"layer 5 of L5\+few: tiny has layers 0 to 1"):
        FreezeSpec.parse("few+L5").check(2, "tiny")


def test_strategies_are_values() -> None:
    """Anything else is refused where a spec is made of it."""
    with pytest.raises(SpecError, match=r"FreezeSpec\(strategies='bitfit'\): give a tuple of strategies, or use Free"):
        FreezeSpec(strategies="bitfit")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="give a tuple of strategies"):
        FreezeSpec(strategies=(strategy_class("bitfit"),))  # type: ignore[arg-type]
