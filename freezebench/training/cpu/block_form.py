"""Which layers are post-norm transformer layers, as their own forward pass shows it."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from freezebench.training.cpu.block import Shape
from freezebench.training.prefix.splice import hidden_input, in_train_mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# What is told apart, and the names of the arguments that are read.
_ARITHMETIC: dict[Any, tuple[str, tuple[str, ...]]] = {
    functional.linear: ("linear", ("input", "weight", "bias")),
    functional.scaled_dot_product_attention: (
        "attention",
        ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa"),
    ),
    functional.dropout: ("dropout", ("input", "p", "training", "inplace")),
    functional.layer_norm: ("norm", ("input", "normalized_shape", "weight", "bias", "eps")),
    functional.gelu: ("gelu", ("input", "approximate")),
    torch.Tensor.add: ("add", ("input", "other")),
}
_RESHAPING = frozenset({
    torch.Tensor.view, torch.Tensor.transpose, torch.Tensor.reshape, torch.Tensor.contiguous, torch.Tensor.permute
})  # fmt: skip
_POST_NORM = ["linear"] * 3 + ["attention", "linear", "add", "norm", "linear", "gelu", "linear", "add", "norm"]
_MASK_DIMS = 4


@dataclass(frozen=True, kw_only=True)
class BlockForm:
    """A layer that was recognised.

    Attributes:
        layer: The module.
        parameters: Weight and bias of query, key, value, output, up and down, then those of both normalisations.
        shape: What it is beside them.
        beside: What it returns beside hidden states; ``None`` where it returns those alone.
    """

    layer: nn.Module
    parameters: tuple[nn.Parameter, ...]
    shape: Shape
    beside: tuple[Any, ...] | None


def observed_blocks(
    model: nn.Module, layers: Sequence[nn.Module], inputs: Mapping[str, torch.Tensor]
) -> dict[int, BlockForm]:
    """Return the layers whose forward pass is that of a post-norm transformer layer, by number.

    Args:
        model: The model, in eval mode.
        layers: Its layers.
        inputs: A batch of sentences of different lengths.
    """
    calls: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] = {}
    with ExitStack() as handles, torch.no_grad():
        for number, layer in enumerate(layers):

            def enter(_: Any, args: Any, kwargs: Any, number: int = number) -> None:
                calls[number] = (args, kwargs)

            handles.callback(layer.register_forward_pre_hook(enter, with_kwargs=True).remove)
        model(**inputs)
    forms = {}
    for number, (args, kwargs) in calls.items():
        with suppress(Exception):  # whatever its code does when it is called by itself, it goes on running by that code
            forms[number] = _observed(layers[number], args, kwargs)
    return forms


def mask_input(args: Iterable[Any], kwargs: Mapping[str, Any]) -> torch.Tensor | None:
    """Return the attention's mask among a layer's arguments: the tensor of four dimensions, if there is one."""
    values = (*args, *kwargs.values())
    return next((one for one in values if isinstance(one, torch.Tensor) and one.ndim == _MASK_DIMS), None)


class _UnknownError(Exception):
    """A layer is not of the form that is known here."""


class _Recorder(TorchFunctionMode):
    """Notes the arithmetic of one forward pass: kind, arguments by name, output."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[str, dict[str, Any], torch.Tensor]] = []

    def __torch_function__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in _ARITHMETIC:
            kind, names = _ARITHMETIC[func]
            self.steps.append((kind, {**dict(zip(names, args, strict=False)), **(kwargs or {})}, output))
        elif isinstance(output, torch.Tensor) and func not in _RESHAPING:
            raise _UnknownError(str(func))
        return output


