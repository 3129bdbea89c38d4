"""Contention: when the times of a run do not count, because its threads had to wait for a processor."""

from __future__ import annotations

# Largest share of the training time in which training threads may wait for a processor; docs/explanation/measurement.md
# has the measurement behind it.
CONTENTION_LIMIT = 0.05


def is_past_limit(share: float | None) -> bool:
    """Return whether a contended share (0 to 1) is past ``CONTENTION_LIMIT``; a share that is not known is not."""
    return share is not None and share > CONTENTION_LIMIT
