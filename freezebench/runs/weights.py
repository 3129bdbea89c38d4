"""Check that a run changed trainable weights and left frozen weights as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from freezebench.training.device import INTEGERS_BY_SIZE

if TYPE_CHECKING:
    from freezebench.models.layers import LayerMap
    from freezebench.records.run_record import InvalidCause


class UnsoundRunError(Exception):
    """A run's result is not valid: frozen weights changed, no weight changed, or a cached prefix is not the model's."""

    def __init__(self, cause: InvalidCause, message: str) -> None:
        super().__init__(message)
        self.cause: InvalidCause = cause


@torch.no_grad()
def checksums(model: torch.nn.Module) -> dict[str, int]:
    """Return the sum of every parameter's bits as whole numbers, by name; equal weights have equal sums."""
    # A sum of whole numbers is exact, in contrast to a sum of floats, whose order differs between calls.
    sums = {}
    for name, parameter in model.named_parameters():
        bits = parameter.detach().contiguous().view(INTEGERS_BY_SIZE[parameter.element_size()])
        sums[name] = int(bits.sum(dtype=torch.int64))
    return sums


def check_weights(model: torch.nn.Module, layers: LayerMap, before: dict[str, int]) -> tuple[str, ...]:
    """Check the weights after training; return a warning of trainable parts that did not change.

    Args:
        model: The model after training.
        layers: Its layers.
        before: Checksums before training.

    Raises:
        UnsoundRunError: If a frozen weight changed, or no trainable weight did.
    """
    after = checksums(model)
    trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    # requires_grad alone does not protect a weight: the model's own code may write to it.
    changed = {name for name in before if before[name] != after[name]}
    if changed - trainable:
        raise UnsoundRunError("frozen_weights_changed", f"frozen weights changed: {min(changed - trainable)}")
    if not changed & trainable:
        raise UnsoundRunError("nothing_trained", "no trainable weight changed in training")
    parts = {"emb": layers.emb, **{f"L{number}": names for number, names in enumerate(layers.layers)}}
    unmoved = [part for part, names in parts.items() if trainable & set(names) and not changed & set(names)]
    if not unmoved:
        return ()
    return (f"{', '.join(unmoved)}: trainable, but unchanged by training, since no gradient reached it",)
