"""Find a model's embeddings, layers and head.

The modules' structure gives candidates for the layer stack; the trace of one tiny forward pass decides among them, and
assigns every other parameter by the time of its first use:

    token ids ─► embeddings ─► layer 0 ─► … ─► layer N-1 ─► head ─► class scores
                 └── emb, if first used here ──────────┘    └── head, if first used here
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.errors import ModelError
from freezebench.models.forward_trace import observable, trace_forward
from freezebench.models.layer_search import find_stack
from freezebench.models.naming import model_name

if TYPE_CHECKING:
    import torch

    from freezebench.models.forward_trace import Trace
    from freezebench.specs.freeze import FreezeSpec


@dataclass(frozen=True, kw_only=True)
class LayerMap:
    """The names of all parameters of a model, by part; tied parameters have one name.

    Attributes:
        emb: Names of the parameters before the stack, and of those used inside it that belong to no layer.
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
        """Number of layers of the stack."""
        return len(self.layers)

    def names(self, spec: FreezeSpec) -> frozenset[str]:
        """Return the names of the parameters that a spec freezes.

        Args:
            spec: What is frozen.
        """
        frozen = {name for layer in spec.layers for name in self.layers[layer]}
        frozen.update(self.emb if spec.embeddings else ())
        frozen.update(self.head if spec.head else ())
        return frozenset(frozen)


def find_layers(model: torch.nn.Module) -> LayerMap:
    """Return which parameters of a classifier are its embeddings, its layers and its head.

    The stack is the list of modules that has most parameters and whose members run exactly once, in order, and keep the
    shape of the hidden states. One forward pass on a copy that shares the parameters shows that, and when the other
    parameters are first used: before the last layer ends, they belong to the embeddings, later to the head. A parameter
    that is not used belongs to the embeddings if it is registered before the stack, else to the head.

    A model with several stacks may name one: ``model.layer_stack = "encoder.layers"``.

    Raises:
        ModelError: If there is no such stack, more than one, or one whose layers share weights.
    """
    name = model_name(model)
    named_stack = getattr(model, "layer_stack", None)
    if named_stack is None and getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        raise ModelError(
            f"cannot number the layers of {name}: it has an encoder and a decoder, each with layers from 0. "
            'Choose a model with one layer stack, or name one in a module:factory by model.layer_stack = "PATH".'
        )
    # The copy's modules are other objects than the model's, but its parameters are the same: identities carry over.
    with observable(model) as observed:
        trace = trace_forward(observed, name)
        stack = find_stack(observed, trace, name, named_stack)
        path, layers_ids, end = stack.path, stack.parameter_ids, stack.end(trace)
    return _assign(model, path, layers_ids, trace, end)


def word_embedding(model: torch.nn.Module) -> torch.nn.Module | None:
    """Return the table that token ids are looked up in; ``None`` if the model has none or does not say which."""
    find = getattr(model, "get_input_embeddings", None)
    try:
        table: torch.nn.Module | None = find() if callable(find) else None
    except (NotImplementedError, AttributeError):
        return None  # character models such as Canine have several
    return table


def _assign(model: torch.nn.Module, path: str, layers_ids: list[set[int]], trace: Trace, end: int) -> LayerMap:
    """Return the map of all parameters.

    Args:
        model: The model.
        path: Module path of the stack.
        layers_ids: ``id(parameter)`` of the parameters of each layer.
        trace: First uses of the parameters.
        end: Time at which the last layer returned.
    """
    layer_of = {identity: number for number, identities in enumerate(layers_ids) for identity in identities}
    layers: list[list[str]] = [[] for _ in layers_ids]
    emb: list[str] = []
    head: list[str] = []
    # named_parameters yields a tied parameter once, under its first name, so that every parameter gets one part.
    before_stack = True
    for key, parameter in model.named_parameters():
        identity = id(parameter)
        if identity in layer_of:
            before_stack = False
            layers[layer_of[identity]].append(key)
        # DeBERTa's relative positions and tables that all layers read are first used inside the stack: embeddings.
        elif identity in trace.first_use:
            (emb if trace.first_use[identity] < end else head).append(key)
        else:
            (emb if before_stack else head).append(key)
    return LayerMap(emb=tuple(emb), layers=tuple(tuple(layer) for layer in layers), head=tuple(head), stack=path)
