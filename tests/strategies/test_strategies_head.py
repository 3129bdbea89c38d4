"""The head as the first stage."""

from __future__ import annotations

import pytest
from torch import nn

from freezebench.errors import SpecError
from freezebench.strategies.freeze import apply
from plain_models import Custom, blocks

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("schedule", ["lpft", "unfreeze"])
def test_a_model_without_a_head_cannot_begin_with_it(schedule: str) -> None:
    """The reason is the model's."""
    model = Custom(blocks(2), lambda self, hidden: self.layers[1](self.layers[0](hidden)))
    model.output = nn.Identity()  # type: ignore[assignment]
    with pytest.raises(SpecError, match=f"cannot apply {schedule}: Custom has no head .* Leave out {schedule}"):
        apply(model, schedule)
