"""Gradient checkpointing, detected by observing recomputation: parts of a model run again in the backward pass.

The recomputed values must equal those of the forward pass, dropout included. The model's own code restores the random
state for that. The cached engine's CPU operations do not: they are active in the forward pass alone, and draw dropout
masks from a generator of their own. So a model that recomputes trains by its own code.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from freezebench.training.prefix.equivalence import model_inputs
from freezebench.training.prefix.modes import train_mode
from freezebench.training.random_state import isolated_random_state

if TYPE_CHECKING:
    from freezebench.training.prefix.feed import Feed

_NUM_SENTENCES = 2

NOTE = (
    "parts of the model run again in the backward pass (gradient checkpointing). Training uses the model's own code "
    "then: of the optimizations of --freeze-engine=cached only the cached prefix is left. Without gradient "
    "checkpointing training is faster and takes more memory"
)


def is_recomputed(feed: Feed) -> bool:
    """Return whether parts of a model, frozen as it is to be trained, run again in the backward pass.

    Gradients are cleared; random state and running statistics are restored.

    Args:
        feed: Runs the model by its own code.
    """
    model = feed.model
    device = next(model.parameters()).device
    # The shortest sentences: recomputation does not depend on length, and this pass runs in every session.
    shortest = feed.splits["train"].lengths.argsort(stable=True)[:_NUM_SENTENCES]
    inputs = model_inputs(feed.batch("train", shortest), model)
    num_calls = 0

    def count(*_: object) -> None:
        nonlocal num_calls
        num_calls += 1

    with isolated_random_state(device), train_mode(model), feed, ExitStack() as handles:
        scores = feed.logits(inputs)
        # Hooks are registered after the forward pass: every call that they count is one of the backward pass.
        for module in model.modules():
            handles.callback(module.register_forward_pre_hook(count).remove)
        scores.sum().backward()  # type: ignore[no-untyped-call]
    for parameter in model.parameters():
        parameter.grad = None
    return num_calls > 0
