"""The interface of a model's layers: what they take and return, observed in one forward pass.

Splicing replaces parts of a model by given hidden states. Which parts can be replaced depends on how the model's own
code connects them::

    input_ids ──► embedding module ──► layer 0 ──► … ──► last layer ──► (final module) ──► head
                                                  │
                                      other outputs: None, attention weights, …

The embedding module is the one whose output enters layer 0 unchanged: it need not run if all that follows is replaced.
The final module is the outermost one that returns the output of the last layer unchanged (often the whole base model):
behind a prefix of all layers it can be replaced as a whole, masks and all. Modules are found by the identity of the
tensors that they return, so that no architecture has to be known by name.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from freezebench.training.prefix.hidden_states import OTHER_OUTPUT, SpliceError, hidden_input, hidden_output
from freezebench.training.prefix.modes import train_mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.training.batches.encoding import Batch


@dataclass(frozen=True, kw_only=True)
class LayerInterface:
    """What a model's layers return, and the modules around them that can be replaced.

    Attributes:
        other_outputs: What layers return after the hidden states, ``None`` in place of tensors; ``None`` if they
            return the hidden states alone.
        embedding_module: The module whose output enters the first layer unchanged, if there is one.
        final_module: The outermost module that returns the last layer's output and no other tensor, if there is one.
        final_output: What the final module returned.
    """

    other_outputs: tuple[object, ...] | None
    embedding_module: torch.nn.Module | None
    final_module: torch.nn.Module | None = None
    final_output: object = None


@dataclass(kw_only=True)
class _Trace:
    """What one forward pass showed.

    Attributes:
        layer_outputs: What each layer returned, in the order of calls.
        module_outputs: What each module outside the layers returned, by the module's identity.
        first_input: The hidden states that entered the first layer.
    """

    layer_outputs: list[object] = field(default_factory=list)
    module_outputs: dict[int, object] = field(default_factory=dict)
    first_input: torch.Tensor | None = None


def observe_interface(model: torch.nn.Module, stack: str, inputs: Batch) -> LayerInterface:
    """Return the interface of a model's layers.

    Args:
        model: The model in eval mode.
        stack: Module path of its layers.
        inputs: A batch without labels.

    Raises:
        SpliceError: If a layer returns neither hidden states nor a tuple that begins with them, if later layers need
            other tensors that it returns, or if it works on other tokens than those of the batch.
    """
    layers = list(model.get_submodule(stack).children())
    inside = {id(part) for layer in layers for part in layer.modules()}
    outside = [module for module in model.modules() if id(module) not in inside]
    # The trace keeps all outputs alive: no two of them can have the same identity.
    trace = _trace(model, layers, outside, inputs)
    outputs = trace.layer_outputs
    tokens = next(iter(inputs.values())).shape[:2]
    if any(hidden_output(output).shape[:2] != tokens for output in outputs):
        raise SpliceError(OTHER_OUTPUT)
    if len(outputs) != len(layers):
        # They run once each, or the model would have been refused.
        raise SpliceError(
            "its code calls layer.forward(...) directly, which runs no hooks, and hidden states are taken by hooks on "
            "layers"
        )
    if not _hidden_states_suffice(model, layers, inputs, outputs):
        raise SpliceError("its layers need more of each other than hidden states")
    # modules() yields parents before their parts: the first match is the outermost module.
    embedding = next((m for m in outside if trace.module_outputs.get(id(m)) is trace.first_input), None)
    last = hidden_output(outputs[-1])
    # Not the model itself, which is the first: it returns scores.
    final = next((m for m in outside[1:] if _tensor_ids(trace.module_outputs.get(id(m))) == [id(last)]), None)
    if final is not None and not _returns_last_output_in_training(model, layers[-1], final, inputs):
        final = None
    return LayerInterface(
        other_outputs=_without_other_tensors(outputs[0])[1:] if isinstance(outputs[0], tuple) else None,
        embedding_module=embedding,
        final_module=final,
        final_output=trace.module_outputs.get(id(final)),
    )


@torch.no_grad()
def _trace(
    model: torch.nn.Module, layers: Sequence[torch.nn.Module], outside: Sequence[torch.nn.Module], inputs: Batch
) -> _Trace:
    """Return the trace of one forward pass."""
    trace = _Trace()

    def keep_layer_output(_: torch.nn.Module, __: tuple[object, ...], output: object) -> None:
        trace.layer_outputs.append(output)

    def keep_module_output(module: torch.nn.Module, _: tuple[object, ...], output: object) -> None:
        trace.module_outputs[id(module)] = output

    def keep_first_input(_: torch.nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        if trace.first_input is None:
            trace.first_input, _name = hidden_input(args, kwargs)

    with ExitStack() as handles:
        for layer in layers:
            handles.callback(layer.register_forward_hook(keep_layer_output).remove)
        handles.callback(layers[0].register_forward_pre_hook(keep_first_input, with_kwargs=True).remove)
        for module in outside:
            handles.callback(module.register_forward_hook(keep_module_output).remove)
        model(**inputs)
    return trace


def _hidden_states_suffice(
    model: torch.nn.Module, layers: Sequence[torch.nn.Module], inputs: Batch, outputs: Sequence[object]
) -> bool:
    """Return whether the model computes the same if layers return no other tensors, such as attention weights."""
    if not any(isinstance(output, tuple) and _has_tensors(output[1:]) for output in outputs):
        return True
    again: list[torch.Tensor] = []

    def remove_other_tensors(_: torch.nn.Module, __: tuple[object, ...], output: object) -> object:
        again.append(hidden_output(output))
        return _without_other_tensors(output) if isinstance(output, tuple) else output

    with ExitStack() as handles, torch.no_grad():
        for layer in layers:
            handles.callback(layer.register_forward_hook(remove_other_tensors).remove)
        try:
            model(**inputs)
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
            return False  # the model's code uses them
    return all(torch.equal(hidden, hidden_output(output)) for hidden, output in zip(again, outputs, strict=True))


def _without_other_tensors(output: tuple[object, ...]) -> tuple[object, ...]:
    """Return a layer's output with ``None`` in place of everything that has tensors, except the hidden states."""
    return (output[0], *(None if _has_tensors(value) else value for value in output[1:]))