@torch.no_grad()
def _observed(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> BlockForm:
    """Return a layer's form as one forward pass in train mode shows it.

    Raises:
        _UnknownError: If it is none that is known here.
        SpliceError: If the layer is not given hidden states.
    """
    hidden, _ = hidden_input(args, kwargs)
    parts = [part for part in layer.modules() if part is not layer]
    if any(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks for part in parts):  # noqa: SLF001
        raise _UnknownError("somebody listens to its parts")
    with in_train_mode(layer), _Recorder() as recorder:
        output = layer(*args, **kwargs)
    shown = output[0] if isinstance(output, tuple) else output
    beside = output[1:] if isinstance(output, tuple) else None
    steps = recorder.steps
    if [kind for kind, *_ in steps if kind != "dropout"] != _POST_NORM or shown is not steps[-1][2]:
        raise _UnknownError("another order of operations")
    if any(isinstance(one, torch.Tensor) for one in beside or ()):
        raise _UnknownError("it returns more than hidden states")
    return BlockForm(
        layer=layer, parameters=_parameters(steps), shape=_shape(steps, hidden, args, kwargs), beside=beside
    )


def _parameters(steps: list[tuple[str, dict[str, Any], torch.Tensor]]) -> tuple[nn.Parameter, ...]:
    """Return a layer's parameters in the order that :class:`Block` takes them.

    Raises:
        _UnknownError: If one is missing or made of others.
    """
    linears = [step for step in steps if step[0] == "linear"]
    (attention,) = (named for kind, named, _ in steps if kind == "attention")
    # Query, key and value are views of what their layers returned, whatever the order of the three.
    made = {output.data_ptr(): named for _, named, output in linears[:3]}
    inputs = [made.get(attention[name].data_ptr()) for name in ("query", "key", "value")]
    norms = [named for kind, named, _ in steps if kind == "norm"]
    named = [*inputs, *(named for _, named, _ in linears[3:]), *norms]
    found = [one and one.get(name) for one in named for name in ("weight", "bias")]
    parameters = tuple(one for one in found if isinstance(one, nn.Parameter))
    if len(parameters) != len(found) or len({id(one) for one in parameters}) != len(parameters):
        raise _UnknownError("parameters of its own making")
    return parameters


def _shape(
    steps: list[tuple[str, dict[str, Any], torch.Tensor]],
    hidden: torch.Tensor,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Shape:
    """Return what a layer is beside its parameters.

    Raises:
        _UnknownError: If its attention is of another kind, or dropout stands elsewhere.
    """
    (attention,) = (named for kind, named, _ in steps if kind == "attention")
    query, mask = attention["query"], attention.get("attn_mask")
    batch, length, width = hidden.shape
    is_plain = query.shape == (batch, query.shape[1], length, width // query.shape[1])
    is_plain &= query.shape == attention["key"].shape == attention["value"].shape
    given = mask_input(args, kwargs)
    is_given = given is None if mask is None else given is not None and mask.data_ptr() == given.data_ptr()
    if not (is_plain and is_given) or attention.get("is_causal") or attention.get("enable_gqa"):
        raise _UnknownError("another attention")
    rates = [0.0, 0.0]
    num_norms = 0
    for place, (kind, named, _) in enumerate(steps):
        num_norms += kind == "norm"
        if kind == "dropout":
            if steps[place - 1][0] != "linear" or num_norms == len(rates):
                raise _UnknownError("dropout elsewhere")
            rates[num_norms] = float(named.get("p", 0.5)) if named.get("training", True) else 0.0
    rates.append(float(attention.get("dropout_p", 0.0)))
    if max(rates) >= 1.0:
        raise _UnknownError("dropout that leaves nothing")
    eps = [float(named["eps"]) for kind, named, _ in steps if kind == "norm"]
    scale = attention.get("scale")
    return Shape(
        num_heads=query.shape[1],
        scale=query.shape[-1] ** -0.5 if scale is None else float(scale),
        attention_dropout=rates[2],
        output_dropout=rates[0],
        down_dropout=rates[1],
        gelu=next(named.get("approximate", "none") for kind, named, _ in steps if kind == "gelu"),
        eps=(eps[0], eps[1]),
    )
