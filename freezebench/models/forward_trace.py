"""Trace one forward pass of a model: which modules run in which order, and when each parameter is first used."""

from __future__ import annotations

import copy
import inspect
import itertools
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING

import torch
from torch.overrides import TorchFunctionMode

from freezebench.errors import ModelError, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_NUM_TOKENS = 8
_MIN_TOKEN_ID = 2  # where a model names no padding id, it is mostly 0 or 1
_DEFAULT_VOCABULARY = 32
_SPECIAL_TOKENS = ("pad", "bos", "eos", "cls", "sep", "mask")
_NESTING = 3


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a module.

    Attributes:
        enter: Time of the call, in ticks of the trace's clock.
        leave: Time of its return.
        keeps_shape: Whether its first output tensor has the shape of a floating-point input tensor, as the hidden
            states of a layer do; ``None`` if the output has no shape.
    """

    enter: int
    leave: int
    keeps_shape: bool | None


@dataclass(kw_only=True)
class Trace:
    """The calls and parameter uses of one forward pass.

    Time is counted in ticks: every call, return and first use takes one.

    Attributes:
        calls: The calls of every module, by ``id(module)``.
        first_use: Time at which each parameter was first used in a computation, by ``id(parameter)``.
        clock: Number of ticks so far.
    """

    calls: dict[int, list[Call]] = field(default_factory=dict)
    first_use: dict[int, int] = field(default_factory=dict)
    clock: int = 0

    def tick(self) -> int:
        """Advance the clock and return its time."""
        self.clock += 1
        return self.clock


@contextmanager
def observable(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """Yield a copy of a model in evaluation mode that shares its parameters, so that hooks do not change the model.

    A model that cannot be copied is yielded itself, and its training flags are restored afterwards.
    """
    # deepcopy takes what its memo holds as copied already: the parameters are shared, and only modules are copied.
    try:
        observed = copy.deepcopy(model, {id(parameter): parameter for parameter in model.parameters()})
    except Exception:  # noqa: BLE001 - a custom model may hold anything that cannot be copied
        observed = model
    training = [(module, module.training) for module in observed.modules()]
    try:
        yield observed.eval()
    finally:
        for module, was_training in training:
            module.training = was_training


def trace_forward(model: torch.nn.Module, name: str) -> Trace:
    """Return the trace of a model's forward pass on one tiny input; torch's random state is preserved.

    Args:
        model: A model in evaluation mode, called as ``model(input_ids=..., attention_mask=...)`` with tensors of shape
            (1, 8).
        name: The model's name in error messages.

    Raises:
        ModelError: If the forward pass fails.
    """
    trace = Trace()
    handles = []
    started: dict[int, list[int]] = {}

    def enter(module: torch.nn.Module, _args: object, _kwargs: object) -> None:
        started.setdefault(id(module), []).append(trace.tick())

    def leave(module: torch.nn.Module, args: object, kwargs: object, output: object) -> None:
        call = Call(
            enter=started[id(module)].pop(), leave=trace.tick(), keeps_shape=_keeps_shape((args, kwargs), output)
        )
        trace.calls.setdefault(id(module), []).append(call)

    for module in model.modules():
        handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(module.register_forward_hook(leave, with_kwargs=True))
    inputs = _tiny_input(model)
    # Some models draw random numbers in evaluation mode, too, and a run's seed must give the same run afterwards.
    devices = sorted({parameter.get_device() for parameter in model.parameters() if parameter.is_cuda})
    try:
        with torch.random.fork_rng(devices=devices), torch.no_grad(), _ParameterUses(model, trace):
            model(**inputs)
    except Exception as error:
        raise ModelError(
            f"cannot find the layers of {name}: its forward pass on a tiny input fails ({type(error).__name__}: "
            f"{one_line(error)}). freezebench trains classifiers that run as model(input_ids=..., "
            "attention_mask=...); wrap another model in a module:factory that makes such a classifier."
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    return trace


class _ParameterUses(TorchFunctionMode):
    """Records in a trace when each parameter of a model is first used in a computation.

    A parameter's uses inside a module cannot be hooked. A ``TorchFunctionMode`` receives every call of a torch function
    with its arguments, the parameters among them.
    """

    def __init__(self, model: torch.nn.Module, trace: Trace) -> None:
        super().__init__()
        self._unused = {id(parameter) for parameter in model.parameters()}
        self._trace = trace

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        output = func(*args, **(kwargs or {}))
        # Reading a parameter's dtype or shape is such a call, too; it returns no tensor and is no use of the values.
        if self._unused and next(_tensors(output), None) is not None:
            for tensor in _tensors((args, kwargs)):
                if id(tensor) in self._unused:
                    self._unused.discard(id(tensor))
                    self._trace.first_use[id(tensor)] = self._trace.tick()
        return output


def _tiny_input(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return one sentence of ordinary token ids and its attention mask, those that the model's forward accepts.

    The sentence ends with the end token, if the model has one: T5 and BART classify by that token's hidden state.
    """
    config = getattr(model, "config", None)
    tables = [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    size = getattr(config, "vocab_size", None)
    if not isinstance(size, int):
        size = tables[0].num_embeddings if tables else _DEFAULT_VOCABULARY
    named_ids = [getattr(config, f"{name}_token_id", None) for name in _SPECIAL_TOKENS]
    special = {token for token in named_ids if isinstance(token, int)}
    special |= {table.padding_idx for table in tables[:1] if table.padding_idx is not None}
    tokens = [token for token in range(_MIN_TOKEN_ID, min(size, 100)) if token not in special] or [size - 1]
    sentence = list(itertools.islice(itertools.cycle(tokens), _NUM_TOKENS))
    end = getattr(config, "eos_token_id", None)
    if isinstance(end, int) and 0 <= end < size and end != getattr(config, "pad_token_id", None):
        sentence[-1] = end
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    ids = torch.tensor([sentence], device=device)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    accepted = inspect.signature(model.forward).parameters
    accepts_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values())
    return {key: value for key, value in inputs.items() if accepts_all or key in accepted}


def _keeps_shape(inputs: object, output: object) -> bool | None:
    """Return whether the first output tensor has the shape of a floating-point input; ``None`` if it has no shape."""
    # torch's own encoder passes nested tensors on its fast path; asking for their shape raises an error.
    first = next(_tensors(output), None)
    if first is None or first.is_nested:
        return None
    return any(
        not tensor.is_nested and tensor.is_floating_point() and tensor.shape == first.shape
        for tensor in _tensors(inputs)
    )


def _tensors(value: object, depth: int = _NESTING) -> Iterator[torch.Tensor]:
    """Yield the tensors in a value, through some levels of sequences, dictionaries and dataclasses."""
    if isinstance(value, torch.Tensor):
        yield value
    elif depth and isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item, depth - 1)
    elif depth and is_dataclass(value) and not isinstance(value, type):
        for item in fields(value):
            yield from _tensors(getattr(value, item.name, None), depth - 1)
