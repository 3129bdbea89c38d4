"""Strategies of other packages, most of them broken: each costs a sentence where it is named, and nothing elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from freezebench.errors import SpecError
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.installed_strategies import installed_strategies, is_usable, package_of, unusable_strategies
from freezebench.specs.strategies import STRATEGIES, known_strategies
from strategy_packages import OWN

Offer = Callable[..., Path]
HEAD = "from dataclasses import dataclass, field\nfrom freezebench import SpecError, Strategy\n\n"
FROZEN = "@dataclass(frozen=True, kw_only=True)\n"


def strategy(body: str, *, decorator: str = FROZEN) -> str:
    """Return a module with a strategy ``mine``."""
    return f'{HEAD}{decorator}class Mine(Strategy):\n    name = "mine"\n{body}\n'


BROKEN = {
    "an error when it is imported": (
        "raise OSError('no such file')",
        "cannot load the strategy mine of theirs (theirs:Mine): OSError: no such file. Correct or uninstall theirs.",
    ),
    "the end of Python when it is imported": (
        "import sys\nsys.exit('I need Windows')",
        "cannot load the strategy mine of theirs (theirs:Mine): SystemExit: I need Windows. Correct or uninstall",
    ),
    "a syntax error": ("class Mine(:", "cannot load the strategy mine of theirs (theirs:Mine): SyntaxError"),
    "another module missing": ("import no_such_module_of_theirs", "ModuleNotFoundError: No module named 'no_such"),
    "no such class": ("", "AttributeError: module 'theirs' has no attribute 'Mine'"),
    "a function": ("def Mine(): pass", "the strategy mine of theirs (theirs:Mine) is no subclass of freezebench."),
    "another class": ("class Mine: name = 'mine'", "is no subclass of freezebench.Strategy. Correct or uninstall"),
    "no method apply": (
        "from freezebench import StrategySpec\nclass Mine(StrategySpec): name = 'mine'",
        "is no subclass of freezebench.Strategy",
    ),
    "another name": (
        strategy("").replace('"mine"', '"yours"'),
        "the strategy mine of theirs (theirs:Mine) has the name 'yours'. Give entry point and class the same name.",
    ),
    "a name that is no text": (strategy("").replace('"mine"', "3"), "has the name 3. Give entry point and class"),
    "a field without a default": (strategy("    rank: int"), "its field rank has no default that is a whole number"),
    "a list as a default": (strategy("    rank: list = field(default_factory=list)"), "its field rank has no default"),
    "a truth value as a default": (strategy("    rank: bool = True"), "its field rank has no default that is a"),
    "an argument with capital letters": (strategy("    Rank: int = 3"), "its field Rank has capital letters"),
    "defaults that it refuses": (
        strategy("    def __post_init__(self): raise SpecError('never')"),
        "it cannot be made without arguments (SpecError: never)",
    ),
    "equality by identity": (
        strategy("    rank: int = 3", decorator="@dataclass(frozen=True, kw_only=True, eq=False)\n"),
        "it is no frozen dataclass, whose values are equal where all arguments are",
    ),
    "a dataclass that is not frozen": (strategy("", decorator="@dataclass\n"), "TypeError: cannot inherit non-frozen"),
    "another text": (strategy("    def __str__(self): return 'x'"), "it is no frozen dataclass"),
    "a kind of its own": (strategy("    kind = 'magic'"), "kind is 'magic', and none of parameters, schedule, rates"),
    "an engine of its own": (strategy("    engines = ('gpu',)"), "engines is ('gpu',), and no tuple of some of"),
    "engines as a text": (strategy("    engines = 'cached'"), "engines is 'cached', and no tuple"),
    "a factor of 0": (strategy("    rate_factor = 0"), "rate_factor is 0, and no number above 0 up to 1000"),
    "a factor that is a text": (strategy("    rate_factor = '20'"), "rate_factor is '20', and no number"),
    "a library that is no name": (strategy("    library = 'a.b'"), "library is 'a.b', and not the name of a module"),
    "a summary that is none": (strategy("    summary = None"), "summary is None, and no text"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_strategy_is_named(offer: Offer, kind: str) -> None:
    """With its package and what to do; specs that do not name it are read as ever."""
    source, message = BROKEN[kind]
    offer("theirs", "mine = theirs:Mine", theirs=source)
    assert known_strategies() == (*STRATEGIES, "mine")
    assert str(FreezeSpec.parse("emb+bitfit+L0")) == "emb+L0+bitfit"
    for text in ("mine", "emb+mine"):
        with pytest.raises(SpecError, match=re.escape(message)):
            FreezeSpec.parse(text)


def test_two_packages_with_one_strategy(offer: Offer) -> None:
    """Which of them is meant is not guessed."""
    offer("theirs", "few = own_strategies:Few", own_strategies=OWN)
    offer("ours", "few = other_strategies:Few", other_strategies=OWN)
    with pytest.raises(SpecError, match=r"there are 2 strategies few, of ours and theirs\. Remove all packages but"):
        FreezeSpec.parse("few")


def test_one_package_with_two_strategies_of_one_name(offer: Offer) -> None:
    """As if they were of two packages."""
    offer("theirs", "few = own_strategies:Few\nfew = own_strategies:Later", own_strategies=OWN)
    with pytest.raises(SpecError, match="there are 2 strategies few, of theirs"):
        FreezeSpec.parse("few")


def test_a_package_with_the_name_of_one_of_ours(offer: Offer) -> None:
    """It neither replaces the strategy nor is it ignored."""
    offer("theirs", "bitfit = own_strategies:Few\nlater = own_strategies:Later", own_strategies=OWN)
    message = (
        "bitfit is a strategy of freezebench, and theirs offers one of this name, too. Remove that package, or rename "
        "its strategy."
    )
    with pytest.raises(SpecError, match=re.escape(message)):
        FreezeSpec.parse("bitfit")
    assert str(FreezeSpec.parse("emb+later")) == "emb+later"


@pytest.mark.parametrize("name", ["emb", "head", "none", "all", "search", "strategies", "top-2", "l0", "l0-3"])
def test_words_of_specs_and_grids_keep_their_meaning(offer: Offer, name: str) -> None:
    """A strategy of such a name cannot be named, and changes nothing."""
    offer("theirs", f"{name} = theirs:Mine", theirs="raise RuntimeError")
    assert not is_usable(name)
    assert installed_strategies() == ()
    assert [str(FreezeSpec.parse(text)) for text in ("none", "emb+L0-3", "head", "L0")] == [
        "none",
        "emb+L0-3",
        "head",
        "L0",
    ]


@pytest.mark.parametrize("name", ["Mine", "mine!", "m+n", "1mine", "my strategy", "mine(1)", "m" * 41, "m\u00efne"])
def test_a_name_that_no_spec_can_have(offer: Offer, name: str) -> None:
    """Whoever tries it is told why it is not found."""
    offer("theirs", f"{name} = theirs:Mine", theirs="raise RuntimeError")
    assert installed_strategies() == ()
    if re.fullmatch(r"[\w!]{3,}", name):  # other ones are several parts, or no word
        with pytest.raises(SpecError, match=f"theirs has a strategy '{name}', which freeze specs cannot name"):
            FreezeSpec.parse(f"emb+{name}")
    with pytest.raises(SpecError):
        FreezeSpec.parse(name)


def test_metadata_that_cannot_be_read(offer: Offer) -> None:
    """It costs the strategies of other packages, with the reason; specs without them are read as ever."""
    offer("theirs", "mine", theirs="")
    assert str(FreezeSpec.parse("emb+bitfit")) == "emb+bitfit"
    with pytest.raises(SpecError, match=r"the entry points of installed packages cannot be read .*TypeError"):
        FreezeSpec.parse("emb+mine")


def test_a_value_that_names_no_class(offer: Offer) -> None:
    """As any error when it is loaded."""
    offer("theirs", "mine = not a module!", theirs="")
    with pytest.raises(SpecError, match=r"cannot load the strategy mine of theirs \(not a module!\)"):
        FreezeSpec.parse("mine")


def test_a_package_without_a_name(offer: Offer) -> None:
    """Its metadata may be empty."""
    folder = offer("theirs", "mine = theirs:Mine", theirs="1 / 0")
    (folder / "theirs-1.0.dist-info" / "METADATA").write_text("", encoding="utf-8")
    assert package_of("mine") == "a package without a name"
    with pytest.raises(SpecError, match=r"of a package without a name \(theirs:Mine\): ZeroDivisionError"):
        FreezeSpec.parse("mine")


def test_checks_that_fail(offer: Offer) -> None:
    """The strategy is named, as where it is applied."""
    source = "    def check(self, num_layers, model): 1 / 0\n    def check_epochs(self, num_epochs, num_layers): 1 / 0"
    offer("theirs", "mine = theirs:Mine", theirs=strategy(source))
    message = "the strategy mine fails on a model of 2 layers (ZeroDivisionError: division by zero). Correct the"
    with pytest.raises(SpecError, match=re.escape(message)):
        FreezeSpec.parse("mine").check(2, "tiny")
    with pytest.raises(SpecError, match=r"the strategy mine fails on a training of 3 epochs \(ZeroDivisionError"):
        FreezeSpec.parse("mine").check_epochs(3, 2)


def test_a_library_that_is_missing(offer: Offer) -> None:
    """Of a strategy of another package, freezebench has no extra."""
    offer("theirs", "mine = theirs:Mine", theirs=strategy("    library = 'no_such_library'"))
    message = "mine needs no_such_library, which is not installed. Run: python -m pip install no_such_library"
    with pytest.raises(SpecError, match=re.escape(message)):
        FreezeSpec.parse("mine").check(2, "tiny")


def test_what_no_spec_can_name_is_listed(offer: Offer) -> None:
    """By ``python -m freezebench doctor``, since nothing else shows that it is there."""
    offer("theirs", "emb = theirs:Mine\nMine = theirs:Mine\nmine = theirs:Mine", theirs="1 / 0")
    assert list(unusable_strategies()) == ["emb", "Mine"]
    assert unusable_strategies()["emb"].startswith(
        "theirs has a strategy 'emb', which freeze specs cannot name: a name"
    )
