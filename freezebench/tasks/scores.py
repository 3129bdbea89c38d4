"""The scores of a model's output."""

from __future__ import annotations

from collections.abc import Mapping

import torch


def logits_of(output: object) -> torch.Tensor:
    """Return the scores of a model's output in float32, shape (batch, outputs), or (batch, tokens, outputs) for words.

    A transformers model returns an object with ``logits``, or a tuple that begins with them (``return_dict=False``). A
    plain module may also return a dictionary, or the tensor itself.

    Raises:
        TypeError: If the output has no scores.
    """
    # The outputs of transformers are mappings, too.
    if isinstance(output, Mapping):
        logits = output["logits"]
    elif isinstance(output, tuple):
        logits = output[0]
    else:
        logits = getattr(output, "logits", output)
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"the model returns a {type(output).__name__} without a tensor of logits")
    return logits.float()
