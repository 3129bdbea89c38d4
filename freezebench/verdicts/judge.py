"""From records to results: one configuration's runs against the unfrozen ones, judged at margin and limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from freezebench.specs.freeze import FreezeSpec
from freezebench.verdicts.noninferiority import invalid_verdict, noninferiority

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.verdicts.noninferiority import Verdict

Standing = Literal["ok", "worse", "undecided", "broken"]

_STANDINGS: dict[str, Standing] = {
    "non_inferior": "ok",
    "inferior": "worse",
    "inconclusive": "undecided",
    "invalid": "broken",
}


@dataclass(frozen=True, kw_only=True)
class ConfigurationResult:
    """What is known about one configuration of an experiment.

    Attributes:
        freeze: Canonical id of the freeze spec.
        records: Its runs, one per seed.
        baseline: The unfrozen runs of the same seeds; the same as ``records`` for ``none``.
        verdict: Verdict at the decision margin; ``None`` for a sound baseline, which is compared with nothing.
        gate: Verdict at the asserted limit; ``None`` where nothing is asserted.
        broken: Why the runs mean nothing; ``None`` where they do.
        warnings: What the person should know before trusting the figures.
    """

    freeze: str
    records: tuple[RunRecord, ...]
    baseline: tuple[RunRecord, ...]
    verdict: Verdict | None
    gate: Verdict | None
    broken: str | None
    warnings: tuple[str, ...]

    @property
    def is_baseline(self) -> bool:
        """Whether this is the unfrozen configuration."""
        return FreezeSpec.parse(self.freeze).is_none

    @property
    def undertrained(self) -> bool:
        """Whether some run's best epoch was its last one, so that more epochs might raise the accuracy."""
        return any(record.undertrained for record in self.records)

    @property
    def deciding(self) -> Verdict | None:
        """The verdict that the test's outcome rests on: at the limit if one is asserted, else at the margin."""
        return self.gate or self.verdict

    @property
    def standing(self) -> Standing:
        """What the test's outcome rests on, in one word; without an asserted limit only ``broken`` fails a test."""
        if self.broken:
            return "broken"
        return "ok" if self.gate is None else _STANDINGS[self.gate.outcome]


def judge(
    freeze: str,
    records: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
    *,
    margin_pp: float,
    limit_pp: float | None,
) -> ConfigurationResult:
    """Return the result of one configuration.

    Args:
        freeze: Canonical id of the freeze spec.
        records: Its runs, one per seed.
        baseline: The unfrozen runs, same seeds, same order.
        margin_pp: Decision margin in percentage points.
        limit_pp: Asserted limit in percentage points; ``None``: nothing is asserted.
    """
    is_baseline = FreezeSpec.parse(freeze).is_none
    broken = _broken(records) or (_degenerate(records) if is_baseline else None)
    warnings = [warning for record in records for warning in record.warnings]
    if not is_baseline:
        baseline_broken = _broken(baseline) or _degenerate(baseline)
        broken = broken or (baseline_broken and f"the unfrozen baseline is invalid: {baseline_broken}")
        broken = broken or _different_arms(records, baseline)
        degenerate = None if broken else _degenerate(records)
        warnings += [f"{freeze}: {degenerate}"] if degenerate else []
    verdict = None
    if broken:
        verdict = invalid_verdict(broken, margin_pp=margin_pp, num_seeds=len(records))
    elif not is_baseline:
        verdict = noninferiority(_outcomes(baseline), _outcomes(records), margin_pp=margin_pp)
    return ConfigurationResult(
        freeze=freeze,
        records=tuple(records),
        baseline=tuple(baseline),
        verdict=verdict,
        gate=None if verdict is None or limit_pp is None or is_baseline else verdict.at_margin(limit_pp),
        broken=broken,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _outcomes(records: Sequence[RunRecord]) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Return whether each sentence was classified correctly, shape (seeds, sentences)."""
    return np.array([record.test_correct for record in records], dtype=np.bool_)


def _broken(records: Sequence[RunRecord]) -> str | None:
    """Return why some run means nothing."""
    for record in records:
        if not record.is_valid:
            return f"seed {record.spec.seed}: {record.reason}"
    return None


def _degenerate(records: Sequence[RunRecord]) -> str | None:
    """Return what is suspicious about the predictions: one class throughout, or the same ones for every seed."""
    predictions = [record.test.predictions for record in records if record.test is not None]
    for record, predicted in zip(records, predictions, strict=True):
        if len(set(predicted)) == 1:
            return f"seed {record.spec.seed} predicts one class for every test sentence"
    # Seeds that all solve every sentence agree, too, and that is no fault.
    is_perfect = all(all(record.test_correct) for record in records)
    if len(predictions) > 1 and len(set(predictions)) == 1 and not is_perfect:
        return f"the {len(predictions)} seeds give identical predictions, as if the seed had no effect"
    return None


def _different_arms(records: Sequence[RunRecord], baseline: Sequence[RunRecord]) -> str | None:
    """Return a complaint if the arms differ in test sentences or seeds: they could not be paired."""
    hashes = {record.data.test_sha256 for record in (*records, *baseline) if record.data is not None}
    if len(hashes) != 1:
        return "its test sentences are not those of the unfrozen baseline"
    if [record.spec.seed for record in records] != [record.spec.seed for record in baseline]:
        return "its seeds are not those of the unfrozen baseline"
    return None
