"""What a model returned for every example, packed into text: float32 numbers in Base64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freezebench.errors import RecordError
from freezebench.records.base64_text import base64_bytes, base64_text

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pack_scores(scores: NDArray[np.float32]) -> str:
    """Return scores of shape (rows, outputs) as text: little-endian float32, row by row, in Base64."""
    return base64_text(np.ascontiguousarray(scores, dtype="<f4").tobytes())


def unpack_scores(text: str, num_rows: int, num_outputs: int) -> NDArray[np.float32]:
    """Return the scores of a record, shape (rows, outputs).

    Raises:
        RecordError: If the text is damaged, or does not hold one finite number per row and output.
    """
    raw = base64_bytes(text, 4 * num_rows * num_outputs, "scores", f"{num_rows} rows of {num_outputs} scores")
    scores = np.frombuffer(raw, dtype="<f4").astype(np.float32).reshape(num_rows, num_outputs)
    if not np.isfinite(scores).all():
        raise RecordError("a score is not finite")
    return scores
