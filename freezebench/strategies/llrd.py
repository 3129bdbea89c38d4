"""Layer-wise learning rate decay: the lower a layer, the lower its rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from freezebench.errors import SpecError
from freezebench.strategies.base import Strategy, Trainable

if TYPE_CHECKING:
    import torch

    from freezebench.models.layers import LayerMap


@dataclass(frozen=True, kw_only=True)
class Llrd(Strategy):
    """Trains every part at its own rate.

    The head has the run's rate, the last of N layers ``decay`` times that, and each part below ``decay`` times the rate
    of the part above: layer i, counted from 0, has ``decay ** (N - i)``, and the embeddings have ``decay ** (N + 1)``.

    Source: Howard and Ruder (2018), Universal Language Model Fine-tuning for Text Classification, section 3.1
    (discriminative fine-tuning), https://aclanthology.org/P18-1031; for BERT, with decays from 0.9 to 0.95, Zhang, Wu,
    Katiyar, Weinberger and Artzi (2021), Revisiting Few-sample BERT Fine-tuning, https://arxiv.org/abs/2006.05987.

    Attributes:
        decay: The factor from one part to the part below it.
    """

    name = "llrd"
    summary = "everything, lower layers at lower rates"
    source = "Howard and Ruder 2018"
    kind = "rates"
    family = "layer-wise rates"
    rate_source = "the head trains at the rate of fine-tuning"

    decay: float = 0.9

    def __post_init__(self) -> None:
        """Check the argument.

        Raises:
            SpecError: If it is outside of its range.
        """
        self.check_arguments()
        if not 0 < self.decay <= 1:
            raise SpecError(f"{self}: lower layers have lower rates. Give a decay above 0 up to 1, such as llrd(0.9).")

    def apply(
        self,
        model: torch.nn.Module,  # noqa: ARG002 - its layers are enough
        layers: LayerMap,
        trainable: Trainable,
    ) -> Trainable:
        """Return the same parameters with their rates."""
        factors = dict(trainable.rate_factors)
        for distance, part in enumerate((*reversed(layers.layers), layers.emb), 1):
            for name in trainable.names.intersection(part):
                factors[name] = factors.get(name, 1.0) * self.decay**distance
        return replace(trainable, rate_factors=factors)
