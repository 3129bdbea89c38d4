"""The protocol of strategies: what each does to a model, and what then trains."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from freezebench.specs.strategy import StrategySpec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    import torch

    from freezebench.models.layers import LayerMap

    SaveAdded = Callable[[Path, str | None, str | None], None]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of the training in which the same parameters train.

    Attributes:
        first_epoch: Number of its first epoch, from 1; it lasts until the next stage begins.
        names: Names of the parameters that train in it.
        rate_factor: Learning rate in it, as a multiple of the run's.
    """

    first_epoch: int
    names: frozenset[str]
    rate_factor: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Trainable:
    """Which parameters of a model train, when, and at which rates.

    Attributes:
        names: Names of the parameters that train at any time.
        added: Names of the parameters that strategies have added to the model.
        rate_factors: Learning rates as multiples of the run's, by name of the parameter; 1 for all others.
        stages: The stages of the training, the first one from epoch 1 on; empty: all parameters train from the start.
        save: Writes what was added to a folder, in the format of its library. It is called with the folder, and the
            name and revision from which transformers loads the model without it, or ``None``. ``None``: the whole
            model is saved.
        merges: Whether what was added can be merged into the other weights, so that predictions do without it.
    """

    names: frozenset[str]
    added: frozenset[str] = frozenset()
    rate_factors: Mapping[str, float] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    save: SaveAdded | None = None
    merges: bool = False

    def in_stages(self, num_epochs: int) -> tuple[tuple[Stage, range], ...]:
        """Return the stages of a training, with the epochs of each, counted from 0; one if none are given.

        Args:
            num_epochs: Number of epochs of the whole training.
        """
        stages = self.stages or (Stage(first_epoch=1, names=self.names),)
        ends = [*(stage.first_epoch - 1 for stage in stages[1:]), num_epochs]
        return tuple((stage, range(stage.first_epoch - 1, end)) for stage, end in zip(stages, ends, strict=True))

    def only(self, names: Collection[str]) -> Trainable:
        """Return what trains if only some of the parameters do, in every stage.

        Args:
            names: Names of the parameters that are left.
        """
        stages = tuple(replace(stage, names=stage.names.intersection(names)) for stage in self.stages)
        return replace(self, names=self.names.intersection(names), stages=stages)


@dataclass(frozen=True, kw_only=True)
class Strategy(StrategySpec):
    """A way to train less than all parameters of the parts that are not frozen.

    A subclass is a frozen dataclass. Its class attributes are those of ``StrategySpec``, and its fields are the
    arguments of the strategy. ``apply`` says what trains of a model. Strategies of a configuration are applied one
    after the other.
    """

    def apply(self, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
        """Return what trains of ``trainable`` under this strategy; modules may be added to the model.

        Args:
            model: The model, on the CPU, loaded for one run. Names of its parameters may change.
            layers: Its embeddings, layers and head.
            trainable: What trains without this strategy: all parameters that are not frozen.

        Raises:
            SpecError: If the model cannot be trained this way.
        """
        raise NotImplementedError
