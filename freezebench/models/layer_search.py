"""Finds the layer stack of an encoder: candidates by structure, the choice by what one tiny forward pass does."""

from __future__ import annotations

import copy
import inspect
import itertools
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from freezebench.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUM_TOKENS = 8
_LOWEST_TOKEN_ID = 2  # where nobody says which id pads, it is mostly 0 or 1
_FALLBACK_VOCABULARY = 32
_SPECIAL_TOKENS = ("pad", "bos", "eos", "cls", "sep", "mask")
_NESTING = 3
_REASON_CHARS = 200


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a module.

    Attributes:
        enter: Time of the call, in ticks of the trace's clock.
        leave: Time of its return.
        keeps_shape: Whether its first output tensor has the shape of a floating-point input tensor, as hidden states
            passing through a layer do; ``None`` if that cannot be told.
    """

    enter: int
    leave: int
    keeps_shape: bool | None


@dataclass(kw_only=True)
class Trace:
    """What one forward pass did, in order.

    Attributes:
        calls: The calls of every module, by its identity.
        first_use: When each parameter was first computed with, by its identity, in ticks.
        clock: Number of ticks so far.
    """

    calls: dict[int, list[Call]] = field(default_factory=dict)
    first_use: dict[int, int] = field(default_factory=dict)
    clock: int = 0

    def tick(self) -> int:
        """Return the time and let it pass."""
        self.clock += 1
        return self.clock

    def calls_of(self, module: torch.nn.Module) -> list[Call]:
        """Return the calls of a module; of a mere container, such as a list of sublayers, those of its members."""
        own = self.calls.get(id(module), [])
        return own or [call for child in module.children() for call in self.calls_of(child)]

    def times_run(self, module: torch.nn.Module) -> int:
        """Return how often a module ran; a container ran as often as its least called member with parameters."""
        own = len(self.calls.get(id(module), []))
        return own or min((self.times_run(child) for child in module.children() if _parameter_ids(child)), default=0)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A list of layers, or several parallel lists that take turns (XLM keeps attentions and norms apart).

    Attributes:
        paths: Module paths of the lists.
        layers: The modules of each layer.
    """

    paths: tuple[str, ...]
    layers: tuple[tuple[torch.nn.Module, ...], ...]

    @property
    def path(self) -> str:
        """Where the stack is: ``encoder.layer``, or ``transformer.{attentions,ffns}`` for parallel lists."""
        if len(self.paths) == 1:
            return self.paths[0]
        parent = self.paths[0].rpartition(".")[0]
        names = ",".join(path.rpartition(".")[2] for path in self.paths)
        return f"{parent}.{{{names}}}" if parent else f"{{{names}}}"

    def is_inside(self, other: Stack) -> bool:
        """Return whether this stack is a part of a layer of the other one."""
        return any(mine.startswith(f"{path}.") for mine in self.paths for path in other.paths)

    @property
    def num_params(self) -> int:
        """Number of parameters of all layers, each counted once."""
        modules = torch.nn.ModuleList(module for layer in self.layers for module in layer)
        return sum(parameter.numel() for parameter in modules.parameters())

    @property
    def parameter_ids(self) -> list[set[int]]:
        """Identities of the parameters of each layer."""
        return [set[int]().union(*(_parameter_ids(module) for module in layer)) for layer in self.layers]

    def leave(self, trace: Trace) -> int:
        """Return when the last layer returned."""
        return max(call.leave for module in self.layers[-1] for call in trace.calls_of(module))

    def order(self, trace: Trace) -> list[int]:
        """Return which layers ran in which order, consecutive calls of the same layer taken together."""
        entered = sorted(
            (call.enter, number)
            for number, layer in enumerate(self.layers)
            for module in layer
            for call in trace.calls_of(module)
        )
        return [number for number, _ in itertools.groupby(number for _, number in entered)]


def candidates(model: torch.nn.Module) -> list[Stack]:
    """Return every list of modules with parameters that are numbered from 0, those inside layers included."""
    return [
        Stack(paths=(path,), layers=tuple((child,) for child in module.children()))
        for path, module in model.named_modules()
        if _is_numbered(module) and not _holds_stacks(module)
    ]


def woven(stacks: list[Stack], trace: Trace) -> list[Stack]:
    """Return the stacks, those side by side in one module whose members take turns joined into one."""
    found: list[Stack] = []
    for _, group in itertools.groupby(stacks, key=lambda stack: (stack.path.rpartition(".")[0], len(stack.layers))):
        members = list(group)
        joined = Stack(
            paths=tuple(stack.path for stack in members),
            layers=tuple(
                tuple(itertools.chain(*layer)) for layer in zip(*(stack.layers for stack in members), strict=True)
            ),
        )
        takes_turns = len(members) > 1 and joined.order(trace) == list(range(len(joined.layers)))
        found += [joined] if takes_turns else members
    return found


