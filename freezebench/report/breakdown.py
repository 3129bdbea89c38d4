"""How training time is spent: each configuration's steps by phase, and the speed-up that counted operations give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.records.device_models import of_model
from freezebench.report.aggregate import aggregate
from freezebench.report.column import time_scale
from freezebench.report.rows import table_model
from freezebench.report.strategy_text import names_heading
from freezebench.units import NOT_MEASURED, counted, percent_text, ratio_text, seconds_text
from freezebench.verdicts.speedup import speedup_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.verdicts.judge import ConfigurationResult

PHASES = ("data", "forward", "backward", "optimizer")
# What a phase is called in a sentence.
_WORK = {
    "data": "putting batches together",
    "forward": "the forward passes",
    "backward": "the backward passes",
    "optimizer": "the optimizer",
}
# A measured speed-up that differs from the counted one by more than this share has a sentence.
_TOLERANCE = 0.25
# A phase is named as the cause if its seconds make up at least this share of the difference.
_MOST = 0.5
# Smaller shares of waiting explain no difference of a quarter.
_NOTABLE_WAITING = 0.01


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """How one configuration's time is spent, median over undisturbed seeds; ``None`` where it was not measured.

    Attributes:
        freeze: Canonical id of the freeze spec.
        phases_s: Seconds of each phase, in the order of ``PHASES``; empty where not recorded.
        unfrozen_phases_s: The same without freezing.
        evaluation_s: Seconds of the evaluations between the epochs.
        counted: Speed-up against no freezing by the counted operations of the matrix products.
        warm: Measured speed-up of training alone.
        cold: The same with the whole pass over the frozen prefix charged to this run.
        pays_back: Epoch, from 1, by whose end the time saved exceeds that of the pass; ``None`` if there is no pass or
            no epoch is faster.
        contended_share: Largest share of the training time of one of its runs, or of an unfrozen one, in which threads
            waited for a processor.
    """

    freeze: str
    phases_s: tuple[float, ...]
    unfrozen_phases_s: tuple[float, ...]
    evaluation_s: float | None
    counted: float | None
    warm: float | None
    cold: float | None
    pays_back: int | None
    contended_share: float | None

    @property
    def phases(self) -> tuple[float, ...]:
        """Share of each phase in the time of the steps, 0 to 1; empty where not recorded."""
        all_s = math.fsum(self.phases_s)
        return tuple(seconds / all_s for seconds in self.phases_s) if all_s else ()

    @property
    def gap(self) -> float:
        """How far the measured speed-up is from the counted one, as a logarithm without sign; 0 where not known."""
        return abs(math.log(self.warm / self.counted)) if self.warm and self.counted else 0.0

    def sentence(self) -> str | None:
        """Return the gap between measured and counted speed-up, and its cause; ``None`` where they are close.

        A cause is named only if the measured seconds of a phase show it.
        """
        if self.counted is None or self.warm is None or abs(self.warm / self.counted - 1) <= _TOLERANCE:
            return None
        return (
            f"Speed-up of {self.freeze}: {ratio_text(self.warm)} measured, {ratio_text(self.counted)} expected from "
            f"counted operations; {self._cause() or 'the difference is not explained'}{self._waiting()}."
        )

    def _cause(self) -> str | None:
        """Return the phase that makes up most of the gap, with its seconds; ``None`` if none does.

        If time went with the counted operations, each phase would take its unfrozen seconds divided by the counted
        speed-up. The differences from that add up to the gap.
        """
        if self.counted is None or not self.phases_s or not self.unfrozen_phases_s:
            return None
        expected_s = [seconds / self.counted for seconds in self.unfrozen_phases_s]
        excess_s = [own - expected for own, expected in zip(self.phases_s, expected_s, strict=True)]
        gap_s = math.fsum(excess_s)
        if gap_s == 0:
            return None
        share, index = max((excess / gap_s, index) for index, excess in enumerate(excess_s))
        if share < _MOST:
            return None
        return (
            f"most of the difference is in {_WORK[PHASES[index]]}, which took {seconds_text(self.phases_s[index])} "
            f"instead of {seconds_text(expected_s[index])}"
        )

    def _waiting(self) -> str:
        """Return for how long threads waited for a processor, as the end of a sentence; empty if not notably."""
        if self.contended_share is None or self.contended_share < _NOTABLE_WAITING:
            return ""
        return f"; threads waited for a processor in up to {percent_text(self.contended_share, 0)} of the time"


def breakdowns(results: Sequence[ConfigurationResult]) -> list[Breakdown]:
    """Return the breakdown of every configuration with valid runs on the device model of the table, in its order."""
    baseline = next((result.records for result in results if result.freeze == "none"), None)
    if baseline is None:
        baseline = next((result.baseline for result in results if result.baseline), ())
    model = table_model(results)
    arms = [(result.freeze, of_model(result.records, model)) for result in results]
    # One pass serves all cached depths: a session that needs a single depth would still pay for all of it.
    passes = sum(record.value("prefix_s") or 0.0 for _, records in arms for record in records)
    unfrozen = of_model(baseline, model)
    return [_breakdown(freeze, records, unfrozen, passes) for freeze, records in arms if records]


def _breakdown(freeze: str, records: list[RunRecord], baseline: list[RunRecord], pass_s: float) -> Breakdown:
    """Return the breakdown of one configuration.

    Args:
        freeze: Canonical id of its freeze spec.
        records: Its valid runs.
        baseline: The valid unfrozen runs.
        pass_s: Time of the session's passes over frozen prefixes, in seconds.
    """
    speedup = speedup_of(records, baseline).ratio
    train_s, unfrozen_s = aggregate(records, "train_s"), aggregate(baseline, "train_s")
    flop, unfrozen_flop = aggregate(records, "step_flop"), aggregate(baseline, "step_flop")
    is_cached = freeze != "none" and any("prefix_bytes" in record.readings for record in records)
    cold, pays_back = None, None
    if is_cached and speedup is not None and train_s and unfrozen_s:
        cold = unfrozen_s / (train_s + pass_s)
        saved_s = (unfrozen_s - train_s) / records[0].spec.protocol.num_epochs
        pays_back = math.ceil(pass_s / saved_s) if pass_s and saved_s > 0 else None
    shares = [record.contended_share for record in (*records, *baseline) if record.contended_share is not None]
    return Breakdown(
        freeze=freeze,
        phases_s=_phases_s(records),
        unfrozen_phases_s=_phases_s(baseline),
        evaluation_s=aggregate(records, "evaluation_s"),
        counted=unfrozen_flop / flop if flop and unfrozen_flop else None,
        warm=speedup,
        cold=cold,
        pays_back=pays_back,
        contended_share=max(shares, default=None),
    )


def _phases_s(records: Sequence[RunRecord]) -> tuple[float, ...]:
    """Return the seconds of each phase; empty unless all were recorded, since shares of a part would be too large."""
    seconds = [aggregate(records, f"{phase}_s") for phase in PHASES]
    known = [value for value in seconds if value is not None]
    return tuple(known) if len(known) == len(PHASES) else ()


def gap_sentences(parts: Sequence[Breakdown]) -> tuple[str, ...]:
    """Return the sentences on gaps between measured and counted speed-ups, that of the largest gap first."""
    sentences = (part.sentence() for part in sorted(parts, key=lambda part: part.gap, reverse=True))
    return tuple(sentence for sentence in sentences if sentence is not None)


def breakdown_table(parts: Sequence[Breakdown]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return headers and cells of the table; empty if no engine recorded its phases."""
    if not any(part.phases for part in parts):
        return (), []
    headers = (
        names_heading(part.freeze for part in parts),
        *PHASES,
        "evaluation",
        "counted",
        "warm",
        "cold",
        "paid back in",
    )
    evaluations = [part.evaluation_s for part in parts if part.evaluation_s is not None]
    scale = time_scale(min(evaluations, default=0.0))
    cells = [
        [
            part.freeze,
            *(percent_text(share, 0) for share in part.phases or (None,) * len(PHASES)),
            NOT_MEASURED
            if part.evaluation_s is None
            else f"{scale.text(part.evaluation_s / scale.factor)} {scale.unit}",
            ratio_text(part.counted),
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
    return f"Whole grid: {counted(len(known), 'run')} trained and evaluated in {seconds_text(sum(known) + before)}."
