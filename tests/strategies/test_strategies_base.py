"""What trains under a strategy."""

from __future__ import annotations

import pytest
from torch import nn

from freezebench.models.layers import find_layers
from freezebench.strategies.base import Stage, Strategy, Trainable
from plain_models import Custom, blocks


def test_leaving_out_parameters_leaves_them_out_of_every_stage() -> None:
    """What the model itself has fixed trains at no time; rates and what was added stay."""
    whole = Trainable(
        names=frozenset("abc"),
        added=frozenset("c"),
        rate_factors={"a": 0.5},
        stages=(Stage(first_epoch=1, names=frozenset("ab")), Stage(first_epoch=3, names=frozenset("abc"))),
    )
    some = whole.only({"b", "c", "z"})
    assert (some.names, some.added, some.rate_factors) == (frozenset("bc"), frozenset("c"), {"a": 0.5})
    assert [(stage.first_epoch, stage.names) for stage in some.stages] == [(1, frozenset("b")), (3, frozenset("bc"))]
    assert whole.only(whole.names) == whole


def test_stages_last_until_the_next_one_begins() -> None:
    """Epochs are counted from 0 then; without stages there is one that trains everything."""
    names = frozenset("abc")
    (only,) = Trainable(names=names).in_stages(5)
    assert only == (Stage(first_epoch=1, names=names), range(5))
    stages = tuple(Stage(first_epoch=first, names=names, rate_factor=first) for first in (1, 2, 5))
    in_stages = Trainable(names=names, stages=stages).in_stages(6)
    assert [stage for stage, _ in in_stages] == [*stages]
    assert [epochs for _, epochs in in_stages] == [range(1), range(1, 4), range(4, 6)]


def test_a_strategy_has_to_say_what_trains() -> None:
    """The base class itself trains nothing."""
    model: nn.Module = Custom(blocks(1))
    with pytest.raises(NotImplementedError):
        Strategy().apply(model, find_layers(model), Trainable(names=frozenset()))