@contextmanager
def observable(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """Give a copy of a model in evaluation mode, that shares its parameters, to hook and run without leaving traces.

    A model that cannot be copied is lent itself, and its training flags are put back afterwards.
    """
    try:
        shadow = copy.deepcopy(model, {id(parameter): parameter for parameter in model.parameters()})
    except Exception:  # noqa: BLE001 - whatever a custom model holds that refuses to be copied
        shadow = model
    training = [(module, module.training) for module in shadow.modules()]
    try:
        yield shadow.eval()
    finally:
        for module, was_training in training:
            module.training = was_training


def run_once(model: torch.nn.Module, name: str) -> Trace:
    """Return what a model in evaluation mode does with one tiny input; the random state stays as it is.

    Args:
        model: Called as ``model(input_ids=..., attention_mask=...)`` with tensors of shape (1, 8).
        name: What error messages call the model.

    Raises:
        ModelError: If the forward pass fails.
    """
    trace = Trace()
    handles = []
    started: dict[int, list[int]] = {}

    def enter(module: torch.nn.Module, _args: Any, _kwargs: Any) -> None:
        started.setdefault(id(module), []).append(trace.tick())

    def leave(module: torch.nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        call = Call(
            enter=started[id(module)].pop(), leave=trace.tick(), keeps_shape=_keeps_shape((args, kwargs), output)
        )
        trace.calls.setdefault(id(module), []).append(call)

    for module in model.modules():
        handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(module.register_forward_hook(leave, with_kwargs=True))
    inputs = _tiny_input(model)
    devices = sorted({parameter.get_device() for parameter in model.parameters() if parameter.is_cuda})
    try:
        with torch.random.fork_rng(devices=devices), torch.no_grad(), _ParameterUses(model, trace):
            model(**inputs)
    except Exception as error:
        raise ModelError(
            f"cannot find the layers of {name}: its forward pass on a tiny input fails ({type(error).__name__}: "
            f"{_one_line(error)}). freezebench trains classifiers that run as model(input_ids=..., "
            "attention_mask=...); wrap other ones in a module:factory that makes such a model."
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    return trace


class _ParameterUses(TorchFunctionMode):
    """Notes when each parameter of a model is first computed with."""

    def __init__(self, model: torch.nn.Module, trace: Trace) -> None:
        super().__init__()
        self._waiting = _parameter_ids(model)
        self._trace = trace

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        # Asking for a parameter's dtype or shape comes through here, too, and is no use of its values.
        if self._waiting and next(_tensors(output), None) is not None:
            for tensor in _tensors((args, kwargs)):
                if id(tensor) in self._waiting:
                    self._waiting.discard(id(tensor))
                    self._trace.first_use[id(tensor)] = self._trace.tick()
        return output


def _tiny_input(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return one sentence of ordinary token ids and its attention mask, as far as the model takes them.

    It closes with the end token of models that have one: T5 and BART read the sentence off there.
    """
    config = getattr(model, "config", None)
    tables = [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    size = getattr(config, "vocab_size", None)
    if not isinstance(size, int):
        size = tables[0].num_embeddings if tables else _FALLBACK_VOCABULARY
    named_ids = [getattr(config, f"{name}_token_id", None) for name in _SPECIAL_TOKENS]
    special = {token for token in named_ids if isinstance(token, int)}
    special |= {table.padding_idx for table in tables[:1] if table.padding_idx is not None}
    tokens = [token for token in range(_LOWEST_TOKEN_ID, min(size, 100)) if token not in special] or [size - 1]
    sentence = list(itertools.islice(itertools.cycle(tokens), _NUM_TOKENS))
    end = getattr(config, "eos_token_id", None)
    if isinstance(end, int) and 0 <= end < size and end != getattr(config, "pad_token_id", None):
        sentence[-1] = end
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    ids = torch.tensor([sentence], device=device)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    named = inspect.signature(model.forward).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in named.values())
    return {key: value for key, value in inputs.items() if takes_any or key in named}


def _is_numbered(module: torch.nn.Module) -> bool:
    """Return whether a module's members are called 0, 1, … and could be layers: all with parameters, and of one kind.

    Hybrid models mix kinds of layers in one ``ModuleList``; of other containers, such as ``Sequential``, mixed ones are
    ordinary networks.
    """
    members = list(module.children())
    return (
        bool(members)
        and [name for name, _ in module.named_children()] == [str(number) for number in range(len(members))]
        and all(_parameter_ids(member) for member in members)
        and (isinstance(module, torch.nn.ModuleList) or len({type(member) for member in members}) == 1)
    )


def _holds_stacks(module: torch.nn.Module) -> bool:
    """Return whether the members of a list are lists of equal layers themselves, as Funnel's blocks are.

    A list of lists that hold one attention and one feed-forward module each is a stack, not a list of stacks.
    """
    return any(
        isinstance(member, torch.nn.ModuleList)
        and len(member) > 1
        and len({tuple(parameter.shape for parameter in inner.parameters()) for inner in member}) == 1
        for member in module.children()
    )


def _parameter_ids(module: torch.nn.Module) -> set[int]:
    """Return the identities of a module's parameters."""
    return {id(parameter) for parameter in module.parameters()}


def _keeps_shape(inputs: Any, output: Any) -> bool | None:
    """Return whether the first output tensor has the shape of a floating-point input; ``None`` if it has no shape."""
    first = next(_tensors(output), None)
    if first is None or first.is_nested:
        return None
    return any(
        not tensor.is_nested and tensor.is_floating_point() and tensor.shape == first.shape
        for tensor in _tensors(inputs)
    )


def _tensors(value: Any, depth: int = _NESTING) -> Iterator[torch.Tensor]:
    """Yield the tensors in a value, through some levels of sequences, dictionaries and dataclasses."""
    if isinstance(value, torch.Tensor):
        yield value
    elif depth and isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item, depth - 1)
    elif depth and is_dataclass(value) and not isinstance(value, type):
        for item in fields(value):
            yield from _tensors(getattr(value, item.name, None), depth - 1)


def _one_line(error: Exception) -> str:
    """Return an error's message without line breaks and without end."""
    return " ".join(str(error).split())[:_REASON_CHARS].rstrip(".")
