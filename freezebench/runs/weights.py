"""Check that a run changed the weights that its spec trains, and left the others as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from freezebench.training.device import INTEGERS_BY_SIZE

if TYPE_CHECKING:
    from collections.abc import Collection

    from freezebench.models.layers import LayerMap
    from freezebench.records.run_record import InvalidCause
    from freezebench.specs.freeze import FreezeSpec


class UnsoundRunError(Exception):
    """A run's result is not valid: it was not trained or evaluated as its spec says."""

    def __init__(self, cause: InvalidCause, message: str) -> None:
        super().__init__(message)
        self.cause: InvalidCause = cause


@torch.no_grad()
def checksums(model: torch.nn.Module, names: Collection[str] | None = None) -> dict[str, int]:
    """Return the sum of every parameter's bits as whole numbers, by name; equal weights have equal sums.

    Args:
        model: The model.
        names: Names of the parameters that are wanted; ``None``: all.
    """
    # A sum of whole numbers is exact, in contrast to a sum of floats, whose order differs between calls.
    sums = {}
    for name, parameter in model.named_parameters():
        if names is not None and name not in names:
            continue
        bits = parameter.detach().contiguous().view(INTEGERS_BY_SIZE[parameter.element_size()])
        sums[name] = int(bits.sum(dtype=torch.int64))
    return sums


def check_start(weights: dict[str, int], first: dict[str, int], layers: LayerMap) -> None:
    """Check that a run starts from the pretrained weights that the first run started from, whatever ran in between.

    Args:
        weights: Checksums of the weights as loaded.
        first: Those of the first run.
        layers: The model's layers; the head, which depends on the seed, is left out.

    Raises:
        UnsoundRunError: If an embedding or a layer starts from other weights.
    """
    other = [name for names in _parts(layers).values() for name in names if weights[name] != first[name]]
    if other:
        raise UnsoundRunError(
            "not_as_specified",
            f"the run did not start from the pretrained weights, as the first run of this session did: {min(other)}",
        )


def _parts(layers: LayerMap) -> dict[str, tuple[str, ...]]:
    """Return the names of the parameters of every part, by the part's id in freeze specs."""
    return {"emb": layers.emb, **{f"L{number}": names for number, names in enumerate(layers.layers)}}


def frozen_by_spec(layers: LayerMap, spec: FreezeSpec) -> frozenset[str]:
    """Return the names of the parameters of embeddings and layers that a spec freezes as a whole, from its id."""
    is_frozen = {"emb": spec.embeddings, **{f"L{number}": True for number in spec.layers}}
    return frozenset(name for part, names in _parts(layers).items() if is_frozen.get(part) for name in names)


def trainable_by_spec(
    model: torch.nn.Module, layers: LayerMap, spec: FreezeSpec, fixed: Collection[str] = ()
) -> frozenset[str]:
    """Return the names of the parameters that a spec does not freeze, derived from its id, not from ``requires_grad``.

    Without a strategy they are those that train.

    Args:
        model: The model.
        layers: Its layers.
        spec: What is frozen.
        fixed: Names of parameters that stay frozen under every spec.
    """
    frozen = frozen_by_spec(layers, spec).union(layers.head if spec.head else ())
    parameters = {name for name, parameter in model.named_parameters() if parameter.is_floating_point()}
    return frozenset(parameters - frozen - set(fixed))


def check_freezing(model: torch.nn.Module, spec: FreezeSpec, trainable: frozenset[str]) -> None:
    """Check that exactly the parameters that a spec trains require gradients.

    Raises:
        UnsoundRunError: If one more or one less does.
    """
    actual = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    if actual == trainable:
        return
    wrong = min(actual ^ trainable)
    states = ("frozen", "trainable") if wrong in trainable else ("trainable", "frozen")
    raise UnsoundRunError(
        "not_as_specified",
        f"{len(actual ^ trainable)} parameters are not as {spec} says: {wrong} is {states[0]}, not {states[1]}",
    )


def check_weights(
    layers: LayerMap, trainable: frozenset[str], before: dict[str, int], after: dict[str, int]
) -> tuple[str, ...]:
    """Check the weights after training; return a warning of trainable parts that did not change.

    Args:
        layers: The model's layers.
        trainable: Names of the parameters that the spec trains, up to the epoch that the weights are of.
        before: Checksums before training.
        after: Checksums after it.

    Raises:
        UnsoundRunError: If a frozen weight changed, or no trainable weight did.
    """
    # requires_grad alone does not protect a weight: the model's own code may write to it.
    changed = {name for name in before if before[name] != after[name]}
    if changed - trainable:
        raise UnsoundRunError("frozen_weights_changed", f"frozen weights changed: {min(changed - trainable)}")
    if not changed & trainable:
        raise UnsoundRunError("nothing_trained", "no trainable weight changed in training")
    unmoved = [part for part, names in _parts(layers).items() if trainable & set(names) and not changed & set(names)]
    if not unmoved:
        return ()
    return (f"{', '.join(unmoved)}: trainable, but unchanged by training, since no gradient reached it",)


def untrained_note(layers: LayerMap, untrained: frozenset[str], best_epoch: int) -> tuple[str, ...]:
    """Return a warning if the best epoch comes before parts of the model begin to train.

    Args:
        layers: The model's layers.
        untrained: Names of the parameters that begin to train after the best epoch.
        best_epoch: Its number, from 1.
    """
    if not untrained:
        return ()
    parts = [part for part, names in _parts(layers).items() if untrained & set(names)]
    message = (
        f"the validation loss is lowest after epoch {best_epoch}, before {', '.join(parts)} began to train: the "
        "result is that of a shorter training. Try a lower learning rate"
    )
    return (message,)
