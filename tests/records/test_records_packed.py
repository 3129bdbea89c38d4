"""Outcomes and repeats of test sentences, packed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from freezebench.records.packed import groups_of, packed, repeats_of, unpacked


@given(st.lists(st.booleans(), min_size=1, max_size=100))
def test_outcomes_survive(correct: list[bool]) -> None:
    """Whatever their number, every outcome is restored."""
    assert unpacked(len(correct), packed(np.array(correct))).tolist() == correct


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=30))
def test_repeats_survive(groups: list[int]) -> None:
    """Two sentences have one number again exactly if they had one."""
    restored = groups_of(repeats_of(groups), len(groups))
    assert restored is not None
    assert [[a == b for b in restored] for a in restored] == [[a == b for b in groups] for a in groups]


def test_repeats_that_were_not_saved_are_unknown() -> None:
    """Files of earlier versions have no entry."""
    assert groups_of(None, 8) is None
