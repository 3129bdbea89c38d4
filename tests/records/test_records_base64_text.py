"""Tests of bytes in Base64."""

from __future__ import annotations

import pytest

from freezebench.errors import RecordError
from freezebench.records.base64_text import base64_bytes, base64_text


def test_bytes_survive() -> None:
    """Any bytes come back, and none are an empty text."""
    for raw in (b"", b"\x00", bytes(range(256))):
        assert base64_bytes(base64_text(raw), len(raw), "scores", "1 row") == raw


@pytest.mark.parametrize(
    ("text", "num_bytes", "message"),
    [
        ("AAAA", 4, "4 characters of scores do not fit 1 row"),
        ("AAA=", 3, "2 bytes of scores do not fit 1 row"),
        ("AAAA", 10**12, "4 characters of scores do not fit 1 row"),
        ("A?AA", 3, "the scores are no Base64: "),
    ],
)
def test_damaged_text_is_refused(text: str, num_bytes: int, message: str) -> None:
    """Neither other characters nor another number of bytes, though the text be as long, is taken."""
    with pytest.raises(RecordError, match=message):
        base64_bytes(text, num_bytes, "scores", "1 row")
