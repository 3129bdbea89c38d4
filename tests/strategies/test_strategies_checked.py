"""A strategy may be anybody's code: whatever it does wrong to a model is named."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import nn

from freezebench.errors import ModelError, SpecError
from freezebench.models.layers import LayerMap
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.strategy import StrategySpec
from freezebench.strategies.base import Stage, Strategy, Trainable
from freezebench.strategies.freeze import apply
from plain_models import Custom, blocks

Body = Callable[[Any, LayerMap, Trainable], Any]


@dataclass(frozen=True, kw_only=True)
class Theirs(Strategy):
    """A strategy that does what a test gives."""

    name = "theirs"
    body: str = ""

    def apply(self, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
        """Return what the test's function returns."""
        result: Trainable = BODIES[self.body][0](model, layers, trainable)
        return result


class Wide(nn.Module):
    """A module beside another one."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.beside = inner, nn.Linear(8, 8)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the sum of both."""
        out: torch.Tensor = self.inner(hidden) + self.beside(hidden)
        return out


def _widen(model: Any) -> frozenset[str]:
    """Put a module beside one of the last layer; return the names of its parameters."""
    model.layers[1].dense = Wide(model.layers[1].dense)
    return frozenset({"layers.1.dense.beside.weight", "layers.1.dense.beside.bias"})


def _replace_head(model: Any, _: LayerMap, trainable: Trainable) -> Trainable:
    model.output = nn.Linear(8, 3)
    return trainable


def _delete(model: Any, _: LayerMap, trainable: Trainable) -> Trainable:
    del model.layers[1].norm
    return trainable


def _add_silently(model: Any, _: LayerMap, trainable: Trainable) -> Trainable:
    _widen(model)
    return trainable


def _fail(*_: object) -> None:
    raise ZeroDivisionError("bad\nluck")


def _stages(*stages: Stage) -> Body:
    return lambda _model, _layers, trainable: replace(trainable, stages=stages)


ALL = frozenset({"output.bias"})
BODIES: dict[str, tuple[Body, str]] = {
    "raises": (_fail, "the strategy … fails on Custom (ZeroDivisionError: bad). Correct the strategy, or choose"),
    "exits": (lambda *_: sys.exit(3), "fails on Custom (SystemExit: 3). Correct the strategy"),
    "none": (lambda *_: None, "the strategy … returned None. Let its method apply return a Trainable."),
    "a-set": (lambda *_: {"output.weight"}, "returned {'output.weight'}. Let its method apply return a Trainable."),
    "a-list": (lambda *_: Trainable(names=["output.bias"]), "names=['output.bias'], and no frozenset of names"),  # type: ignore[arg-type]
    "numbers": (lambda *_: Trainable(names=frozenset([3])), "names=frozenset({3}), and no frozenset of names"),  # type: ignore[list-item]
    "unknown": (lambda *_: Trainable(names=frozenset({"x.y"})), "trains x.y, which does not exist or is frozen. Let"),
    "frozen": (lambda *_: Trainable(names=frozenset({"embed.weight"})), "trains embed.weight, which does not exist or"),
    "claims": (
        lambda *_: Trainable(names=ALL, added=frozenset({"x.y"})),
        "trains x.y, which does not exist or is frozen",
    ),
    "head": (_replace_head, "removes or replaces output.weight of the model. Let it keep all parameters, and add"),
    "deletes": (_delete, "removes or replaces layers.1.norm.weight of the model"),
    "silent": (_add_silently, "adds layers.1.dense.beside.weight to the model and does not say so. Let it name all"),
    "stages": (lambda *_: Trainable(names=ALL, stages=[1]), "stages=[1], and no tuple of Stage"),  # type: ignore[arg-type]
    "late": (_stages(Stage(first_epoch=2, names=ALL)), "stages that begin with the epochs [2], and not with 1 and"),
    "twice": (_stages(*[Stage(first_epoch=1, names=ALL)] * 2), "stages that begin with the epochs [1, 1], and not"),
    "half": (_stages(Stage(first_epoch=0.5, names=ALL)), "stages that begin with the epochs [None], and not"),  # type: ignore[arg-type]
    "outside": (
        lambda *_: Trainable(names=ALL, stages=(Stage(first_epoch=1, names=frozenset({"output.weight"})),)),
        "trains output.weight in a stage, but not among all names. Let the names of the Trainable be those of all",
    ),
    "empty": (_stages(Stage(first_epoch=1, names=frozenset())), "trains nothing in the stage that begins with epoch 1"),
    "omits": (
        _stages(Stage(first_epoch=1, names=ALL)),
        "trains layers.0.dense.bias in no stage. Let the names of the Trainable",
    ),
    "slow": (_stages(Stage(first_epoch=1, names=ALL, rate_factor=0)), "a rate factor 0, and no number above 0 up to"),
    "rates": (lambda *_: Trainable(names=ALL, rate_factors={"output.bias": -1.0}), "a rate factor -1.0, and no number"),
}


