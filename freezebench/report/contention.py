"""Which configurations have no times that count, since something else ran beside them, as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.units import percent_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.rows import Row

# Follows a figure of which only runs on a busy machine are known.
MARK = "†"
# Less waiting explains nothing.
_NOTABLE_WAITING = 0.01


def contended_text(row: Row) -> str:
    """Return the largest share of a configuration's contended runs: ``41 %``, or ``41 % (1 of 3)``; empty if none."""
    if not row.num_contended:
        return ""
    part = "" if row.is_contended else f" ({row.num_contended} of {len(row.cost_records)})"
    return f"{percent_text(row.contended_share, 0)}{part}"


def contention_sentence(rows: Sequence[Row]) -> str | None:
    """Return which runs trained on a busy machine and what that means for the figures; ``None`` if none did."""
    contended = [row for row in rows if row.num_contended]
    if not contended:
        return None
    largest = percent_text(max(row.contended_share or 0.0 for row in contended), 0)
    waited = f"Contended: in up to {largest} of the training time threads waited for a processor"
    counting = "These times and energies count for no speed-up, limit or recommendation"
    counts = ", ".join(f"{row.freeze} {row.num_contended} of {len(row.cost_records)}" for row in contended)
    runs = "all runs" if all(row.is_contended for row in rows) else f"seeds: {counts}"
    # The mark is explained where some figure has it.
    marked = f"; {MARK} marks figures that come from such runs alone" if any(row.is_contended for row in rows) else ""
    # Where undisturbed pairs of runs are left, every speed-up is known.
    is_missing = any(row.speedup is None for row in rows)
    again = " Run again with --freeze-resume=no while nothing else runs." if is_missing else ""
    return f"{waited} ({runs}). {counting}{marked}.{again}"


def untimed_sentences(rows: Sequence[Row]) -> list[str]:
    """Return why runs have no train time, one sentence for each distinct reason."""
    names: dict[str, list[str]] = {}
    for row in rows:
        readings = [record.readings.get("train_s") for record in row.cost_records]
        reasons = [reading.reason for reading in readings if reading is not None and reading.value is None]
        for reason in dict.fromkeys(reason for reason in reasons if reason):
            names.setdefault(reason.rstrip("."), []).append(row.freeze)
    num_run = sum(bool(row.cost_records) for row in rows)
    which = {
        reason: "" if len(freezes) == num_run else f" of {', '.join(freezes)}" for reason, freezes in names.items()
    }
    return [f"Times{freezes} were not measured: {reason}." for reason, freezes in which.items()]


def host_sentence(rows: Sequence[Row]) -> str | None:
    """Return how long threads of runs on GPUs waited for a processor; ``None`` if there are none, or not notably.

    Their times count all the same: only what feeds a GPU waits. Several GPUs are fed by the same processors.
    """
    shares = {
        row.freeze: row.contended_share
        for row in rows
        if row.contended_share is not None and any(record.device.startswith("cuda") for record in row.cost_records)
    }
    if max(shares.values(), default=0.0) < _NOTABLE_WAITING:
        return None
    figures = ", ".join(f"{freeze} {percent_text(share, 0)}" for freeze, share in shares.items())
    return f"Host: share of the training time in which a thread that feeds the GPU waited for a processor: {figures}."
