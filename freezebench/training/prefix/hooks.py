"""Hooks that a model brings along: code that torch calls besides forward methods, and that no comparison covers.

A hook on a module may do something else in training than in evaluation, or in each call. Parts of the model that are
left out would not call it. A hook on a parameter's gradient is called where autograd computes that gradient, which the
faster operations replace in part. So a model with hooks trains by its own code, and is not captured.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

GRADIENT_NOTE = (
    "a hook is registered on the gradient of {}. Training uses the model's own code then: of the optimizations of "
    "--freeze-engine=cached only the cached prefix is left"
)
MODULE_NOTE = (
    "nothing is cached: hooks are registered on modules of the model, such as {}, and what they do in training cannot "
    "be compared. Training uses the model's own code, as with --freeze-engine=standard"
)


def hooked_module(model: torch.nn.Module) -> str | None:
    """Return the name of the first module with a hook, forward or backward; ``None`` without one.

    Hooks that Transformers itself registers, as for gradient checkpointing, are known and left out.
    """
    for name, module in model.named_modules():
        hooks = chain(
            module._forward_hooks.values(),  # noqa: SLF001 - there is no public way to ask
            module._forward_pre_hooks.values(),  # noqa: SLF001
            module._backward_hooks.values(),  # noqa: SLF001
            module._backward_pre_hooks.values(),  # noqa: SLF001
        )
        if not all(str(getattr(hook, "__module__", "")).startswith("transformers.") for hook in hooks):
            return name or type(model).__name__
    return None


def hooked_gradient(model: torch.nn.Module) -> str | None:
    """Return the name of the first parameter that trains and has a hook on its gradient; ``None`` without one."""
    for name, parameter in model.named_parameters():
        hooks = getattr(parameter, "_backward_hooks", None) or getattr(parameter, "_post_accumulate_grad_hooks", None)
        if parameter.requires_grad and hooks:
            return name
    return None
