"""The head as the first stage of a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.errors import SpecError
from freezebench.models.naming import model_name

if TYPE_CHECKING:
    import torch

    from freezebench.models.layers import LayerMap
    from freezebench.strategies.base import Strategy, Trainable


def head_alone(strategy: Strategy, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> frozenset[str]:
    """Return the names of the parameters of the head that train.

    Raises:
        SpecError: If they are none or all of those that train, so that a schedule cannot begin with them alone.
    """
    head = trainable.names.intersection(layers.head)
    if not head or head == trainable.names:
        what = "has no head that could train" if not head else "trains nothing but its head"
        raise SpecError(f"cannot apply {strategy}: {model_name(model)} {what}. Leave out {strategy.name}.")
    return head
