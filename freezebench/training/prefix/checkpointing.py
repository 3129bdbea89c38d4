"""Gradient checkpointing, told by its doing: parts of a model that run again in the backward pass.

What they run again has to be what they ran, dropout included. The model's own code sees to that, quick operations do
not: they are there in the forward pass alone, and have random numbers of their own.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from freezebench.training.device import isolated_random_state
from freezebench.training.prefix.equivalence import as_inputs
from freezebench.training.prefix.splice import in_train_mode

if TYPE_CHECKING:
    from freezebench.training.prefix.feed import Feed

_NUM_SENTENCES = 2

NOTE = (
    "parts of the model run again in the backward pass (gradient checkpointing), which leaves out what makes "
    "--freeze-engine=cached quick beside the cached prefix; without it training is faster and takes more memory"
)


def is_recomputed(feed: Feed) -> bool:
    """Return whether parts of a model, frozen as it is to be trained, run again in the backward pass.

    Gradients are cleared, random numbers and running statistics left as they were.

    Args:
        feed: Runs the model by its own code.
    """
    model = feed.model
    device = next(model.parameters()).device
    shortest = feed.splits["train"].lengths.argsort(stable=True)[:_NUM_SENTENCES]
    inputs = as_inputs(feed.batch("train", shortest), model)
    again: list[bool] = []

    def enter(*_: Any) -> None:
        again.append(True)

    with isolated_random_state(device), in_train_mode(model), feed, ExitStack() as handles:
        scores = feed.logits(inputs)
        for module in model.modules():
            handles.callback(module.register_forward_pre_hook(enter).remove)
        scores.sum().backward()  # type: ignore[no-untyped-call]
    for parameter in model.parameters():
        parameter.grad = None
    return bool(again)
