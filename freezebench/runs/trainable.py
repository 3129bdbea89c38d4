"""What each configuration trains of a loaded model: parameters that are not frozen, and that a gradient reaches."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from freezebench.errors import NothingToTrainError, SpecError
from freezebench.models.layers import find_layers
from freezebench.records.trainable_set import TrainableSet
from freezebench.specs.freeze import FreezeSpec
from freezebench.strategies.freeze import apply, freeze
from freezebench.tasks.scores import logits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from freezebench.models.layers import LayerMap
    from freezebench.training.batches.encoding import Batch


def trainable_sets(
    model: torch.nn.Module,
    grid: Iterable[str],
    layers: LayerMap,
    batch: Batch,
    *,
    fixed: Collection[str],
    may_train_nothing: Collection[str] = (),
) -> dict[str, TrainableSet]:
    """Return what each configuration trains, by its id; the model is frozen in one of these ways afterwards.

    Args:
        model: The model.
        grid: Canonical ids of the configurations.
        layers: The model's layers.
        batch: Inputs without labels, on which the model runs.
        fixed: Names of parameters that the model itself keeps from training.
        may_train_nothing: Those configurations for which it is no fault that nothing would be left to train, or that
            they cannot be applied to this model.

    Raises:
        NothingToTrainError: If nothing would be left of another one.
        SpecError: If another one cannot be applied, or adds what no gradient reaches.
    """
    freeze(model, "none", layers, fixed=fixed)
    reached = _reached(model, batch)
    sets = {}
    for freeze_text in grid:
        try:
            sets[freeze_text] = _trainable_set(model, freeze_text, layers, batch, reached=reached, fixed=fixed)
        except NothingToTrainError:
            if freeze_text not in may_train_nothing:
                raise
            sets[freeze_text] = TrainableSet.of((), num_params=0)
        except SpecError as error:
            if freeze_text not in may_train_nothing:
                raise
            sets[freeze_text] = TrainableSet.refused(str(error).rstrip("."))
    return sets


def _trainable_set(
    model: torch.nn.Module,
    freeze_text: str,
    layers: LayerMap,
    batch: Batch,
    *,
    reached: Collection[str],
    fixed: Collection[str],
) -> TrainableSet:
    """Return what one configuration trains; modules that strategies add are added to a copy of the model.

    Raises:
        NothingToTrainError: If it trains nothing.
        SpecError: If a strategy adds what no gradient reaches.
    """
    if not FreezeSpec.parse(freeze_text).strategies:
        freeze(model, freeze_text, layers, fixed=fixed)
        sizes = _trainable(model, freeze_text, reached)
        return TrainableSet.of(sizes, num_params=sum(sizes.values()))
    model = copy.deepcopy(model)
    applied = apply(model, freeze_text, find_layers(model), fixed=fixed)
    reached, added = _reached(model, batch), applied.trainable.added
    if unreached := added.difference(reached):
        raise SpecError(
            f"cannot apply {freeze_text}: no gradient reaches {min(unreached)}, which it adds, since the model does "
            "not use it for classification. Choose other modules by the argument targets, or another strategy."
        )
    sizes = _trainable(model, freeze_text, reached)
    # Rates and stages make a configuration another one, even if it trains the same parameters. So do the arguments of
    # what was added, which scale it.
    return TrainableSet.of(
        [*sizes, *(map(str, FreezeSpec.parse(freeze_text).strategies) if added else ())],
        num_params=sum(sizes.values()),
        rate_factors=applied.trainable.rate_factors,
        stages=[(stage.first_epoch, stage.rate_factor, stage.names) for stage in applied.trainable.stages],
    )


def _trainable(model: torch.nn.Module, freeze_text: str, reached: Collection[str]) -> dict[str, int]:
    """Return the sizes of a frozen model's trainable parameters by name; tied ones have one name and count once.

    Raises:
        NothingToTrainError: If there are none.
    """
    trainable = {name: item.numel() for name, item in model.named_parameters() if item.requires_grad}
    sizes = {name: size for name, size in trainable.items() if name in reached}
    if not sizes:
        raise NothingToTrainError(
            f"cannot freeze {freeze_text}: nothing would be left to train, since no gradient reaches {min(trainable)} "
            "and the rest of the model. Leave out one part."
        )
    return sizes


def _reached(model: torch.nn.Module, batch: Batch) -> frozenset[str]:
    """Return the names of the parameters that a gradient of the scores reaches.

    An encoder that runs under ``torch.no_grad``, or whose output is detached, gets no gradient, whatever
    ``requires_grad`` says.
    """
    names: set[str] = set()

    def noting(name: str) -> Callable[[torch.Tensor], None]:
        def note(parameter: torch.Tensor) -> None:
            names.add(name)
            parameter.grad = None  # at once, so that the gradients of all parameters never take memory together

        return note

    parameters = dict(model.named_parameters())
    learning = {name: parameter for name, parameter in parameters.items() if parameter.requires_grad}
    handles = [
        item.register_post_accumulate_grad_hook(noting(name))  # type: ignore[no-untyped-call]
        for name, item in learning.items()
    ]
    try:
        # In evaluation a model may take another way than in training, which may leave out layers at random.
        for is_training in (False, True):
            model.train(is_training)
            with torch.enable_grad():
                logits_of(model(**batch)).sum().backward()  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - what fails here is not known: training has to show what is wrong
        return frozenset(parameters)
    finally:
        for handle in handles:
            handle.remove()
    return frozenset(names)
