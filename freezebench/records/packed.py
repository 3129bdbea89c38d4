"""What saved files hold of every test sentence, packed: whether it was classified correctly, and what it repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freezebench.errors import RecordError
from freezebench.records.base64_text import base64_bytes, base64_text
from freezebench.specs.fields import brief

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from freezebench.specs.json_types import Json

_LARGEST_TEST_SET = 50_000_000  # far more than any data set has; a damaged number may be anything


def packed(correct: NDArray[np.bool_]) -> str:
    """Return outcomes as one bit per sentence in Base64, from the highest bit of the first byte on."""
    return base64_text(np.packbits(correct).tobytes())


def unpacked(num_test: int, text: str) -> NDArray[np.bool_]:
    """Return whether each test sentence was classified correctly, from the packed bits.

    Raises:
        RecordError: If the bits do not fit the number of sentences.
    """
    fitting = f"{brief(num_test)} test sentences"
    if not 1 <= num_test <= _LARGEST_TEST_SET:
        raise RecordError(f"{len(text)} characters of outcomes do not fit {fitting}")
    raw = base64_bytes(text, -(-num_test // 8), "outcomes", fitting)
    bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8)).astype(np.bool_)
    # The last byte may have bits beyond the last sentence, which are zero.
    if bits[num_test:].any():
        raise RecordError(f"the outcomes do not fit {fitting}")
    return bits[:num_test]


def repeats_of(groups: Sequence[int]) -> list[Json]:
    """Return the positions of every sentence that repeats an earlier one and of the first one with its text."""
    firsts: dict[int, int] = {}
    pairs = ((position, firsts.setdefault(group, position)) for position, group in enumerate(groups))
    return [[position, first] for position, first in pairs if first != position]


def groups_of(repeats: object, num_test: int) -> tuple[int, ...] | None:
    """Return the number of the text of every test sentence, which is the position of its first sentence.

    Raises:
        RecordError: If the positions are damaged.
    """
    if repeats is None:
        return None
    groups = list(range(num_test))
    for pair in repeats if isinstance(repeats, list) else [None]:
        match pair:
            case [int(position), int(first)] if 0 <= first < position < num_test and groups[first] == first:
                groups[position] = first
            case _:
                raise RecordError(f"the repeated test sentences do not fit {num_test} of them: {brief(pair)}")
    return tuple(groups)
