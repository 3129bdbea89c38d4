"""Splicing: a model whose frozen layers are left out, the cached hidden states put in their place."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import torch

from freezebench.training.patch import standing_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_OTHER_OUTPUT = "its layers do not return hidden states of shape (batch, tokens, width)"


class SpliceError(Exception):
    """A model whose layers cannot be left out: their outputs or inputs are not what is expected."""


class EnoughError(Exception):
    """Ends a forward pass whose later layers nobody asked for."""


@contextmanager
def observed(
    model: torch.nn.Module, stack: str, depths: Sequence[int], *, only: bool = False
) -> Iterator[dict[int, torch.Tensor]]:
    """Yield a mapping that holds after every forward pass the hidden states at each depth: what enters that layer.

    At the depth of the whole stack they are what leaves the last layer.

    Args:
        model: The model.
        stack: Module path of its layers.
        depths: The depths.
        only: End every forward pass by an ``EnoughError`` once the last depth is reached.
    """
    layers = list(model.get_submodule(stack).children())
    seen: dict[int, torch.Tensor] = {}
    with ExitStack() as handles:
        for depth in depths:
            if depth < len(layers):

                def enter(_: Any, args: Any, kwargs: Any, depth: int = depth) -> None:
                    seen[depth] = hidden_input(args, kwargs)[0]
                    if only and depth == max(depths):
                        raise EnoughError

                handle = layers[depth].register_forward_pre_hook(enter, with_kwargs=True)
            else:

                def leave(_: Any, __: Any, output: Any, depth: int = depth) -> None:
                    seen[depth] = _hidden_output(output)
                    if only:
                        raise EnoughError

                handle = layers[-1].register_forward_hook(leave)
            handles.callback(handle.remove)
        yield seen


class Splice:
    """Leaves out the first layers of a model while it is open, and puts given hidden states behind them.

    The model's own code goes on computing masks and positions for the layers that remain. Parameters keep their names.

    Attributes:
        depth: Number of layers left out.
    """

    def __init__(self, model: torch.nn.Module, stack: str, depth: int, form: Form) -> None:
        """Prepare to leave out ``depth`` layers of a model of the given form, and what embeds if that is known."""
        self._model = model
        self._layers = list(model.get_submodule(stack).children())
        self.depth, self._form = depth, form
        self._hidden: torch.Tensor | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        stand_ins: list[tuple[torch.nn.Module | None, Any]] = [(self._form.embedder, self._embed)]
        if self.depth == len(self._layers):
            stand_ins.append((self._form.ender, self._end))
        for module, stand_in in (*stand_ins, *((layer, self._skip) for layer in self._layers[: self.depth])):
            if module is not None:
                self._open.enter_context(standing_in(module, stand_in))
        if self.depth < len(self._layers):
            hook = self._layers[self.depth].register_forward_pre_hook(self._enter, with_kwargs=True)
            self._open.callback(hook.remove)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._hidden = None

    def __call__(self, hidden: torch.Tensor, **inputs: torch.Tensor) -> Any:
        """Return the model's output for a batch whose hidden states behind the frozen prefix are given.

        Args:
            hidden: Shape (batch, tokens, width).
            inputs: The batch's token fields, each of shape (batch, tokens).
        """
        self._hidden = hidden  # kept behind this call: a layer under gradient checkpointing asks again in backward
        return self._model(**inputs)

    def _given(self) -> torch.Tensor:
        if self._hidden is None:
            raise SpliceError("a spliced model was called without hidden states")
        return self._hidden

    def _skip(self, *_: Any, **__: Any) -> Any:
        """Stand in for a frozen layer's forward pass."""
        if self._form.beside is None:
            return self._given()
        return (self._given(), *self._form.beside)

    def _embed(self, *_: Any, **__: Any) -> torch.Tensor:
        """Stand in for the embeddings, whose work nobody needs."""
        return self._given()

    def _end(self, *_: Any, **__: Any) -> Any:
        """Stand in for everything up to the last layer, masks included."""
        return _with_hidden(self._form.ending, self._given())

    def _enter(self, _: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """Put the hidden states into the call of the first layer that remains."""
        _, name = hidden_input(args, kwargs)
        if isinstance(name, int):
            return (*args[:name], self._given(), *args[name + 1 :]), kwargs
        return args, {**kwargs, name: self._given()}


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a model's layers return and where their input comes from, as one forward pass shows it.

    Attributes:
        beside: What layers return beside the hidden states, tensors left out; ``None`` where they return the hidden
            states alone.
        embedder: The module whose very output enters the first layer; ``None`` where there is none.
        ender: The outermost module that returns the last layer's output and no other tensor, if there is one.
        ending: What that module returned.
    """

    beside: tuple[Any, ...] | None
    embedder: torch.nn.Module | None
    ender: torch.nn.Module | None = None
    ending: Any = None


def observed_form(model: torch.nn.Module, stack: str, inputs: dict[str, torch.Tensor]) -> Form:
    """Return the model's form.

    Raises:
        SpliceError: If a layer returns something other than hidden states, or a tuple that begins with them, or tensors
            beside them that later layers need; or if it works on other tokens than the batch has.
    """
    layers = list(model.get_submodule(stack).children())
    inside = {id(part) for layer in layers for part in layer.modules()}
    outputs: list[Any] = []
    made: dict[int, Any] = {}
    entered: list[torch.Tensor] = []

    def keep(module: torch.nn.Module, _: Any, output: Any) -> None:
        made[id(module)] = output

    def enter(_: Any, args: Any, kwargs: Any) -> None:
        entered.append(hidden_input(args, kwargs)[0])

    with ExitStack() as handles:
        for layer in layers:
            handles.callback(layer.register_forward_hook(lambda _, __, output: outputs.append(output)).remove)
        handles.callback(layers[0].register_forward_pre_hook(enter, with_kwargs=True).remove)
        outside = [module for module in model.modules() if id(module) not in inside]
        for module in outside:
            handles.callback(module.register_forward_hook(keep).remove)
        with torch.no_grad():
            model(**inputs)
    tokens = next(iter(inputs.values())).shape[:2]
    for output in outputs:
        if _hidden_output(output).shape[:2] != tokens:
            raise SpliceError(_OTHER_OUTPUT)
    if len(outputs) != len(layers):
        raise SpliceError("its layers do not run once each")
    if not _hidden_suffices(model, layers, inputs, outputs):
        raise SpliceError("its layers need more of each other than hidden states")
    # Parents come before their parts: the first one is the outermost.
    embedder = next((module for module in outside if made.get(id(module)) is entered[0]), None)
    last = _hidden_output(outputs[-1])
    ender = next((one for one in outside[1:] if _tensors(made.get(id(one))) == [id(last)]), None)
    if ender is not None and not _ends_in_training(model, layers[-1], ender, inputs):
        ender = None
    return Form(
        beside=_hidden_alone(outputs[0])[1:] if isinstance(outputs[0], tuple) else None,
        embedder=embedder,
        ender=ender,
        ending=made.get(id(ender)),
    )


def _hidden_suffices(
    model: torch.nn.Module, layers: Sequence[torch.nn.Module], inputs: dict[str, torch.Tensor], outputs: Sequence[Any]
) -> bool:
    """Return whether tensors that layers return beside the hidden states change nothing: attention's weights, often."""
    if not any(isinstance(output, tuple) and _has_tensors(output[1:]) for output in outputs):
        return True
    again: list[torch.Tensor] = []

    def leave_out(_: Any, __: Any, output: Any) -> Any:
        again.append(_hidden_output(output))
        return _hidden_alone(output)

    with ExitStack() as handles, torch.no_grad():
        for layer in layers:
            handles.callback(layer.register_forward_hook(leave_out).remove)
        try:
            model(**inputs)
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
            return False  # somebody wanted them
    return all(torch.equal(one, _hidden_output(output)) for one, output in zip(again, outputs, strict=True))


def _hidden_alone(output: Any) -> Any:
    """Return what a layer returned, ``None`` in the place of all that has tensors but the hidden states."""
    if not isinstance(output, tuple):
        return output
    return (output[0], *(None if _has_tensors(one) else one for one in output[1:]))


def _has_tensors(value: Any) -> bool:
    return isinstance(value, torch.Tensor) or (isinstance(value, tuple | list) and any(map(_has_tensors, value)))


@contextmanager
def in_train_mode(module: torch.nn.Module) -> Iterator[None]:
    """Switch a module to train mode for a while; its parts' modes and running statistics come back."""
    modes = {part: part.training for part in module.modules()}
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    module.train()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
        with torch.no_grad():
            for name, buffer in module.named_buffers():
                buffer.copy_(buffers[name])


@torch.no_grad()
def _ends_in_training(
    model: torch.nn.Module, last: torch.nn.Module, ender: torch.nn.Module, inputs: dict[str, torch.Tensor]
) -> bool:
    """Return whether a module returns the last layer's very output in train mode, too: no dropout stands between."""
    made: list[Any] = []
    with in_train_mode(model), ExitStack() as handles:
        for module in (last, ender):
            handles.callback(module.register_forward_hook(lambda _, __, output: made.append(output)).remove)
        model(**inputs)
    return _tensors(made[1]) == [id(_hidden_output(made[0]))]


def _tensors(output: Any) -> list[int] | None:
    """Return which tensors a module returned; ``None`` where that cannot be told."""
    if isinstance(output, torch.Tensor):
        return [id(output)]
    values = output.values() if isinstance(output, dict) else output
    is_known = isinstance(output, dict) or type(output) is tuple  # others cannot be made anew
    if not is_known or not all(one is None or isinstance(one, torch.Tensor) for one in values):
        return None
    return [id(one) for one in values if one is not None]


def _with_hidden(output: Any, hidden: torch.Tensor) -> Any:
    """Return what a module returned, other hidden states in the place of its one tensor."""
    if isinstance(output, torch.Tensor):
        return hidden
    if isinstance(output, dict):
        return type(output)(**{name: value if value is None else hidden for name, value in output.items()})
    return tuple(value if value is None else hidden for value in output)


def _hidden_output(output: Any) -> torch.Tensor:
    first = output[0] if type(output) is tuple and output else output
    if not (isinstance(first, torch.Tensor) and first.is_floating_point() and first.ndim == 3):  # noqa: PLR2004 - (B, T, H)
        raise SpliceError(_OTHER_OUTPUT)
    return first


def hidden_input(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[torch.Tensor, int | str]:
    """Return the hidden states among a layer's arguments, and where they are."""
    places: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    for place, value in places:
        if isinstance(value, torch.Tensor) and value.is_floating_point() and value.ndim == 3:  # noqa: PLR2004 - (B, T, H)
            return value, place
    raise SpliceError("its layers are not given hidden states of shape (batch, tokens, width)")