def _has_tensors(value: object) -> bool:
    return isinstance(value, torch.Tensor) or (isinstance(value, tuple | list) and any(map(_has_tensors, value)))


@torch.no_grad()
def _returns_last_output_in_training(
    model: torch.nn.Module, last: torch.nn.Module, final: torch.nn.Module, inputs: Batch
) -> bool:
    """Return whether a module returns the last layer's output unchanged in train mode, too.

    Dropout between the two is the identity in eval mode; it would be lost if the module were replaced.
    """
    outputs: list[object] = []
    with train_mode(model), ExitStack() as handles:
        for module in (last, final):
            handles.callback(module.register_forward_hook(lambda _, __, output: outputs.append(output)).remove)
        model(**inputs)
    return _tensor_ids(outputs[1]) == [id(hidden_output(outputs[0]))]


def _tensor_ids(output: object) -> list[int] | None:
    """Return the identities of the tensors that a module returned; ``None`` if it returned anything else, too."""
    if isinstance(output, torch.Tensor):
        return [id(output)]
    # Only plain tuples and dictionaries can be made anew with other hidden states, see with_hidden_states.
    if not (isinstance(output, dict) or type(output) is tuple):
        return None
    values = list(output.values() if isinstance(output, dict) else output)
    if not all(value is None or isinstance(value, torch.Tensor) for value in values):
        return None
    return [id(value) for value in values if value is not None]


def with_hidden_states(output: object, hidden: torch.Tensor) -> object:
    """Return what a module returned, with its one tensor replaced."""
    if isinstance(output, dict):
        return type(output)(**{name: value if value is None else hidden for name, value in output.items()})
    if isinstance(output, tuple):
        return tuple(value if value is None else hidden for value in output)
    return hidden
