"""Bytes as text in Base64, read back only if they are as many as expected."""

from __future__ import annotations

import base64

from freezebench.errors import RecordError


def base64_text(raw: bytes) -> str:
    """Return bytes in Base64."""
    return base64.b64encode(raw).decode("ascii")


def base64_bytes(text: str, num_bytes: int, what: str, of: str) -> bytes:
    """Return the bytes of a text in Base64.

    Args:
        text: The text.
        num_bytes: How many there have to be.
        what: What the bytes are, for messages: ``scores``.
        of: What they have to fit, for messages: ``3 rows of 2 scores``.

    Raises:
        RecordError: If the text is damaged, or holds another number of bytes.
    """
    # The length is checked first, so that a damaged record cannot make us allocate memory without limit.
    if len(text) != 4 * -(-num_bytes // 3):
        raise RecordError(f"{len(text)} characters of {what} do not fit {of}")
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise RecordError(f"the {what} are no Base64: {error}") from error
    if len(raw) != num_bytes:
        raise RecordError(f"{len(raw)} bytes of {what} do not fit {of}")
    return raw
