"""Simulated error rates where sentences belong to documents or persons."""

from __future__ import annotations

import numpy as np
import pytest

from freezebench.verdicts.crossed import standard_error, t_quantile
from freezebench.verdicts.mean_squares import mean_squares

NUM_LAYOUTS, NUM_SEEDS, NUM_DOCUMENTS, PER_DOCUMENT = 4000, 3, 60, 10
MARGIN = 0.04


def _differences(rng: np.random.Generator) -> np.ndarray:
    """Return differences of outcomes whose true mean is the margin, shape (layouts, seeds, sentences).

    Of some documents the candidate loses many sentences and of others hardly any, so that the sentences of one document
    are alike (their correlation is about 0.14); half of a loss is the same in every seed.
    """
    shape = NUM_LAYOUTS, NUM_SEEDS, NUM_DOCUMENTS, PER_DOCUMENT
    lost = rng.beta(0.28, 3.72, size=(NUM_LAYOUTS, 1, NUM_DOCUMENTS, 1))  # mean 0.07
    same, own = rng.random((NUM_LAYOUTS, 1, NUM_DOCUMENTS, PER_DOCUMENT)), rng.random(shape)
    draw = np.where(rng.random(shape) < 0.5, same, own)
    differences = (draw < lost).astype(np.int8) - (rng.random(shape) < 0.03)
    return differences.reshape(NUM_LAYOUTS, NUM_SEEDS, -1)


@pytest.mark.slow
def test_documents_are_the_units_of_the_interval() -> None:
    """With documents as units a candidate at the margin passes about as often as it may; without them far too often."""
    differences = _differences(np.random.default_rng(1))
    documents = np.repeat(np.arange(NUM_DOCUMENTS), PER_DOCUMENT)
    passed = {}
    for name, groups in (("documents", documents), ("sentences", None)):
        squares = mean_squares(differences, groups)
        se, df = standard_error(squares)
        passed[name] = float(np.mean(squares.drop + t_quantile(0.95, df) * se < MARGIN))
    assert passed["documents"] < 0.08
    assert passed["sentences"] > 0.12
