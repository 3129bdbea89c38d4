"""The scores of a model's output."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers.modeling_outputs import SequenceClassifierOutput

from freezebench.tasks.scores import logits_of

SCORES = torch.tensor([[0.5, -0.5]], dtype=torch.bfloat16)


@pytest.mark.parametrize(
    "output",
    [
        SCORES,
        {"logits": SCORES},
        (SCORES, None),
        SimpleNamespace(logits=SCORES),
        SequenceClassifierOutput(logits=SCORES),
    ],
)
def test_logits_are_extracted_from_any_output(output: Any) -> None:
    """The tensor itself, a field of the output, or the first element of a tuple; in float32."""
    assert torch.equal(logits_of(output), SCORES.float())
