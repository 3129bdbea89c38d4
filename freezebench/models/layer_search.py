"""Find a model's layer stack: candidates by the structure of its modules, the choice by the trace of a forward pass."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from freezebench.errors import ModelError

if TYPE_CHECKING:
    from freezebench.models.forward_trace import Call, Trace

# Many models have further lists of a few projections or small heads, and Canine has single layers around its twelve.
# A list with less than this share of the largest one's parameters is no second stack.
_RIVAL_SHARE = 1 / 8


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
        return [set[int]().union(*(_parameter_ids(module) for module in layer)) for layer in self.layers]

    def end(self, trace: Trace) -> int:
        """Return the time at which the last layer returned."""
        return max(call.leave for module in self.layers[-1] for call in _calls_of(trace, module))

    def order(self, trace: Trace) -> list[int]:
        """Return the order in which layers ran, consecutive calls of the same layer counted once."""
        entered = sorted(
            (call.enter, number)
            for number, layer in enumerate(self.layers)
            for module in layer
            for call in _calls_of(trace, module)
        )
        return [number for number, _ in itertools.groupby(number for _, number in entered)]


def find_stack(model: torch.nn.Module, trace: Trace, name: str, named_stack: str | None) -> Stack:
    """Return the layer stack of a model.

    Args:
        model: The model.
        trace: Trace of one forward pass.
        name: The model's name in error messages.
        named_stack: Path of the stack, if the model names it.

    Raises:
        ModelError: If no candidate qualifies, or several do.
    """
    stacks = join_parallel(candidates(model), trace)
    if named_stack is not None:
        named = [stack for stack in stacks if stack.path == named_stack]
        if not named:
            outer = [stack for stack in stacks if not any(stack.is_inside(other) for other in stacks)]
            raise ModelError(
                f"{name} names {named_stack!r} as its layer_stack, which is no list of layers. "
                f"Choose from {', '.join(stack.path for stack in outer) or 'none'}."
            )
        return _checked(named[0], trace, name)
    # Of nested lists, such as experts within layers, the outer ones are the layers.
    running = [stack for stack in stacks if _looks_like_layers(stack, trace)]
    running = [stack for stack in running if not any(stack.is_inside(other) for other in running)]
    if not running:
        raise ModelError(
            f"cannot find the layers of {name}: no list of modules in it (torch.nn.ModuleList) passes hidden states "
            "from member to member. Choose a transformer encoder, or put the layers of your own model into a "
            "ModuleList."
        )
    first, *others = sorted(running, key=lambda stack: -stack.num_params)
    rivals = [stack for stack in others if stack.num_params >= _RIVAL_SHARE * first.num_params]
    if rivals:
        paths = " and ".join(f"{stack.path} ({len(stack.layers)})" for stack in (first, *rivals))
        raise ModelError(
            f"cannot number the layers of {name}: it has {1 + len(rivals)} layer stacks, {paths}. Choose a model "
            f'with one, or name one in a module:factory by model.layer_stack = "{first.path}".'
        )
    return _checked(first, trace, name)


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
        and all(_parameter_ids(member) for member in members)
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


def _looks_like_layers(stack: Stack, trace: Trace) -> bool:
    """Return whether members of a candidate run, and hidden states keep their shape in each of them."""
    modules = [module for layer in stack.layers for module in layer]
    calls = [call for module in modules for call in trace.calls.get(id(module), [])]
    ran = any(_calls_of(trace, module) for module in modules)
    return ran and not any(call.keeps_shape is False for call in calls)


def _checked(stack: Stack, trace: Trace, name: str) -> Stack:
    """Return a stack after checking that its layers run exactly once each, in order, on weights of their own.

    Raises:
        ModelError: If they do not.
    """
    advice = "Choose a model whose layers run once each, in order, on weights of their own."
    for number, layer in enumerate(stack.layers):
        num_calls = max(_num_calls(trace, module) for module in layer)
        if num_calls == 0:
            raise ModelError(f"cannot freeze {name} by layers: {stack.path}.{number} does not run. {advice}")
        if num_calls > 1:
            raise ModelError(
                f"cannot freeze {name} by layers: {stack.path}.{number} runs {num_calls} times in one forward pass, "
                f"so that its depths share weights. {advice}"
            )
    # Frozen layers 0 to k are a prefix of the computation only if layers run in their order.
    order = stack.order(trace)
    if order != list(range(len(stack.layers))):
        shown = ", ".join(str(number) for number in order)
        raise ModelError(f"cannot freeze {name} by layers: those of {stack.path} run in the order {shown}. {advice}")
    # Freezing one of two layers that share a parameter would freeze a part of the other.
    seen: dict[int, int] = {}
    for number, identities in enumerate(stack.parameter_ids):
        for identity in identities:
            if seen.setdefault(identity, number) != number:
                raise ModelError(
                    f"cannot freeze {name} by layers: layers {seen[identity]} and {number} of {stack.path} share "
                    f"parameters. {advice}"
                )
    return stack


def _calls_of(trace: Trace, module: torch.nn.Module) -> list[Call]:
    """Return the calls of a module; of a container that is not called itself, those of its members."""
    own = trace.calls.get(id(module), [])
    return own or [call for child in module.children() for call in _calls_of(trace, child)]


def _num_calls(trace: Trace, module: torch.nn.Module) -> int:
    """Return how often a module ran; of a container, how often its least called member with parameters did."""
    own = len(trace.calls.get(id(module), []))
    return own or min((_num_calls(trace, child) for child in module.children() if _parameter_ids(child)), default=0)


def _parameter_ids(module: torch.nn.Module) -> set[int]:
    return {id(parameter) for parameter in module.parameters()}
