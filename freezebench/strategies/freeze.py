"""Apply a freeze spec to a model: which of its parameters train."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.errors import ModelError, NothingToTrainError, SpecError
from freezebench.models.layers import find_layers
from freezebench.models.naming import model_name
from freezebench.specs.fields import brief
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.top_layers import names_top_layers, spec_at_depth
from freezebench.strategies.base import Trainable
from freezebench.strategies.checked import with_strategy

if TYPE_CHECKING:
    from collections.abc import Collection

    import torch

    from freezebench.models.layers import LayerMap


@dataclass(frozen=True, kw_only=True)
class FreezeSummary:
    """Numbers of parameters and layers after freezing.

    Attributes:
        spec: Canonical id of the freeze spec.
        num_params: Number of the model's parameters; tied ones count once.
        num_trainable_params: Number of those that train.
        num_layers: Number of layers.
        num_frozen_layers: Number of frozen layers.
        num_added_params: Number of parameters that strategies have added to the model.
    """

    spec: str
    num_params: int
    num_trainable_params: int
    num_layers: int
    num_frozen_layers: int
    num_added_params: int = 0

    @property
    def trainable_fraction(self) -> float:
        """Share of the parameters that train, from 0 to 1."""
        return self.num_trainable_params / self.num_params


def fixed_parameters(model: torch.nn.Module) -> frozenset[str]:
    """Return the names of parameters that a new model does not train: sinusoidal positions, weights under adapters."""
    return frozenset(name for name, parameter in model.named_parameters() if not parameter.requires_grad)


def fixed_note(model: torch.nn.Module, fixed: frozenset[str]) -> tuple[str, ...]:
    """Return a warning of the parameters that the model itself keeps from training; none without such parameters."""
    if not fixed:
        return ()
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    num_fixed, num_params = sum(sizes[name] for name in fixed), sum(sizes.values())
    why = f"since the model itself has them fixed (requires_grad=False), such as {min(fixed)}"
    return (f"{num_fixed:,} of {num_params:,} parameters never train, {why}",)


@dataclass(frozen=True, kw_only=True)
class Applied:
    """A model to which a freeze spec was applied.

    Attributes:
        summary: Numbers of parameters and layers.
        layers: The model's layers, with what strategies have added.
        trainable: What trains, when, and at which rates.
        fixed: Names of parameters of parts that are not frozen which the model itself keeps from training.
    """

    summary: FreezeSummary
    layers: LayerMap
    trainable: Trainable
    fixed: frozenset[str]

    def frozen_names(self, names: Collection[str] | None = None) -> frozenset[str]:
        """Return the names of the parameters of embeddings and layers of which nothing trains.

        Args:
            names: Names of the parameters that train in a stage; ``None``: those that train at any time.
        """
        # What the model itself has fixed runs as the trainable part around it does.
        others = self.fixed.union(self.trainable.names if names is None else names)
        parts = (self.layers.emb, *self.layers.layers)
        return frozenset(name for part in parts if others.isdisjoint(part) for name in part)

    def cached_depth(self, names: Collection[str] | None = None) -> int | None:
        """Return the number of layers whose outputs are the same in every step; ``None``: not even the embeddings' are.

        Args:
            names: As for :meth:`frozen_names`.
        """
        frozen = self.frozen_names(names)
        if not frozen.issuperset(self.layers.emb) or not frozen:
            return None
        return len(list(itertools.takewhile(frozen.issuperset, self.layers.layers)))

    @property
    def num_plain_layers(self) -> int | None:
        """Number of leading layers to which strategies have added nothing; ``None`` if they have to the embeddings."""
        added = self.trainable.added
        if not added.isdisjoint(self.layers.emb):
            return None
        return len(list(itertools.takewhile(added.isdisjoint, self.layers.layers)))


def freeze(
    model: torch.nn.Module,
    spec: FreezeSpec | str,
    layers: LayerMap | None = None,
    *,
    fixed: Collection[str] = (),
) -> FreezeSummary:
    """Return a summary of what trains, after setting ``requires_grad`` of every parameter by a spec.

    Parameters that are not floating-point numbers cannot train and stay frozen. Strategies of the spec may add modules
    to the model.

    Args:
        model: A classifier.
        spec: What to freeze, and what trains of the rest: a spec, or its name, such as ``emb+L0-1``, ``emb+bitfit`` or
            ``top-2``.
        layers: The model's layers if they are known; ``None`` finds them by a forward pass.
        fixed: Names of parameters that stay frozen under every spec.

    Raises:
        SpecError: If the spec cannot be read, names layers that do not exist, or a strategy cannot be applied.
        NothingToTrainError: If it leaves nothing to train.
        ModelError: If it is no model, or its layers cannot be found.
    """
    return apply(model, spec, layers, fixed=fixed).summary


def apply(
    model: torch.nn.Module,
    spec: FreezeSpec | str,
    layers: LayerMap | None = None,
    *,
    fixed: Collection[str] = (),
) -> Applied:
    """Apply a spec to a model as :func:`freeze` does; return all that a training of the model needs.

    Raises:
        SpecError: If the spec cannot be read, names layers that do not exist, or a strategy cannot be applied.
        NothingToTrainError: If it leaves nothing to train.
        ModelError: If it is no model, or its layers cannot be found.
    """
    if isinstance(spec, str) and not names_top_layers(spec):
        spec = FreezeSpec.parse(spec)
    if not isinstance(spec, FreezeSpec | str):
        raise SpecError(f"freeze(…, {brief(spec)}): give a FreezeSpec or its id, such as 'emb+L0-3'.")
    if not hasattr(model, "named_parameters"):
        advice = ", its first part" if isinstance(model, tuple) else ", such as load_model returns"
        raise ModelError(f"freeze({type(model).__name__}, …): give a torch.nn.Module{advice}.")
    name = model_name(model)
    layer_map = layers or find_layers(model)
    if isinstance(spec, str):
        spec = spec_at_depth(spec, layer_map.num_layers, name)
    # All checks come before the first change, so that a spec that does not fit leaves the model as it was.
    spec.check(layer_map.num_layers, name)
    parameters = dict(model.named_parameters())
    unfrozen = parameters.keys() - layer_map.names(spec)
    trainable = Trainable(names=frozenset(key for key in unfrozen if parameters[key].is_floating_point()))
    for strategy in spec.strategies:
        trainable = with_strategy(strategy, model, layer_map, trainable)
        if trainable.added:
            layer_map = find_layers(model)
    open_and_fixed = trainable.names.intersection(fixed)
    trainable = trainable.only(trainable.names - open_and_fixed)
    if not trainable.names:
        raise NothingToTrainError(
            f"cannot freeze {spec}: nothing of {name} would be left to train. "
            f"{_how_to_train(spec, has_fixed=bool(fixed))}."
        )
    if not all(stage.names for stage in trainable.stages):
        raise NothingToTrainError(
            f"cannot apply {spec}: a stage of it would train nothing of {name}, since the model itself has these "
            "parameters fixed (requires_grad=False). Make some of them trainable, or leave out the schedule."
        )
    set_trainable(model, trainable.names)
    parameters = dict(model.named_parameters())
    summary = FreezeSummary(
        spec=str(spec),
        num_params=sum(parameter.numel() for parameter in parameters.values()),
        num_trainable_params=sum(parameters[key].numel() for key in trainable.names),
        num_layers=layer_map.num_layers,
        num_frozen_layers=spec.num_frozen_layers,
        num_added_params=sum(parameters[key].numel() for key in trainable.added),
    )
    return Applied(summary=summary, layers=layer_map, trainable=trainable, fixed=open_and_fixed)


def set_trainable(model: torch.nn.Module, names: Collection[str]) -> None:
    """Let exactly some parameters of a model require gradients; the others keep none that was computed before.

    Args:
        model: The model.
        names: Names of the parameters that train.
    """
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in names)
        if name not in names:
            parameter.grad = None


def _how_to_train(spec: FreezeSpec, *, has_fixed: bool) -> str:
    """Return what makes a model train of which a spec leaves nothing."""
    unfix = "some of the parameters trainable that the model itself has fixed (requires_grad=False)"
    if spec.is_none:  # then there is no part to leave out
        return f"Make {unfix}"
    return f"Leave out one part, or make {unfix}" if has_fixed else "Leave out one part"


def frozen_modules(model: torch.nn.Module, frozen: Collection[str]) -> tuple[torch.nn.Module, ...]:
    """Return the modules whose own parameters are all frozen.

    Args:
        model: The model.
        frozen: Names of the frozen parameters, such as :meth:`Applied.frozen_names` returns.
    """
    owned = {name: [f"{name}.{p}" if name else p for p, _ in m.named_parameters()] for name, m in model.named_modules()}
    names = frozenset(frozen)
    return tuple(module for name, module in model.named_modules() if owned[name] and names.issuperset(owned[name]))
