"""Where a model's embeddings, layers and head are, found by structure and behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freezebench.errors import ModelError
from freezebench.models.layer_search import Stack, candidates, observable, run_once, woven

if TYPE_CHECKING:
    import torch

    from freezebench.models.layer_search import Trace
    from freezebench.specs.freeze import FreezeSpec

# Lists of a few projections or small heads stand beside a stack, and Canine has single layers around its twelve.
_RIVAL_SHARE = 1 / 8


@dataclass(frozen=True, kw_only=True)
class LayerMap:
    """Every parameter of a model, by the part that owns it; tied parameters stand under one name.

    Attributes:
        emb: Names of the parameters before the stack, or used inside it but owned by no layer.
        layers: Names of the parameters of each layer, numbered as in module names.
        head: Names of the parameters after the stack.
        stack: Module path of the stack, such as ``distilbert.transformer.layer``.
    """

    emb: tuple[str, ...]
    layers: tuple[tuple[str, ...], ...]
    head: tuple[str, ...]
    stack: str

    @property
    def num_layers(self) -> int:
        """Depth of the stack."""
        return len(self.layers)

    def names(self, spec: FreezeSpec) -> frozenset[str]:
        """Return the names of the parameters that a spec freezes."""
        frozen = {name for layer in spec.layers for name in self.layers[layer]}
        frozen.update(self.emb if spec.embeddings else ())
        frozen.update(self.head if spec.head else ())
        return frozenset(frozen)


def find_layers(model: torch.nn.Module) -> LayerMap:
    """Return which parameters of a classifier are its embeddings, its layers and its head.

    The stack is the list of modules that holds most parameters and whose members run exactly once, in order, and keep
    the shape of what they are given. One forward pass on a copy that shares the parameters tells that, and where the
    other parameters are used: up to the end of the last layer they belong to the embeddings, later to the head. A
    parameter that is not used at all belongs to the embeddings if it is registered before the stack, else to the head.

    A model whose choice of stack is not obvious may name it: ``model.layer_stack = "encoder.layers"``.

    Raises:
        ModelError: If there is no such stack, more than one, or one whose layers share weights.
    """
    name = model_name(model)
    wanted = getattr(model, "layer_stack", None)
    if wanted is None and getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        raise ModelError(
            f"cannot tell the layers of {name} apart: it has an encoder and a decoder, each with layers from 0. "
            'Choose a model with one layer stack, or name one in a module:factory by model.layer_stack = "PATH".'
        )
    with observable(model) as shadow:
        trace = run_once(shadow, name)
        stack = _choose(woven(candidates(shadow), trace), trace, name, wanted)
        owned = stack.parameter_ids
        end = stack.leave(trace)
    return _assign(model, stack.path, owned, trace, end)


def model_name(model: torch.nn.Module) -> str:
    """Return what error messages call a model: where it was loaded from, or its class."""
    source: Any = getattr(getattr(model, "config", None), "_name_or_path", None)
    return source if isinstance(source, str) and source else type(model).__name__


def _assign(model: torch.nn.Module, path: str, owned: list[set[int]], trace: Trace, end: int) -> LayerMap:
    """Return the map of all parameters.

    Args:
        model: The model.
        path: Module path of the stack.
        owned: Identities of the parameters of each layer.
        trace: First uses of the parameters.
        end: When the last layer returned.
    """
    layer_of = {identity: number for number, identities in enumerate(owned) for identity in identities}
    layers: list[list[str]] = [[] for _ in owned]
    emb: list[str] = []
    head: list[str] = []
    before_stack = True
    for key, parameter in model.named_parameters():
        identity = id(parameter)
        if identity in layer_of:
            before_stack = False
            layers[layer_of[identity]].append(key)
        elif identity in trace.first_use:
            (emb if trace.first_use[identity] < end else head).append(key)
        else:
            (emb if before_stack else head).append(key)
    return LayerMap(emb=tuple(emb), layers=tuple(tuple(layer) for layer in layers), head=tuple(head), stack=path)


def _choose(stacks: list[Stack], trace: Trace, name: str, wanted: str | None) -> Stack:
    """Return the layer stack among the candidates.

    Args:
        stacks: The candidates.
        trace: What one forward pass did.
        name: What error messages call the model.
        wanted: Path of the stack, if the model names it.

    Raises:
        ModelError: If none will do, or several will.
    """
    if wanted is not None:
        named = [stack for stack in stacks if stack.path == wanted]
        if not named:
            outer = [stack for stack in stacks if not any(stack.is_inside(other) for other in stacks)]
            raise ModelError(
                f"{name} names {wanted!r} as its layer_stack, which is no list of layers. "
                f"Choose from {', '.join(stack.path for stack in outer) or 'none'}."
            )
        return _sound(named[0], trace, name)
    running = [stack for stack in stacks if _looks_like_layers(stack, trace)]
    running = [stack for stack in running if not any(stack.is_inside(other) for other in running)]
    if not running:
        raise ModelError(
            f"cannot find the layers of {name}: no list of modules in it (torch.nn.ModuleList) passes hidden states "
            "from member to member. Choose a transformer encoder, or put the layers of your own model into a "
            "ModuleList."
        )
    first, *others = sorted(running, key=lambda stack: -stack.num_params)
    rivals = [stack for stack in others if _rivals(stack, first)]
    if rivals:
        paths = " and ".join(f"{stack.path} ({len(stack.layers)})" for stack in (first, *rivals))
        raise ModelError(
            f"cannot tell the layers of {name} apart: it has {1 + len(rivals)} layer stacks, {paths}. Choose a model "
            f'with one, or name one in a module:factory by model.layer_stack = "{first.path}".'
        )
    return _sound(first, trace, name)


def _looks_like_layers(stack: Stack, trace: Trace) -> bool:
    """Return whether members of a candidate run, and hidden states keep their shape in all of them."""
    modules = [module for layer in stack.layers for module in layer]
    calls = [call for module in modules for call in trace.calls.get(id(module), [])]
    ran = any(trace.calls_of(module) for module in modules)
    return ran and not any(call.keeps_shape is False for call in calls)


def _rivals(stack: Stack, first: Stack) -> bool:
    """Return whether a second stack is too large to pass for a part of embeddings or head."""
    return stack.num_params >= _RIVAL_SHARE * first.num_params


def _sound(stack: Stack, trace: Trace, name: str) -> Stack:
    """Return a stack whose layers run exactly once each, in order, on weights of their own.

    Raises:
        ModelError: If they do not.
    """
    advice = "Choose a model whose layers run once each, in order, on weights of their own."
    for number, layer in enumerate(stack.layers):
        times = max(trace.times_run(module) for module in layer)
        if times == 0:
            raise ModelError(f"cannot freeze {name} by layers: {stack.path}.{number} does not run. {advice}")
        if times > 1:
            raise ModelError(
                f"cannot freeze {name} by layers: {stack.path}.{number} runs {times} times in one forward pass, "
                f"so that its depths share weights. {advice}"
            )
    order = stack.order(trace)
    if order != list(range(len(stack.layers))):
        shown = ", ".join(str(number) for number in order)
        raise ModelError(f"cannot freeze {name} by layers: those of {stack.path} run in the order {shown}. {advice}")
    seen: dict[int, int] = {}
    for number, identities in enumerate(stack.parameter_ids):
        for identity in identities:
            if seen.setdefault(identity, number) != number:
                raise ModelError(
                    f"cannot freeze {name} by layers: layers {seen[identity]} and {number} of {stack.path} share "
                    f"parameters. {advice}"
                )
    return stack
