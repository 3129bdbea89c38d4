"""Apply one strategy to a model, and check what it did: its code may be anybody's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError, ModelError, SpecError, first_line
from freezebench.models.naming import model_name
from freezebench.specs.fields import brief, real, whole
from freezebench.specs.strategy import LARGEST_FACTOR
from freezebench.strategies.base import Stage, Strategy, Trainable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from freezebench.models.layers import LayerMap
    from freezebench.specs.strategy import StrategySpec


def with_strategy(strategy: StrategySpec, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
    """Return what trains of a model under a strategy.

    Args:
        strategy: The strategy.
        model: The model, to which it may add modules.
        layers: The model's layers.
        trainable: What trains without it.

    Raises:
        SpecError: If it cannot be applied, trains what does not exist or is frozen, or changes more than it says.
        ModelError: If it fails.
    """
    if not isinstance(strategy, Strategy):
        raise SpecError(f"{strategy} has no method apply. Make it a subclass of freezebench.Strategy.")
    before = dict(model.named_parameters())
    try:
        changed = strategy.apply(model, layers, trainable)
    except FreezebenchError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"the strategy {strategy} fails on {model_name(model)} ({type(error).__name__}: {first_line(error)}). "
            "Correct the strategy, or choose another one."
        ) from error
    problem = _type_problem(changed)
    if problem:
        raise SpecError(f"the strategy {strategy} returned {problem}. Let its method apply return a Trainable.")
    _check_parameters(strategy, before, dict(model.named_parameters()), changed)
    _check_names(strategy, model, trainable, changed)
    # What strategies before this one have added stays, even if it makes its result from nothing.
    return replace(changed, added=changed.added | trainable.added, save=changed.save or trainable.save)


def _type_problem(changed: object) -> str:
    """Return what a strategy returned if that is no trainable of usable values; empty if it is one."""
    if not isinstance(changed, Trainable):
        return brief(changed)
    stages: object = changed.stages
    if not isinstance(stages, tuple) or not all(isinstance(stage, Stage) for stage in stages):
        return f"stages={brief(stages)}, and no tuple of Stage"
    sets: dict[str, object] = {"names": changed.names, "added": changed.added}
    sets |= {f"names of stage {number}": stage.names for number, stage in enumerate(changed.stages, 1)}
    for what, names in sets.items():
        if not isinstance(names, frozenset) or not all(isinstance(name, str) for name in names):
            return f"{what}={brief(names)}, and no frozenset of names of parameters"
    epochs = [whole(stage.first_epoch) for stage in changed.stages]
    numbers = [epoch for epoch in epochs if epoch is not None]
    if len(numbers) < len(epochs) or (numbers and numbers[0] != 1) or numbers != sorted(set(numbers)):
        return f"stages that begin with the epochs {brief(epochs)}, and not with 1 and then later ones"
    factors = [*dict(changed.rate_factors).values(), *(stage.rate_factor for stage in changed.stages)]
    wrong = [factor for factor in factors if not 0 < real(factor) <= LARGEST_FACTOR]
    return f"a rate factor {brief(wrong[0])}, and no number above 0 up to {LARGEST_FACTOR:g}" if wrong else ""


def _check_parameters(
    strategy: Strategy,
    before: Mapping[str, torch.nn.Parameter],
    after: Mapping[str, torch.nn.Parameter],
    changed: Trainable,
) -> None:
    """Check that a strategy has kept all parameters of a model, and says which ones it has added.

    Raises:
        SpecError: If it has not.
    """
    # Names may change, as those of weights under adapters do; the parameters are the same objects.
    kept, had = {id(parameter) for parameter in after.values()}, {id(parameter) for parameter in before.values()}
    lost = [name for name, parameter in before.items() if id(parameter) not in kept]
    if lost:
        raise SpecError(
            f"the strategy {strategy} removes or replaces {lost[0]} of the model. "
            "Let it keep all parameters, and add modules beside them."
        )
    unsaid = [name for name, parameter in after.items() if id(parameter) not in had and name not in changed.added]
    if unsaid:
        raise SpecError(
            f"the strategy {strategy} adds {unsaid[0]} to the model and does not say so. "
            "Let it name all parameters that it adds in the field added of the Trainable."
        )


def _check_names(strategy: Strategy, model: torch.nn.Module, trainable: Trainable, changed: Trainable) -> None:
    """Check that a strategy trains only what it may train.

    Raises:
        SpecError: If it does not.
    """
    existing = {name for name, _ in model.named_parameters()}
    allowed = (trainable.names | changed.added) & existing
    wrong = (changed.names | changed.added) - allowed
    if wrong:
        raise SpecError(
            f"the strategy {strategy} trains {min(wrong)}, which does not exist or is frozen. "
            "Let it choose from the names of the Trainable that it gets, and from what it adds."
        )
    outside = {name for stage in changed.stages for name in stage.names} - changed.names
    if outside:
        raise SpecError(
            f"the strategy {strategy} trains {min(outside)} in a stage, but not among all names. "
            "Let the names of the Trainable be those of all stages together."
        )
    empty = next((stage.first_epoch for stage in changed.stages if not stage.names), None)
    if empty is not None:
        raise SpecError(
            f"the strategy {strategy} trains nothing in the stage that begins with epoch {empty}. "
            "Let every stage name parameters."
        )
    in_no_stage = changed.names.difference(*(stage.names for stage in changed.stages)) if changed.stages else ()
    if in_no_stage:
        raise SpecError(
            f"the strategy {strategy} trains {min(in_no_stage)} in no stage. "
            "Let the names of the Trainable be those of all stages together."
        )
