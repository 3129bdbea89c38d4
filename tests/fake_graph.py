"""A fake capture on a CPU: keeps the operations of a function, and runs them again on the same tensors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from freezebench.training.capture.cuda_graph import reported_as_capturing


class FakeCapture:
    """Has the interface of the CUDA capture; counts captures and replays."""

    def __init__(self) -> None:
        self.num_captured = self.num_replayed = 0

    def dry_run(self) -> AbstractContextManager[None]:
        """Return the context in which a model runs as if it were captured."""
        return reported_as_capturing()

    def capture(self, phase: Callable[[], object]) -> Callable[[], None]:
        """Run a function once, and return one that repeats its operations on the same tensors."""
        self.num_captured += 1
        with reported_as_capturing(), _Operations() as operations:
            phase()

        @torch.no_grad()
        def replay() -> None:
            self.num_replayed += 1
            for call in operations.calls:
                call()

        return replay


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps every operation as a call that writes into the tensors that it returned the first time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Callable[[], None]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # As in a capture on a GPU, no tensor that existed before changes.
        is_mutable = func._schema.is_mutable
        result = _written(func, args, kwargs or {}) if is_mutable else func(*args, **(kwargs or {}))
        # Detached, a tensor has the same memory and keeps no autograd graph alive.
        inputs, outputs = tree_map_only(torch.Tensor, torch.Tensor.detach, ((args, kwargs or {}), result))

        def repeat() -> None:
            repeated = func(*inputs[0], **inputs[1])
            for output, again in zip(tree_leaves(outputs), tree_leaves(repeated), strict=True):
                # Views and operations in place return memory that is written already.
                if isinstance(output, torch.Tensor) and output.data_ptr() != again.data_ptr():
                    output.copy_(again)

        self.calls.append(repeat)
        return result


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what an operation in place returns, without running it: the tensors that it writes to."""
    schema = func._schema
    given = dict(zip((argument.name for argument in schema.arguments), args, strict=False)) | kwargs
    written = [given[part.name] for part in schema.arguments if part.alias_info and part.alias_info.is_write]
    returned = tuple(written[: len(schema.returns)])
    return returned[0] if len(returned) == 1 else returned or None
