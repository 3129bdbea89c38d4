"""How training time is spent: each configuration's steps by phase, and the speed-up predicted from operations."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.units import percent_text, ratio_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.verdicts.judge import ConfigurationResult

PHASES = ("data", "forward", "backward", "optimizer")
# A sentence explains a measured speed-up that differs from the predicted one by more than this share.
_TOLERANCE = 0.25


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """How one configuration's time is spent, median over seeds; ``None`` where it was not measured.

    Attributes:
        freeze: Canonical id of the freeze spec.
        engine: Engine of its runs.
        phases: Share of each phase in the time of the steps, in the order of ``PHASES``; empty where not recorded.
        evaluation_s: Seconds of the evaluations between the epochs.
        predicted: Speed-up against no freezing by the counted operations of the matrix products.
        warm: Measured speed-up of training alone.
        cold: The same with the whole pass over the frozen prefix charged to this run.
        pays_back: Epoch, from 1, by whose end the time saved exceeds that of the pass; ``None`` if there is no pass or
            no epoch is faster.
    """

    freeze: str
    engine: str
    phases: tuple[float, ...]
    evaluation_s: float | None
    predicted: float | None
    warm: float | None
    cold: float | None
    pays_back: int | None

    def sentence(self) -> str | None:
        """Return why the measured speed-up differs from the predicted one; ``None`` where they are close."""
        if self.predicted is None or self.warm is None or not self.phases:
            return None
        if abs(self.warm / self.predicted - 1) <= _TOLERANCE:
            return None
        shares = [f"{name} {percent_text(share, 0)}" for name, share in zip(PHASES, self.phases, strict=True)]
        figures = (
            f"Speed-up of {self.freeze}: measured {ratio_text(self.warm)}, predicted from counted operations "
            f"{ratio_text(self.predicted)}; its steps spend {', '.join(shares)}"
        )
        if self.warm > self.predicted:
            return f"{figures}: freezing also saves work that is not counted, such as the optimizer's."
        if self.engine != "cached":
            return f"{figures}: frozen layers still run forward in every step; --freeze-engine=cached leaves them out."
        if self.phases[0] == max(self.phases):
            return f"{figures}: assembling batches takes the same time at every depth."
        return (
            f"{figures}: work other than matrix products (dropout, casts, normalisation, overhead per call) shrinks "
            "less."
        )


def breakdowns(results: Sequence[ConfigurationResult]) -> list[Breakdown]:
    """Return the breakdown of every configuration with valid runs, in the order of the results."""
    baseline = next((result.records for result in results if result.freeze == "none"), None)
    if baseline is None:
        baseline = next((result.baseline for result in results if result.baseline), ())
    valid = [record for result in results for record in result.records if record.is_valid]
    # One pass serves all cached depths: a session that needs a single depth would still pay for all of it.
    passes = sum(record.value("prefix_s") or 0.0 for record in valid)
    arms = [(result.freeze, [record for record in result.records if record.is_valid]) for result in results]
    unfrozen = [record for record in baseline if record.is_valid]
    return [_breakdown(freeze, records, unfrozen, passes) for freeze, records in arms if records]


def _breakdown(freeze: str, records: list[RunRecord], baseline: list[RunRecord], pass_s: float) -> Breakdown:
    """Return the breakdown of one configuration.

    Args:
        freeze: Canonical id of its freeze spec.
        records: Its valid runs.
        baseline: The valid unfrozen runs.
        pass_s: Time of the session's passes over frozen prefixes, in seconds.
    """
    train_s, unfrozen_s = _median(records, "train_s"), _median(baseline, "train_s")
    totals = [_median(records, f"{phase}_s") for phase in PHASES]
    known = [total for total in totals if total is not None]
    # Shares of an incomplete sum would be too large.
    all_s = math.fsum(known) if len(known) == len(PHASES) else 0.0
    flop, unfrozen_flop = _median(records, "step_flop"), _median(baseline, "step_flop")
    is_cached = freeze != "none" and any("prefix_bytes" in record.readings for record in records)
    pays_back = None
    if is_cached and pass_s and train_s and unfrozen_s and unfrozen_s > train_s:
        saved_s = (unfrozen_s - train_s) / records[0].spec.protocol.num_epochs
        pays_back = math.ceil(pass_s / saved_s)
    return Breakdown(
        freeze=freeze,
        engine=records[0].spec.protocol.engine,
        phases=tuple(total / all_s for total in known) if all_s else (),
        evaluation_s=_median(records, "evaluation_s"),
        predicted=unfrozen_flop / flop if flop and unfrozen_flop else None,
        warm=unfrozen_s / train_s if train_s and unfrozen_s else None,
        cold=unfrozen_s / (train_s + pass_s) if is_cached and train_s and unfrozen_s else None,
        pays_back=pays_back,
    )


def breakdown_table(parts: Sequence[Breakdown]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return headers and cells of the table; empty if no engine recorded its phases."""
    if not any(part.phases for part in parts):
        return (), []
    headers = ("frozen", *PHASES, "evaluation", "counted", "warm", "cold", "paid back in")
    cells = [
        [
            part.freeze,
            *(percent_text(share, 0) for share in part.phases or (None,) * len(PHASES)),
            seconds_text(part.evaluation_s),
            ratio_text(part.predicted),
            ratio_text(part.warm),
            ratio_text(part.cold),
            f"epoch {part.pays_back}" if part.pays_back else "–",
        ]
        for part in parts
    ]
    return headers, cells


def grid_sentence(results: Sequence[ConfigurationResult]) -> str | None:
    """Return the time of the whole grid: warm-ups, training, evaluations between epochs, passes over prefixes."""
    records = [record for result in results for record in result.records if record.is_valid]
    seconds = [record.value("train_and_eval_s") for record in records]
    known = [value for value in seconds if value is not None]
    if not known:
        return None
    # Both are spent before the clock of training starts.
    before = sum(record.value(name) or 0.0 for record in records for name in ("warmup_s", "prefix_s"))
    return f"Whole grid: {len(known)} runs trained and evaluated in {seconds_text(sum(known) + before)}."


def _median(records: Sequence[RunRecord], name: str) -> float | None:
    values = [record.value(name) for record in records]
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
