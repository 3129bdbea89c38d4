"""LP-FT: linear probing, then fine-tuning: the head trains first, and then everything that is not frozen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from freezebench.errors import SpecError
from freezebench.specs.strategy import LARGEST_FACTOR
from freezebench.strategies.base import Stage, Strategy, Trainable
from freezebench.strategies.head import head_alone

if TYPE_CHECKING:
    import torch

    from freezebench.models.layers import LayerMap


@dataclass(frozen=True, kw_only=True)
class Lpft(Strategy):
    """Trains the head alone for some epochs, then all that is not frozen.

    Source: Kumar, Raghunathan, Jones, Ma and Liang (2022), Fine-Tuning can Distort Pretrained Features and Underperform
    Out-of-Distribution, https://arxiv.org/abs/2202.10054. The paper fits the head until it is the best one for the
    pretrained features. Here it trains for few epochs, and for that at a higher rate, whose factor is freezebench's
    choice.

    Attributes:
        epochs: Number of epochs in which the head alone trains.
        probe: Learning rate in these epochs, as a multiple of the later one.
    """

    name = "lpft"
    summary = "the head alone in the first epochs, then everything"
    source = "Kumar, Raghunathan, Jones, Ma and Liang 2022"
    kind = "schedule"
    family = "schedules"
    rate_source = "everything trains at the rate of fine-tuning; the head alone at probe times that rate"
    engines = ("standard", "cached")

    epochs: int = 1
    probe: float = 10.0

    def __post_init__(self) -> None:
        """Check the arguments.

        Raises:
            SpecError: If a value is outside of its range.
        """
        self.check_arguments()
        if self.epochs < 1:
            raise SpecError(f"{self}: the head trains alone for {self.epochs} epochs. Give epochs=1 or more.")
        if not 0 < self.probe <= LARGEST_FACTOR:
            raise SpecError(
                f"{self}: the learning rate of the head is {self.probe:g} times the later one. "
                f"Give a number above 0 up to {LARGEST_FACTOR:g}."
            )

    def check_epochs(self, num_epochs: int, num_layers: int) -> None:  # noqa: ARG002 - any number of layers
        """Check that an epoch is left for the second stage.

        Raises:
            SpecError: If none is.
        """
        if num_epochs <= self.epochs:
            raise SpecError(
                f"{self} trains the head alone in the first {self.epochs} of {num_epochs} epochs, so that the rest "
                f"would never train. Use --freeze-epochs={self.epochs + 1} or more."
            )

    def apply(self, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
        """Return the two stages.

        Raises:
            SpecError: If only the head trains, or nothing of it.
        """
        head = head_alone(self, model, layers, trainable)
        probing = Stage(first_epoch=1, names=head, rate_factor=self.probe)
        return replace(trainable, stages=(probing, Stage(first_epoch=1 + self.epochs, names=trainable.names)))
