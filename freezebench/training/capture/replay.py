"""A tape of the processor: the operations behind a function are run again without the Python code that chose them.

A head on cached vectors is a dozen operations of some microseconds each. Module calls, modes, autograd and the
optimizer's bookkeeping take longer than those, and choose the same operations in every step.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map_only

from freezebench.training.capture.cuda_graph import as_if_recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor
    from torch._ops import OpOverload

_OPEN = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
_recorders: list[_Recorder] = []


class CpuTape:
    """Records what functions do on a CPU; what is played writes where the recorded function did."""

    def rehearsal(self) -> AbstractContextManager[None]:
        """Return a context for what is going to be recorded; it is looked at, operation by operation, only then."""
        return as_if_recorded()

    def record(self, phase: Callable[[], object]) -> Callable[[], None]:
        """Record the operations of a function, which changes nothing that was there before; return how to play them.

        Raises:
            RuntimeError: If what comes after an operation depends on the numbers that come out of it.
        """
        with as_if_recorded(), undrawn() as recorder, recorder:
            phase()
        calls = tuple(recorder.calls)

        @torch.no_grad()
        def play() -> None:
            for call in calls:
                call()

        return play


def drawn(shape: Sequence[int], dtype: torch.dtype, draw: Callable[[], Tensor]) -> Tensor:
    """Return what ``draw`` returns, a tensor of the given shape; while a tape records, a place that each play fills."""
    return _recorders[-1].place(shape, dtype, draw) if _recorders else draw()


@contextmanager
def undrawn() -> Iterator[_Recorder]:
    """Have nothing drawn for a while: what would be is 1, and the recorder that is yielded keeps how to draw it."""
    _recorders.append(_Recorder())
    try:
        yield _recorders[-1]
    finally:
        _recorders.pop()


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps every operation as a call that writes into the tensors of the recording."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Callable[[], object]] = []

    def place(self, shape: Sequence[int], dtype: torch.dtype, draw: Callable[[], Tensor]) -> Tensor:
        """Return a tensor that a function fills every time."""
        with _disable_current_modes():
            place = torch.ones(tuple(shape), dtype=dtype)
        self.calls.append(lambda: place.copy_(draw()))
        return place

    def __torch_dispatch__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Record one operation."""
        kwargs = kwargs or {}
        if _is_open(func, args):
            raise RuntimeError(f"what the model does next depends on what comes out of {func}")
        # Without what autograd knows of them, by which they would be kept alive.
        fixed_args, fixed_kwargs = tree_map_only(torch.Tensor, torch.Tensor.detach, (args, kwargs))
        if _schema(func).is_mutable:
            self.calls.append(partial(func, *fixed_args, **fixed_kwargs))
            return _changed(func, args, kwargs)
        result = func(*args, **kwargs)
        outputs = [one.detach() for one in tree_flatten(result)[0] if isinstance(one, torch.Tensor)]
        places = {_place(one) for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)}
        # A view shows what is in its tensor, whenever that is written.
        if not all(_place(one) in places for one in outputs):
            self.calls.append(_writing(func, fixed_args, fixed_kwargs, outputs))
        return result


def _is_open(func: OpOverload, args: tuple[Any, ...]) -> bool:
    """Return whether an operation returns a number, or a tensor whose shape depends on numbers."""
    if func is torch.ops.aten.index.Tensor:  # of numbers of places, it returns as many
        return any(one is not None and one.dtype in {torch.bool, torch.uint8} for one in args[1])
    return bool(_OPEN & {*func.tags})


def _changed(func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what an operation in place returns: tensors that it was given.

    Raises:
        RuntimeError: If it returns something else, too.
    """
    schema = _schema(func)
    if not all(one.alias_info and one.alias_info.is_write for one in schema.returns):
        raise RuntimeError(f"{func} changes what it is given")
    given = dict(zip((one.name for one in schema.arguments), args, strict=False)) | kwargs
    written = [given[one.name] for one in schema.arguments if one.alias_info and one.alias_info.is_write]
    returned = tuple(written[: len(schema.returns)])
    return returned[0] if len(returned) == 1 else returned or None


def _schema(func: OpOverload) -> Any:
    """Return what an operation takes and returns."""
    return func._schema  # noqa: SLF001 - has no public name


def _place(tensor: Tensor) -> int:
    """Return where the memory of a tensor lies."""
    return tensor.untyped_storage().data_ptr()


def _writing(
    func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: list[Tensor]
) -> Callable[[], object]:
    """Return a call that does an operation again and writes into the tensors that came out of it."""
    into, names = _into(func)
    are_listed = into is not None and isinstance(_schema(func).returns[0].type, torch.ListType)
    if into is not None and (are_listed or len(names) == len(outputs)):  # a gradient that nobody needs is not there
        taken = {one.name for one in _schema(into).arguments}
        asked = {name: value for name, value in kwargs.items() if name in taken}
        return partial(into, *args, **asked, **dict(zip(names, [outputs] if are_listed else outputs, strict=True)))

    def call() -> None:
        made = [one for one in tree_flatten(func(*args, **kwargs))[0] if isinstance(one, torch.Tensor)]
        for place, one in zip(outputs, made, strict=True):
            place.copy_(one)

    return call


@cache
def _into(func: OpOverload) -> tuple[OpOverload | None, tuple[str, ...]]:
    """Return the variant of an operation that writes into given tensors, and what it calls those."""
    wanted = [(one.name, str(one.type)) for one in _schema(func).arguments if not one.kwarg_only]
    packet = func.overloadpacket
    for name in packet.overloads():
        variant = getattr(packet, name)
        arguments = _schema(variant).arguments
        outs = tuple(one.name for one in arguments if one.is_out)
        if outs and [(one.name, str(one.type)) for one in arguments if not one.kwarg_only] == wanted:
            return variant, outs
    return None, ()
