"""The registry of strategies, and how they are written in freeze specs."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.errors import SpecError
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.installed_strategies import class_problem, is_usable
from freezebench.specs.strategies import (
    STRATEGIES,
    has_paired_parentheses,
    known_strategies,
    parse_strategy,
    split_outside_parentheses,
    strategy_class,
)
from strategy_packages import OWN


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_is_as_one_must_be(name: str) -> None:
    """The rules for strategies of other packages hold for freezebench's own; tables show all of their texts."""
    strategy = strategy_class(name)
    assert strategy.name == name
    assert is_usable(name)
    assert class_problem(strategy) == ""
    assert strategy.summary
    assert strategy.source
    assert strategy.rate_factor == 1 or strategy.rate_source
    assert FreezeSpec.parse(f"emb+{name}").strategies == (strategy(),)


def test_naming_all_strategies_imports_no_heavy_library() -> None:
    """Options are read, and plans and reports made, without the libraries that train."""
    code = (
        "import sys\n"
        "from freezebench.specs.freeze import FreezeSpec\n"
        "from freezebench.specs.strategies import known_strategies\n"
        "for name in known_strategies():\n"
        "    str(FreezeSpec.parse(f'emb+L0-2+{name}'))\n"
        "print([name for name in ('torch', 'numpy', 'peft', 'transformers') if name in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout.strip()) == (0, "[]"), result.stderr


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", [""]),
        (" a , b(x=1,y=2) ,c", ["a", "b(x=1,y=2)", "c"]),
        ("a,,b,", ["a", "", "b", ""]),
        ("a(b,c", ["a(b,c"]),
        ("a)b,c", ["a)b", "c"]),
    ],
)
def test_texts_are_split_outside_parentheses(text: str, parts: list[str]) -> None:
    """Lists of configurations have arguments in them."""
    assert split_outside_parentheses(text, ",") == parts


@given(st.lists(st.text(alphabet="ab() ,", max_size=6), min_size=1, max_size=5))
def test_splitting_loses_nothing_but_blanks(texts: list[str]) -> None:
    """Joined again, the parts are the text."""
    text = ",".join(texts)
    assert ",".join(split_outside_parentheses(text, ",")).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "are_paired"),
    [
        ("", True),
        ("a(b)+c()", True),
        ("a(", False),
        ("a)", False),
        (")(", False),
        ("((a))", False),
        ("(" * 9999, False),
    ],
)
def test_parentheses_that_belong_together(text: str, *, are_paired: bool) -> None:
    """Arguments have none inside them."""
    assert has_paired_parentheses(text) is are_paired


@pytest.mark.usefixtures("own_strategies")
@pytest.mark.parametrize(
    ("part", "canonical"),
    [
        ("few", "few"),
        ("FEW", "few"),
        ("few()", "few"),
        (" few ( Rank = 4 , targets=Q.proj|v ) ", "few(rank=4,targets=Q.proj|v)"),
        ("few(rank=8)", "few"),
        ("few(share=1e3)", "few(share=1000)"),
        ("few(share=1e30)", "few(share=1e30)"),
        ("few(targets=layer.0)", "few(targets=layer.0)"),
        ("later(3)", "later(epochs=3)"),
        ("slower(0.90)", "slower"),
        ("slower(factor=1)", "slower(factor=1)"),
    ],
)
def test_a_strategy_and_its_canonical_id(part: str, canonical: str) -> None:
    """Case, blanks, order and arguments that have their default do not matter."""
    strategy = parse_strategy(part, part)
    assert str(strategy) == canonical
    assert parse_strategy(canonical, canonical) == strategy


@pytest.mark.usefixtures("own_strategies")
@pytest.mark.parametrize("part", ["", "3", "few2", "few3(rank=1)", "emb", "L0", "\u212aew", "fe\u0077\u0301", "(few)"])
def test_what_names_no_strategy(part: str) -> None:
    """Any other part of a freeze spec is none; letters are those of ASCII."""
    assert parse_strategy(part, part) is None


@pytest.mark.usefixtures("own_strategies")
@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("few(rank=4;share=1)", "cannot read the arguments of few in freeze spec 'emb+few(rank=4;share=1)': they are"),
        ("few(rank=4)x", "cannot read the arguments of few"),
        ("few(targets=\u212a)", "cannot read the arguments of few"),
        ("few(" + "9" * 9999 + ")", "cannot read the arguments of few"),
        ("few(rank=4,rank=5)", "gives rank twice in 'few(rank=4,rank=5)'. Give it once."),
        ("later(1,2)", "gives an argument twice in 'later(1,2)'. Give it once."),
        ("few(rank=)", "cannot read 'rank=' in freeze spec 'emb+few(rank=)'. Write NAME=VALUE."),
        ("few(=4)", "cannot read '=4'"),
        ("few(rank=4,)", "cannot read ''"),
        ("few(rank=2=3)", "has no argument 'rank=2'. Did you mean 'rank'?"),
        ("few(3)", "name the arguments. Write for example few(rank=8,share=0.5,targets=attention)."),
        ("few(targets=a b)", "give a text of letters, digits and _ - . | *"),
        ("few(share=nan)", "give a finite number"),
        ("later(rank=1)", "later has no argument 'rank'. Choose from epochs."),
        ("few(", "has parentheses that are not closed, or inside others. Write the arguments of a strategy as in"),
        ("few((rank=1))", "has parentheses that are not closed, or inside others"),
        ("few+few(rank=4)", "few and few(rank=4) cannot be combined: both say which parameters train. Leave out one."),
        ("head+few", "few trains the head, and emb+head+few has it frozen. Leave out head."),
        ("few+none", "joins none with other parts"),
    ],
)
def test_what_cannot_be_read_is_named(part: str, message: str) -> None:
    """In a sentence that says what to write."""
    with pytest.raises(SpecError, match=re.escape(message)):
        FreezeSpec.parse(f"emb+{part}")


@pytest.mark.usefixtures("own_strategies")
def test_installed_strategies_are_among_the_choices() -> None:
    """Messages on misspelt names list them, and come near to them."""
    assert known_strategies() == (*STRATEGIES, "few", "later", "slower")
    with pytest.raises(SpecError, match=r"Choose from .*few.*later.*none.*slower"):
        FreezeSpec.parse("zzz")
    with pytest.raises(SpecError, match="Did you mean 'later'"):
        FreezeSpec.parse("emb+latre(3)")
    with pytest.raises(SpecError, match=r"there is no strategy 'slowr'\. Did you mean 'slower'"):
        strategy_class("slowr")


def test_a_strategy_can_be_used_without_being_installed() -> None:
    """A spec may be made of a class of one's own; its id is sorted last, and can be read where it is installed."""
    namespace: dict[str, type] = {}
    exec(OWN, namespace)  # noqa: S102 - a class that no entry point names
    spec = FreezeSpec(embeddings=True, strategies=(namespace["Few"](rank=2),))
    assert str(spec) == "emb+few(rank=2)"
    assert max([spec, FreezeSpec.parse("bitfit")], key=lambda spec: spec.frozen_order) is spec
    with pytest.raises(SpecError, match=re.escape("cannot read 'few(rank=2)' in freeze spec 'emb+few(rank=2)'")):
        FreezeSpec.parse(str(spec))
