"""Strategies as values."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from freezebench.errors import SpecError
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.strategy import StrategySpec


@dataclass(frozen=True, kw_only=True)
class Few(StrategySpec):
    """A strategy with an argument of each type."""

    name = "few"
    rank: int = 8
    share: float = 0.5
    targets: str = "attention"

    def __post_init__(self) -> None:
        """Refuse some ranks, and fail on one."""
        if self.rank in (0, -1):
            raise SpecError(f"few(rank={self.rank}): give 1 or more.")
        if self.rank == 13:
            raise ZeroDivisionError("bad luck")


@dataclass(frozen=True, kw_only=True)
class Slower(StrategySpec):
    """A strategy with one argument."""

    name = "slower"
    kind = "rates"
    factor: float = 0.9


class Plain(StrategySpec):
    """A strategy without arguments."""

    name = "plain"


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        (Few(), "few"),
        (Few(rank=8, share=0.5, targets="attention"), "few"),
        (Few(rank=4), "few(rank=4)"),
        (Few(share=1.0, targets="layer.0"), "few(share=1,targets=layer.0)"),
        (Few(share=1e-9), "few(share=1e-09)"),
        (Few(share=1e30), "few(share=1e30)"),
        (Slower(factor=2), "slower(factor=2)"),
    ],
)
def test_the_id_leaves_out_defaults(strategy: StrategySpec, text: str) -> None:
    """So that one strategy has one id; of a text nothing is left out."""
    assert str(strategy) == text


def test_usage_shows_all_arguments() -> None:
    """With their defaults."""
    assert Few.usage() == "few(rank=8,share=0.5,targets=attention)"


def test_arguments_are_read_by_the_type_of_their_default() -> None:
    """A single argument needs no name."""
    assert Few.of({"rank": "4", "share": "1e-3", "targets": "Q.proj|v"}, "few") == Few(
        rank=4, share=0.001, targets="Q.proj|v"
    )
    assert Slower.of({"": "0.8"}, "slower") == Slower(factor=0.8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rang": "4"}, "'few(…)': few has no argument 'rang'. Did you mean 'rank'?"),
        ({"x": "4"}, "'few(…)': few has no argument 'x'. Choose from rank, share, targets."),
        ({"": "4"}, "'few(…)': name the arguments. Write for example few(rank=8,share=0.5,targets=attention)."),
        ({"rank": "4.5"}, "'few(…)': cannot read rank='4.5' as a whole number. Write for example rank=8."),
        ({"rank": "9" * 400}, "cannot read rank='9999"),
        ({"share": "half"}, "'few(…)': cannot read share='half' as a number. Write for example share=0.5."),
        ({"rank": "0"}, "few(rank=0): give 1 or more."),
        ({"rank": "13"}, "the strategy few fails on 'few(…)' (ZeroDivisionError: bad luck). Correct the strategy"),
    ],
)
def test_arguments_that_cannot_be_read_are_named(arguments: dict[str, str], message: str) -> None:
    """With what is right."""
    with pytest.raises(SpecError, match=re.escape(message)):
        Few.of(arguments, "few(…)")


def test_a_strategy_without_arguments_says_so() -> None:
    """With how it is written."""
    with pytest.raises(SpecError, match=re.escape("'plain(x=1)': plain takes no arguments. Write plain.")):
        Plain.of({"x": "1"}, "plain(x=1)")


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (Few(rank="4"), "Few(rank='4'): give a whole number, such as rank=8."),  # type: ignore[arg-type]
        (Few(rank=True), "Few(rank=True): give a whole number"),
        (Few(rank=10**20), "give a whole number"),
        (Few(share=float("nan")), "Few(share=nan): give a finite number, such as share=0.5."),
        (Few(share=float("inf")), "Few(share=inf): give a finite number"),
        (Few(targets="a b"), "Few(targets='a b'): give a text of letters, digits and _ - . | *, such as targets="),
        (Few(targets=""), "give a text"),
        (Few(targets="a+b"), "give a text"),
    ],
)
def test_values_that_no_id_can_have_are_refused(strategy: StrategySpec, message: str) -> None:
    """Where a spec is made of them: its id could not be read again."""
    with pytest.raises(SpecError, match=re.escape(message)):
        FreezeSpec(strategies=(strategy,))


def test_strategies_stand_in_the_order_of_their_kinds() -> None:
    """Which parameters train, then when, then at which rates."""
    assert sorted([Slower(), Few()], key=lambda strategy: strategy.position) == [Few(), Slower()]
