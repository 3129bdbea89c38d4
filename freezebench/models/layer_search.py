"""Find the candidates for a model's layer stack, by the structure of its modules."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from freezebench.models.forward_trace import parameter_ids

if TYPE_CHECKING:
    from freezebench.models.forward_trace import Trace


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A list of layers, or several parallel lists whose members alternate (XLM has lists of attentions and of norms).

    Attributes:
        paths: Module paths of the lists.
        layers: The modules of each layer.
    """

    paths: tuple[str, ...]
    layers: tuple[tuple[torch.nn.Module, ...], ...]

    @property
    def path(self) -> str:
        """The stack's module path: ``encoder.layer``, or ``transformer.{attentions,ffns}`` for parallel lists."""
        if len(self.paths) == 1:
            return self.paths[0]
        parent = self.paths[0].rpartition(".")[0]
        names = ",".join(path.rpartition(".")[2] for path in self.paths)
        return f"{parent}.{{{names}}}" if parent else f"{{{names}}}"

    def is_inside(self, other: Stack) -> bool:
        """Return whether this stack is a part of a layer of the other one."""
        return any(path.startswith(f"{outer}.") for path in self.paths for outer in other.paths)

    @property
    def num_params(self) -> int:
        """Number of parameters of all layers, each counted once."""
        modules = torch.nn.ModuleList(module for layer in self.layers for module in layer)
        return sum(parameter.numel() for parameter in modules.parameters())

    @property
    def parameter_ids(self) -> list[set[int]]:
        """``id(parameter)`` of the parameters of each layer."""
        return [set[int]().union(*(parameter_ids(module) for module in layer)) for layer in self.layers]

    def end(self, trace: Trace) -> int:
        """Return the time at which the last layer returned."""
        return max(call.leave for module in self.layers[-1] for call in trace.calls_of(module))

    def order(self, trace: Trace) -> list[int]:
        """Return the order in which layers ran, consecutive calls of the same layer counted once."""
        entered = sorted(
            (call.enter, number)
            for number, layer in enumerate(self.layers)
            for module in layer
            for call in trace.calls_of(module)
        )
        return [number for number, _ in itertools.groupby(number for _, number in entered)]


def candidates(model: torch.nn.Module) -> list[Stack]:
    """Return every list of modules with parameters that are numbered from 0, including lists inside layers."""
    return [
        Stack(paths=(path,), layers=tuple((child,) for child in module.children()))
        for path, module in model.named_modules()
        if _is_numbered(module) and not _holds_stacks(module)
    ]


def join_parallel(stacks: list[Stack], trace: Trace) -> list[Stack]:
    """Return the stacks; lists of one module whose members alternate in the forward pass become one stack."""
    joined_stacks: list[Stack] = []
    for _, group in itertools.groupby(stacks, key=lambda stack: (stack.path.rpartition(".")[0], len(stack.layers))):
        members = list(group)
        joined = Stack(
            paths=tuple(stack.path for stack in members),
            layers=tuple(
                tuple(itertools.chain(*layer)) for layer in zip(*(stack.layers for stack in members), strict=True)
            ),
        )
        alternate = len(members) > 1 and joined.order(trace) == list(range(len(joined.layers)))
        joined_stacks += [joined] if alternate else members
    return joined_stacks


def _is_numbered(module: torch.nn.Module) -> bool:
    """Return whether a module's members are named 0, 1, … and could be layers: all with parameters, and of one class.

    The members of a ``ModuleList`` may be of several classes, as in hybrid models. A ``Sequential`` of several classes
    is an ordinary network.
    """
    members = list(module.children())
    return (
        bool(members)
        and [name for name, _ in module.named_children()] == [str(number) for number in range(len(members))]
        and all(parameter_ids(member) for member in members)
        and (isinstance(module, torch.nn.ModuleList) or len({type(member) for member in members}) == 1)
    )


def _holds_stacks(module: torch.nn.Module) -> bool:
    """Return whether the members of a list are lists of equal layers, as the blocks of Funnel are.

    A list of lists of one attention and one feed-forward module each is a stack, not a list of stacks.
    """
    return any(
        isinstance(member, torch.nn.ModuleList)
        and len(member) > 1
        and len({tuple(parameter.shape for parameter in inner.parameters()) for inner in member}) == 1
        for member in module.children()
    )
