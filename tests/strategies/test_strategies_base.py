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


def test_a_strategy_has_to_say_what_trains() -> None:
    """The base class itself trains nothing."""
    model: nn.Module = Custom(blocks(1))
    with pytest.raises(NotImplementedError):
        Strategy().apply(model, find_layers(model), Trainable(names=frozenset()))
