"""Replacing the forward method of one module for a while."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch


@contextmanager
def patched_forward(module: torch.nn.Module, forward: Callable[..., object]) -> Iterator[None]:
    """Call ``forward`` instead of the module's own forward method while the context is open.

    An attribute of the instance takes precedence over the method of its class. Compiled modules, and modules that
    accelerate has hooked, already have such an attribute: it is restored at the end.
    """
    previous = vars(module).get("forward")
    module.forward = forward
    try:
        yield
    finally:
        if previous is None:
            del module.forward
        else:
            module.forward = previous
