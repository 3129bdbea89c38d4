"""Which configurations trained on a busy machine, so that their times do not count, as one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.units import percent_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.rows import Row

# Follows a figure of which only runs on a busy machine are known.
MARK = "†"


def contended_text(row: Row) -> str:
    """Return the largest share of a configuration's contended runs: ``41 %``, or ``41 % (1 of 3)``; empty if none."""
    if not row.num_contended:
        return ""
    part = "" if row.num_contended == row.num_seeds else f" ({row.num_contended} of {row.num_seeds})"
    return f"{percent_text(row.contended_share, 0)}{part}"


def contention_sentence(rows: Sequence[Row]) -> str | None:
    """Return which runs trained on a busy machine and what that means for the figures; ``None`` if none did."""
    contended = [row for row in rows if row.num_contended]
    if not contended:
        return None
    largest = percent_text(max(row.contended_share or 0.0 for row in contended), 0)
    waited = f"Contended: in up to {largest} of the training time threads waited for a processor"
    counting = "These times and energies count for no speed-up, limit or recommendation"
    counts = ", ".join(f"{row.freeze} {row.num_contended} of {row.num_seeds}" for row in contended)
    runs = "all runs" if all(row.is_contended for row in rows) else f"seeds: {counts}"
    # The mark is explained where some figure has it.
    marked = f"; {MARK} marks figures that come from such runs alone" if any(row.is_contended for row in rows) else ""
    # Where undisturbed pairs of runs are left, every speed-up is known.
    is_missing = any(row.speedup is None for row in rows)
    again = " Run again with --freeze-resume=no while nothing else runs." if is_missing else ""
    return f"{waited} ({runs}). {counting}{marked}.{again}"
