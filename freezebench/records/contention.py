"""Contention: when the times of a run do not count, because its threads had to wait for a processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.units import percent_text

if TYPE_CHECKING:
    from collections.abc import Sequence

# Largest share of the training time in which training threads may wait for a processor. The measurement behind it is in
# docs/explanation/busy-machine.md.
CONTENTION_LIMIT = 0.05

# Why a run has no times, or no energy of the processors, that trained while its session trained others.
ALONE = "--freeze-devices=cpu --freeze-resume=no"
SHARED_PROCESSOR = f"other runs trained on the same processor meanwhile; train one at a time ({ALONE})"
SHARED_MACHINE = (
    "other runs trained on this machine meanwhile, and their energy cannot be told apart; train on one device alone "
    "(--freeze-devices, --freeze-resume=no)"
)
# Without the option the store would return the same run.
_WAITED = "of the training time threads waited for a processor; run it again alone (--freeze-resume=no)"


def is_past_limit(share: float | None) -> bool:
    """Return whether a contended share (0 to 1) is past ``CONTENTION_LIMIT``; a share that is not known is not."""
    return share is not None and share > CONTENTION_LIMIT


def run_reason(share: float) -> str:
    """Return why the times of a contended run do not count, and what to do, without a full stop."""
    return f"the run trained on a busy machine: {percent_text(share, 0)} {_WAITED}"


def contention_reason(shares: Sequence[float], num_runs: int, *, runs: str = "seeds", which: str = "") -> str:
    """Return why the times of contended runs do not count, and what to do, without a full stop.

    Args:
        shares: Contended share of each contended run, at least one.
        num_runs: Number of all runs.
        runs: What the runs are called.
        which: Names of the contended runs; empty if their number is enough.
    """
    names = f" ({which})" if which else ""
    return (
        f"{len(shares)} of {num_runs} {runs} trained on a busy machine{names}: up to {percent_text(max(shares), 0)} "
        f"{_WAITED}"
    )
