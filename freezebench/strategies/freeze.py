"""Freezing by spec: which parameters of a model train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.errors import ModelError, NothingToTrainError, SpecError
from freezebench.models.layers import find_layers, model_name
from freezebench.specs.fields import brief
from freezebench.specs.freeze import FreezeSpec

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
    """

    spec: str
    num_params: int
    num_trainable_params: int
    num_layers: int
    num_frozen_layers: int

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


def freeze(
    model: torch.nn.Module,
    spec: FreezeSpec | str,
    layers: LayerMap | None = None,
    *,
    fixed: Collection[str] = (),
) -> FreezeSummary:
    """Set ``requires_grad`` of every parameter by a spec, independently of its value before; return a summary.

    Parameters that are not floating-point numbers cannot train and stay frozen.

    Args:
        model: A classifier.
        spec: What to freeze.
        layers: The model's layers if they are known; ``None`` finds them by a forward pass.
        fixed: Names of parameters that stay frozen under every spec, such as :func:`fixed_parameters` returns.

    Raises:
        SpecError: If the spec cannot be read or names layers that do not exist.
        NothingToTrainError: If it leaves nothing to train.
        ModelError: If it is no model, or its layers cannot be found.
    """
    if isinstance(spec, str):
        spec = FreezeSpec.parse(spec)
    if not isinstance(spec, FreezeSpec):
        raise SpecError(f"freeze(…, {brief(spec)}): give a FreezeSpec or its id, such as 'emb+L0-3'.")
    if not hasattr(model, "named_parameters"):
        advice = ", its first part" if isinstance(model, tuple) else ", such as load_model returns"
        raise ModelError(f"freeze({type(model).__name__}, …): give a torch.nn.Module{advice}.")
    name = model_name(model)
    layer_map = layers or find_layers(model)
    # All checks come before the first change, so that a spec that does not fit leaves the model as it was.
    spec.check(layer_map.num_layers, name)
    frozen = layer_map.names(spec) | set(fixed)
    parameters = dict(model.named_parameters())
    trainable = {key for key, parameter in parameters.items() if key not in frozen and parameter.is_floating_point()}
    if not trainable:
        raise NothingToTrainError(
            f"cannot freeze {spec}: nothing of {name} would be left to train. "
            f"{_how_to_train(spec, has_fixed=bool(fixed))}."
        )
    for key, parameter in parameters.items():
        parameter.requires_grad_(key in trainable)
    return FreezeSummary(
        spec=str(spec),
        num_params=sum(parameter.numel() for parameter in parameters.values()),
        num_trainable_params=sum(parameters[key].numel() for key in trainable),
        num_layers=layer_map.num_layers,
        num_frozen_layers=spec.num_frozen_layers,
    )


def _how_to_train(spec: FreezeSpec, *, has_fixed: bool) -> str:
    """Return what makes a model train of which a spec leaves nothing."""
    unfix = "some of the parameters trainable that the model itself has fixed (requires_grad=False)"
    if spec.is_none:  # then there is no part to leave out
        return f"Make {unfix}"
    return f"Leave out one part, or make {unfix}" if has_fixed else "Leave out one part"


def frozen_modules(model: torch.nn.Module, layers: LayerMap, spec: FreezeSpec) -> tuple[torch.nn.Module, ...]:
    """Return the modules of embeddings and layers whose parameters are all frozen by a spec, the head left out."""
    frozen = layers.names(spec) - set(layers.head)
    owned = {name: [f"{name}.{p}" if name else p for p, _ in m.named_parameters()] for name, m in model.named_modules()}
    return tuple(module for name, module in model.named_modules() if owned[name] and frozen.issuperset(owned[name]))
