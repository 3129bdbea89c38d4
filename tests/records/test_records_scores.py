"""Tests of packed scores."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from freezebench.errors import RecordError
from freezebench.records.scores import pack_scores, unpack_scores


def test_scores_survive_packing() -> None:
    """Every number comes back bit for bit."""
    scores = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    assert np.array_equal(unpack_scores(pack_scores(scores), 5, 3), scores)


@pytest.mark.parametrize(("rows", "outputs"), [(5, 2), (4, 3), (10**12, 10**6)])
def test_scores_of_another_shape_are_refused(rows: int, outputs: int) -> None:
    """The length has to fit, before any memory is taken."""
    with pytest.raises(RecordError, match="do not fit"):
        unpack_scores(pack_scores(np.zeros((5, 3), dtype=np.float32)), rows, outputs)


def test_damaged_scores_are_refused() -> None:
    """Neither other characters nor NaN are scores."""
    with pytest.raises(RecordError, match="no Base64"):
        unpack_scores("!!!!!!!=", 1, 1)
    with pytest.raises(RecordError, match="not finite"):
        unpack_scores(base64.b64encode(np.array([np.nan], dtype="<f4").tobytes()).decode(), 1, 1)