@pytest.mark.parametrize("body", BODIES)
def test_what_a_strategy_does_wrong_is_named(body: str) -> None:
    """With what to do about it."""
    spec = FreezeSpec(embeddings=True, strategies=(Theirs(body=body),))
    message = BODIES[body][1].replace("…", f"theirs(body={body})")
    with pytest.raises((SpecError, ModelError), match=re.escape(message)):
        apply(Custom(blocks(2)), spec)


def test_a_strategy_without_a_method_is_named() -> None:
    """A spec may be made of a class that only says how it is written."""
    spec = FreezeSpec(strategies=(type("Half", (StrategySpec,), {"name": "half"})(),))
    with pytest.raises(SpecError, match=r"half has no method apply\. Make it a subclass"):
        apply(Custom(blocks(2)), spec)


def test_a_strategy_may_add_modules_and_change_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters that keep their object are the same under another name; what is added is counted and trains."""

    def widen(model: Any, layers: LayerMap, _: Trainable) -> Trainable:
        added = _widen(model)
        return Trainable(names=frozenset(layers.head) | added, added=added)

    monkeypatch.setitem(BODIES, "wide", (widen, ""))
    model = Custom(blocks(2))
    applied = apply(model, FreezeSpec(strategies=(Theirs(body="wide"),)))
    assert applied.summary.num_added_params == 8 * 8 + 8
    assert applied.summary.num_trainable_params == 8 * 8 + 8 + 8 * 3 + 3
    assert set(applied.layers.layers[1]) >= {"layers.1.dense.inner.weight", "layers.1.dense.beside.weight"}
    assert model.get_parameter("layers.1.dense.beside.weight").requires_grad
    assert not model.get_parameter("layers.1.dense.inner.weight").requires_grad


def test_what_requires_a_gradient_follows_from_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a strategy sets itself."""

    def unfreeze(model: nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
        for parameter in model.parameters():
            parameter.requires_grad_(not parameter.requires_grad)
        return trainable.only(layers.head)

    monkeypatch.setitem(BODIES, "free", (unfreeze, ""))
    model = Custom(blocks(2))
    apply(model, FreezeSpec(embeddings=True, strategies=(Theirs(body="free"),)))
    assert {name for name, item in model.named_parameters() if item.requires_grad} == {"output.weight", "output.bias"}


def test_what_was_added_before_stays_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule that makes its result from nothing does not take it away."""

    @dataclass(frozen=True, kw_only=True)
    class Later(Theirs):
        kind = "schedule"

    def widen(model: Any, _: LayerMap, trainable: Trainable) -> Trainable:
        added = _widen(model)
        return replace(
            trainable, names=trainable.names - {"layers.1.dense.weight", "layers.1.dense.bias"} | added, added=added
        )

    monkeypatch.setitem(BODIES, "wide", (widen, ""))
    monkeypatch.setitem(BODIES, "new", (lambda _model, _layers, trainable: Trainable(names=trainable.names), ""))
    applied = apply(Custom(blocks(2)), FreezeSpec(strategies=(Theirs(body="wide"), Later(body="new"))))
    assert applied.summary.num_added_params == 8 * 8 + 8
