"""Hidden states between a model's layers, captured by hooks."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeGuard

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_NUM_DIMS = 3  # (batch, tokens, width)
OTHER_OUTPUT = "its layers do not return hidden states of shape (batch, tokens, width)"


class SpliceError(Exception):
    """A model whose layers cannot be left out: their inputs or outputs are not what splicing needs."""


class StopForwardError(Exception):
    """Ends a forward pass after the last layer that is needed."""


@contextmanager
def captured_hidden_states(
    model: torch.nn.Module, stack: str, depths: Sequence[int], *, stop: bool = False
) -> Iterator[dict[int, torch.Tensor]]:
    """Yield a mapping that holds the hidden states of the last forward pass at each depth.

    At depth ``n`` they are what enters layer ``n``; at the depth of the whole stack, what leaves the last layer.

    Args:
        model: The model.
        stack: Module path of its layers.
        depths: The depths.
        stop: Whether every forward pass ends with a ``StopForwardError`` when the last depth is reached.
    """
    layers = list(model.get_submodule(stack).children())
    states: dict[int, torch.Tensor] = {}

    def keep(depth: int, hidden: torch.Tensor) -> None:
        states[depth] = hidden
        # A hook cannot return from the forward pass of the model that it is in; an exception can.
        if stop and depth == max(depths):
            raise StopForwardError

    def input_hook(depth: int) -> Callable[[torch.nn.Module, tuple[object, ...], dict[str, object]], None]:
        return lambda _, args, kwargs: keep(depth, hidden_input(args, kwargs)[0])

    def output_hook(_: torch.nn.Module, __: tuple[object, ...], output: object) -> None:
        keep(len(layers), hidden_output(output))

    with ExitStack() as handles:
        for depth in depths:
            # What enters a layer, since code between two layers may change what the first one returned.
            if depth < len(layers):
                handle = layers[depth].register_forward_pre_hook(input_hook(depth), with_kwargs=True)
            else:
                handle = layers[-1].register_forward_hook(output_hook)
            handles.callback(handle.remove)
        yield states


def hidden_output(output: object) -> torch.Tensor:
    """Return the hidden states that a layer returned, alone or as the first element of a tuple.

    Raises:
        SpliceError: If it returned something else.
    """
    first: object = output[0] if type(output) is tuple and output else output
    if not _are_hidden_states(first):
        raise SpliceError(OTHER_OUTPUT)
    return first


def hidden_input(args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[torch.Tensor, int | str]:
    """Return the hidden states among a layer's arguments, and the number or name of that argument.

    Raises:
        SpliceError: If there are none.
    """
    arguments: list[tuple[int | str, object]] = [*enumerate(args), *kwargs.items()]
    for name, value in arguments:
        if _are_hidden_states(value):
            return value, name
    raise SpliceError("its layers are not given hidden states of shape (batch, tokens, width)")


def _are_hidden_states(value: object) -> TypeGuard[torch.Tensor]:
    return isinstance(value, torch.Tensor) and value.is_floating_point() and value.ndim == _NUM_DIMS
