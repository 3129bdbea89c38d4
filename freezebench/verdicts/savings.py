"""Required savings of time, energy and peak memory against the unfrozen runs of the same session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.records.contention import contention_reason
from freezebench.records.device_models import ONE_MODEL, OTHER_DEVICES, common_model, of_model
from freezebench.records.headline import headline_metrics
from freezebench.records.run_record import values_of
from freezebench.verdicts.gate import Part, resource_standing
from freezebench.verdicts.resources import compare_peak, compare_runs
from freezebench.verdicts.speedup import OTHER_ENGINE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.specs.limits import CostLimits

_MOST_NAMED = 3


def savings_parts(
    freeze: str,
    limits: CostLimits,
    *,
    records: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
    pairs: Sequence[tuple[RunRecord, RunRecord]],
) -> tuple[Part, ...]:
    """Return the parts of the joint gate that require savings; none where no saving is required.

    Args:
        freeze: Canonical id of the configuration.
        limits: The required savings.
        records: Its runs.
        baseline: The unfrozen runs of the session, which also serve the A/A check of time and energy.
        pairs: Unfrozen and frozen runs that were interleaved, in this order within a pair.
    """
    _, energy = headline_metrics([record for pair in pairs for record in pair])
    parts = []
    # A required saving is a limit on the ratio candidate / baseline: 1.5 times the speed is 1 / 1.5 of the time.
    speedup = limits.min_speedup.get(freeze)
    if speedup is not None:
        time = _Saving(quantity="train time", metric="train_s", limit=1 / speedup, required=f"{speedup:g}× the speed")
        parts.append(_interleaved(time, pairs, baseline))
    saving = limits.min_energy_saving.get(freeze)
    if saving is not None:
        joules = _Saving(quantity="energy", metric=energy, limit=1 - saving / 100, required=f"{saving:g} % saved")
        parts.append(_interleaved(joules, pairs, baseline))
    saving = limits.min_memory_saving.get(freeze)
    if saving is not None:
        parts.append(_peak(saving, records, baseline))
    return tuple(parts)


@dataclass(frozen=True, kw_only=True)
class _Saving:
    """One required saving.

    Attributes:
        quantity: What is limited, in words.
        metric: Name of the metric.
        limit: Largest allowed ratio to no freezing.
        required: The same in words.
    """

    quantity: str
    metric: str
    limit: float
    required: str


def _interleaved(saving: _Saving, pairs: Sequence[tuple[RunRecord, RunRecord]], baseline: Sequence[RunRecord]) -> Part:
    """Return the part for time or energy.

    Interleaved runs are compared in pairs. The A/A check compares the unfrozen ones with the earlier unfrozen runs.
    """
    quantity, metric = saving.quantity, saving.metric
    runs = [record for pair in pairs for record in pair]
    broken = next((record for record in runs if not record.is_valid), None)
    if broken is not None:
        sentence = f"{quantity}: seed {broken.spec.seed} of {broken.spec.freeze}, run once more: {broken.reason}"
        return Part(quantity=quantity, standing="broken", sentence=sentence)
    # A series trains on one device. Earlier runs on another model say nothing about its noise.
    models = list(dict.fromkeys(record.device_name for record in runs))
    earlier = [record for record in baseline if models == [record.device_name]]
    trained = ", ".join(dict.fromkeys(record.device_name for record in (*runs, *baseline)))
    obstacle = "" if earlier else f"{trained}; {ONE_MODEL}"
    if len({record.spec.engine for record in runs}) > 1:
        obstacle = OTHER_ENGINE
    if obstacle:
        sentence = f"{quantity}: at least {saving.required} is required, and the runs cannot be compared: {obstacle}"
        return Part(quantity=quantity, standing="undecided", sentence=sentence)
    # Without a figure of every run the pairs would be incomplete.
    missing = next((record for record in (*runs, *earlier) if record.value(metric) is None), None)
    if missing is not None:
        return _not_measured(quantity, metric, saving.required, missing)
    # Contended runs of before only leave the A/A check without them, unless nothing is left to check with.
    quiet = [record for record in earlier if not record.is_contended]
    if contended := _contended(runs) or ("" if quiet else _contended(earlier)):
        return Part(quantity=quantity, standing="broken", sentence=f"{quantity}: {contended}")
    unfrozen, frozen = (values_of(arm, metric) for arm in zip(*pairs, strict=True))
    verdict = compare_runs(
        unfrozen,
        frozen,
        quantity=metric,
        limit=saving.limit,
        paired=True,
        same_arm=(values_of(quiet, metric), unfrozen),
    )
    standing = resource_standing(verdict)
    if verdict.ratio is None or verdict.outcome == "invalid":
        return Part(quantity=quantity, standing=standing, sentence=f"{quantity}: {verdict.reason}")
    is_time = metric == "train_s"
    saved = f"{100 * (1 - verdict.ratio):.1f} % saved against no freezing"
    if is_time:
        saved = f"{1 / verdict.ratio:.2f}× the speed of no freezing"
    noise = f", p = {verdict.p_value:.3f}" if verdict.p_value is not None else ""
    sentence = f"{quantity}: {saved}, at least {saving.required} is required, {len(pairs)} interleaved pairs{noise}"
    return Part(quantity=quantity, standing=standing, sentence=sentence)


def _contended(records: Sequence[RunRecord]) -> str:
    """Return which runs waited for processors, and how long; empty if none did."""
    # A run that ended its series early is its own partner, and counts once.
    distinct = list({id(record): record for record in records}.values())
    contended = [record for record in distinct if record.is_contended]
    if not contended:
        return ""
    shares = [record.contended_share or 0.0 for record in contended]
    which = ", ".join(f"seed {record.spec.seed} of {record.spec.freeze}" for record in contended[:_MOST_NAMED])
    more = f" and {len(contended) - _MOST_NAMED} more" if len(contended) > _MOST_NAMED else ""
    return contention_reason(shares, len(distinct), runs="runs", which=f"{which}{more}")


def _peak(saving: float, records: Sequence[RunRecord], baseline: Sequence[RunRecord]) -> Part:
    """Return the part for peak memory, which compares the largest peaks of both arms on one model of device."""
    model = common_model(records, baseline)
    if model is None:
        required = f"at least {saving:g} % saved is required"
        sentence = f"peak memory: {required}, and the runs cannot be compared: {OTHER_DEVICES}"
        return Part(quantity="peak memory", standing="undecided", sentence=sentence)
    arms = (of_model(baseline, model), of_model(records, model))
    metric, _ = headline_metrics(arms[0])
    missing = next((record for arm in arms for record in arm if record.value(metric) is None), None)
    if missing is not None:
        return _not_measured("peak memory", metric, f"{saving:g} % saved", missing)
    unfrozen, frozen = (max(values_of(arm, metric)) for arm in arms)
    verdict = compare_peak(unfrozen, frozen, quantity=metric, limit=1 - saving / 100)
    saved = f"{100 * (1 - frozen / unfrozen):.1f} % saved against no freezing"
    sentence = f"peak memory: {saved}, at least {saving:g} % is required"
    return Part(quantity="peak memory", standing=resource_standing(verdict), sentence=sentence)


def _not_measured(quantity: str, metric: str, required: str, record: RunRecord) -> Part:
    """Return an undecided part, since a figure that was not measured can neither pass nor fail."""
    reading = record.readings.get(metric)
    reason = (reading.reason if reading else None) or "no such reading"
    sentence = f"{quantity}: at least {required} is required, and it was not measured: {reason}"
    return Part(quantity=quantity, standing="undecided", sentence=sentence)
