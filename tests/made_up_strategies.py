"""Strategies that are made up: with arguments, a library that is not installed, a number of epochs, few engines."""

# ruff: noqa: ARG002 - the arguments are those of the protocol
from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from unittest import mock

from freezebench.errors import SpecError
from freezebench.specs.strategies import STRATEGIES, strategy_class
from freezebench.strategies.base import Stage, Strategy, Trainable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from freezebench.models.layers import LayerMap


@dataclass(frozen=True, kw_only=True)
class Lora(Strategy):
    """Trains what is left; it has arguments as LoRA has."""

    name = "lora"
    family = "adapters"
    rate_factor = 2.0
    engines = ("standard", "cached")

    r: int = 8
    alpha: float = 16.0

    def apply(self, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
        """Return the head and half of the other parameters, so that it trains less than its frozen parts would."""
        names = sorted(set(trainable.names) - {*layers.head})
        return trainable.only({*names[: len(names) // 2], *layers.head})


@dataclass(frozen=True, kw_only=True)
class LibraryLora(Lora):
    """The same with a library that is not installed."""

    library = "no_such_library"
    extra = "peft"


@dataclass(frozen=True, kw_only=True)
class Lpft(Strategy):
    """Trains what is left, in two epochs or more."""

    name = "lpft"
    kind = "schedule"
    family = "schedules"
    engines = ("cached",)

    def check_epochs(self, num_epochs: int, num_layers: int) -> None:
        """Refuse one epoch.

        Raises:
            SpecError: If there is one.
        """
        if num_epochs < 2:
            raise SpecError(f"lpft trains the head first, and {num_epochs} epoch is too few. Use --freeze-epochs=2.")

    def apply(self, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
        """Return what trains anyway."""
        return trainable


@dataclass(frozen=True, kw_only=True)
class Refreeze(Strategy):
    """Trains everything, then from the third epoch on the head alone."""

    name = "refreeze"
    kind = "schedule"
    engines = ("standard", "cached")

    def apply(self, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
        """Return the two stages."""
        head = Stage(first_epoch=3, names=trainable.names.intersection(layers.head))
        return replace(trainable, stages=(Stage(first_epoch=1, names=trainable.names), head))


@dataclass(frozen=True, kw_only=True)
class TrainerOnly(Strategy):
    """A rates strategy that the Trainer alone can train."""

    name = "traineronly"
    kind = "rates"
    engines = ("trainer",)

    def apply(self, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
        """Return what trains anyway."""
        return trainable


@dataclass(frozen=True, kw_only=True)
class Unfit(Strategy):
    """Trains biases; no model has any."""

    name = "bitfit"

    def apply(self, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
        """Refuse every model.

        Raises:
            SpecError: Always.
        """
        raise SpecError("cannot apply bitfit: the layers of tiny have no biases. Choose another strategy.")


@contextmanager
def registered(*classes: type[Strategy]) -> Iterator[None]:
    """Have some of these in the registry, in place of others of their names."""
    own = {cls.name: f"made_up_strategies:{cls.__name__}" for cls in classes}
    with mock.patch.dict(STRATEGIES, own):
        strategy_class.cache_clear()
        yield
    strategy_class.cache_clear()
