"""What a model returned for every example, packed into text: float32 numbers in Base64."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

from freezebench.errors import RecordError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pack_scores(scores: NDArray[np.float32]) -> str:
    """Return scores of shape (rows, outputs) as text: little-endian float32, row by row, in Base64."""
    return base64.b64encode(np.ascontiguousarray(scores, dtype="<f4").tobytes()).decode("ascii")


def unpack_scores(text: str, num_rows: int, num_outputs: int) -> NDArray[np.float32]:
    """Return the scores of a record, shape (rows, outputs).

    Raises:
        RecordError: If the text is damaged, or does not hold one finite number per row and output.
    """
    num_bytes = 4 * num_rows * num_outputs
    # The length is checked first, so that a damaged record cannot make us allocate memory without limit.
    if len(text) != 4 * -(-num_bytes // 3):
        raise RecordError(f"{len(text)} characters of scores do not fit {num_rows} rows of {num_outputs} scores")
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise RecordError(f"the scores are no Base64: {error}") from error
    if len(raw) != num_bytes:
        raise RecordError(f"{len(raw)} bytes of scores do not fit {num_rows} rows of {num_outputs} scores")
    scores = np.frombuffer(raw, dtype="<f4").astype(np.float32).reshape(num_rows, num_outputs)
    if not np.isfinite(scores).all():
        raise RecordError("a score is not finite")
    return scores
