"""Gradual unfreezing: the head trains first, then one more layer after the other, from the top."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from freezebench.errors import SpecError
from freezebench.strategies.base import Stage, Strategy, Trainable
from freezebench.strategies.head import head_alone

if TYPE_CHECKING:
    import torch

    from freezebench.models.layers import LayerMap


@dataclass(frozen=True, kw_only=True)
class Unfreeze(Strategy):
    """Trains the head alone at first, and further layers from the top after every few epochs.

    The embeddings begin to train together with the last layers. Layers of which nothing trains do not count.

    Source: Howard and Ruder (2018), Universal Language Model Fine-tuning for Text Classification, section 3.3,
    https://aclanthology.org/P18-1031.

    Attributes:
        epochs: Number of epochs between two unfreezings.
        layers: Number of layers that are unfrozen at once.
    """

    name = "unfreeze"
    summary = "the head in the first epochs, then ever more layers from the top"
    source = "Howard and Ruder 2018"
    kind = "schedule"
    family = "schedules"
    rate_source = "the paper unfreezes at the rate of fine-tuning"
    engines = ("standard", "cached")

    epochs: int = 1
    layers: int = 1

    def __post_init__(self) -> None:
        """Check the arguments.

        Raises:
            SpecError: If one is below 1.
        """
        self.check_arguments()
        if self.epochs < 1 or self.layers < 1:
            raise SpecError(f"{self}: there have to be an epoch and a layer for each stage. Give 1 or more for both.")

    def check_epochs(self, num_epochs: int, num_layers: int) -> None:
        """Check that all layers train at the end.

        Raises:
            SpecError: If they do not.
        """
        needed = self.epochs * max(1, -(-num_layers // self.layers)) + 1
        if num_epochs < needed:
            raise SpecError(
                f"{self} needs {needed} epochs to unfreeze {num_layers} layers, and the training has {num_epochs}, so "
                f"that the lowest ones would never train. Use --freeze-epochs={needed}, or a larger number of layers "
                f"at once, such as {self.name}(layers={max(1, num_layers)})."
            )

    def apply(self, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
        """Return the stages.

        Raises:
            SpecError: If only the head trains, or nothing of it.
        """
        names = head_alone(self, model, layers, trainable)
        stages = [Stage(first_epoch=1, names=names)]
        parts = [part for layer in reversed(layers.layers) if (part := trainable.names.intersection(layer))]
        # At least one group, so that embeddings train where all layers are frozen.
        for start in range(0, max(1, len(parts)), self.layers):
            names = names.union(*parts[start : start + self.layers])
            stages.append(Stage(first_epoch=1 + self.epochs * len(stages), names=names))
        stages[-1] = Stage(first_epoch=stages[-1].first_epoch, names=trainable.names)
        return replace(trainable, stages=tuple(stages))
