"""The three conclusions of the notebook from which this project started, each tested on one experiment."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from freezebench.records.device_models import main_model, of_model
from freezebench.records.run_record import data_of, values_of
from freezebench.scoring.metrics import ACCURACY
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.notebook_figures import PUBLISHED
from freezebench.verdicts.judge import BASELINE_INVALID
from freezebench.verdicts.superiority import superiority

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.verdicts.crossed import Interval
    from freezebench.verdicts.judge import ConfigurationResult

Support = Literal["supported", "refuted", "inconclusive"]

# The notebook's gain by frozen embeddings, four sentences of 911, is the smallest effect that counts, gain or loss.
SMALLEST_EFFECT_PP = 100 * (PUBLISHED["emb"].test_accuracy - PUBLISHED["none"].test_accuracy)

_EMBEDDINGS = "freezing the embeddings improves accuracy"
_LAYERS = "freezing more layers lowers accuracy, but less than one thinks"
_SWEET_SPOT = "freezing all but the last one or two layers is the sweet spot"


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """One claim and its verdict on one experiment.

    Attributes:
        claim: What the notebook concluded.
        verdict: ``supported``, ``refuted`` or ``inconclusive``.
        sentence: Claim, verdict and the figures behind it.
    """

    claim: str
    verdict: Support
    sentence: str


def conclusions(results: Sequence[ConfigurationResult], margin_pp: float) -> tuple[Conclusion, ...]:
    """Return the notebook's three conclusions with their verdicts on one experiment.

    A claim is inconclusive where a configuration that it is about was not run, is invalid, or has one seed. All are
    where the baseline is invalid, or another metric than accuracy was judged.

    1. *Embeddings*: supported if ``emb`` is better than no freezing (``superiority``, Holm-corrected over the grid);
       refuted if a gain as large as the notebook's (``SMALLEST_EFFECT_PP``) is excluded: lower bound of the drop above
       its negative.
    2. *More layers*: the notebook gives no number, so both halves are defined here. "Lowers": the deepest prefix that
       ran loses accuracy (lower bound above 0; refuted if a loss of ``SMALLEST_EFFECT_PP`` is excluded). "Less than one
       thinks": the loss is smaller than in proportion to the frozen parameters, where accuracy is counted from that of
       always predicting the most frequent class. Every prefix with frozen layers has to stay below its proportional
       loss (upper bounds; an intersection-union test, which needs no correction); the claim is refuted if the deepest
       prefix is shown to lose more. The proportional loss is treated as known without error.
    3. *Sweet spot*: the prefixes that leave two layers and one layer to train, tested in this order. Supported if the
       first of them is non-inferior at the margin and trains faster (median) than every shallower non-inferior prefix
       and no freezing; refuted if both are inferior, or if the head alone is non-inferior as well.

    Args:
        results: The configurations of one experiment, in any order.
        margin_pp: Decision margin, percentage points.
    """
    claims = (_EMBEDDINGS, _LAYERS, _SWEET_SPOT)
    if any(result.is_baseline and result.broken for result in results):
        return tuple(_conclusion(claim, "inconclusive", BASELINE_INVALID) for claim in claims)
    other = next((result.metric for result in results if result.was_run and result.metric != ACCURACY.name), None)
    if other is not None:
        return tuple(
            _conclusion(claim, "inconclusive", f"it is about accuracy, and this is {other}") for claim in claims
        )
    by_freeze = {result.freeze: result for result in results}
    return _embeddings(by_freeze), _more_layers(by_freeze), _sweet_spot(by_freeze, margin_pp)


def _embeddings(results: Mapping[str, ConfigurationResult]) -> Conclusion:
    """Judge the first claim."""
    interval = _evidence(results, "emb")
    if isinstance(interval, str):
        return _conclusion(_EMBEDDINGS, "inconclusive", interval)
    grid = {name: result.verdict.interval for name, result in results.items() if result.verdict is not None}
    # With several looks each one has its own share of the error rate.
    test = superiority(grid, alpha=interval.alpha)["emb"]
    figures = f"{_observation('emb', interval)}, Holm-adjusted p = {test.adjusted_p_value:.2g}"
    if test.better:
        return _conclusion(_EMBEDDINGS, "supported", figures)
    if interval.lower_pp > -SMALLEST_EFFECT_PP:
        excluded = f"a gain by the notebook's {SMALLEST_EFFECT_PP:.1f} points is excluded"
        return _conclusion(_EMBEDDINGS, "refuted", f"{figures}; {excluded}")
    return _conclusion(_EMBEDDINGS, "inconclusive", figures)


def _more_layers(results: Mapping[str, ConfigurationResult]) -> Conclusion:
    """Judge the second claim."""
    prefixes = [name for name in _ladder(results) if FreezeSpec.parse(name).num_frozen_layers]
    if not prefixes:
        return _conclusion(_LAYERS, "inconclusive", "no configuration with frozen layers was run")
    evidence = {name: _evidence(results, name) for name in prefixes}
    expected = {name: _expected_drop_pp(results[name]) for name in prefixes}
    deepest = prefixes[-1]
    interval, proportional = evidence[deepest], expected[deepest]
    if isinstance(interval, str):
        return _conclusion(_LAYERS, "inconclusive", interval)
    if proportional is None:
        return _conclusion(_LAYERS, "inconclusive", f"the parameters of {deepest} were not counted")
    share = f"{proportional:.1f} points would be in proportion to the frozen parameters"
    figures = f"{_observation(deepest, interval)}; {share}"
    if interval.upper_pp < SMALLEST_EFFECT_PP:
        return _conclusion(_LAYERS, "refuted", f"{figures}; a loss of {SMALLEST_EFFECT_PP:.1f} points is excluded")
    if interval.lower_pp > proportional:
        return _conclusion(_LAYERS, "refuted", f"{figures}, less than the lower bound")
    # An intersection-union test: each prefix has to pass at full alpha.
    doubtful = [name for name in prefixes if not _is_below(evidence[name], expected[name])]
    if doubtful:
        figures += f"; less than in proportion is not shown for {', '.join(doubtful)}"
    if not (interval.lower_pp > 0):
        figures += "; a loss is not shown"
    return _conclusion(_LAYERS, "supported" if interval.lower_pp > 0 and not doubtful else "inconclusive", figures)


def _is_below(interval: Interval | str, expected: float | None) -> bool:
    """Return whether a drop is shown to be smaller than expected."""
    return not isinstance(interval, str) and expected is not None and interval.upper_pp < expected


def _expected_drop_pp(result: ConfigurationResult) -> float | None:
    """Return the drop in proportion to the frozen parameters, percentage points; ``None`` if they were not counted."""
    data = data_of(result.baseline)
    share = result.trainable_fraction
    accuracies = values_of(result.baseline, "accuracy")
    chance = None if data is None else data.majority_share
    if chance is None or share is None or not accuracies:
        return None
    # What fine-tuning learned is the accuracy above that of the most frequent class.
    return 100 * (1 - share) * (statistics.fmean(accuracies) - chance)


def _sweet_spot(results: Mapping[str, ConfigurationResult], margin_pp: float) -> Conclusion:
    """Judge the third claim."""
    counts = (record.num_layers for result in results.values() for record in result.records)
    num_layers = next((count for count in counts if count is not None), None)
    if num_layers is None:
        return _conclusion(_SWEET_SPOT, "inconclusive", "no run came to its end")
    spots = [str(FreezeSpec.prefix(frozen)) for frozen in range(max(num_layers - 2, 0), num_layers)]
    observations = []
    for name in spots:
        interval = _evidence(results, name)
        if isinstance(interval, str):
            return _conclusion(_SWEET_SPOT, "inconclusive", interval)
        observations.append(_observation(name, interval))
    verdict, why = _of_spots(results, spots, str(FreezeSpec.prefix(num_layers)), margin_pp)
    return _conclusion(_SWEET_SPOT, verdict, f"{'; '.join(observations)}; margin {margin_pp:g}{why}")


def _of_spots(
    results: Mapping[str, ConfigurationResult], spots: Sequence[str], head_alone: str, margin_pp: float
) -> tuple[Support, str]:
    """Return the verdict on the third claim and, where the intervals do not show it, why."""
    # The spots are ordered from fewer to more frozen layers, so the first one is the easier claim.
    outcomes = [_outcome(results, name, margin_pp) for name in spots]
    if all(outcome == "inferior" for outcome in outcomes):
        return "refuted", ""
    if outcomes[0] != "non_inferior":
        return "inconclusive", ""
    # A fixed sequence of tests: the head alone counts only if every prefix before it is non-inferior.
    if {*outcomes, _outcome(results, head_alone, margin_pp)} == {"non_inferior"}:
        return "refuted", f"; {head_alone} is non-inferior as well"
    rival = _rival(results, spots[0], margin_pp)
    return ("inconclusive", f"; {spots[0]} was not faster than {rival}") if rival else ("supported", "")


def _outcome(results: Mapping[str, ConfigurationResult], name: str, margin_pp: float) -> str | None:
    """Return the outcome of a configuration at the margin; ``None`` where it was not run."""
    result = results.get(name)
    if result is None or result.verdict is None:
        return None
    # A configuration that has lost a class is not safe at any margin.
    return "inferior" if result.class_loss else result.verdict.at_margin(margin_pp).outcome


def _rival(results: Mapping[str, ConfigurationResult], spot: str, margin_pp: float) -> str | None:
    """Return a shallower non-inferior prefix, or ``none``, that is not shown to train slower; ``None`` without one."""
    depth = FreezeSpec.parse(spot).frozen_order
    model = main_model(record for result in results.values() for record in result.records)
    own = _median_train_s(results[spot].records, model)
    times = {"none": _median_train_s(results[spot].baseline, model)}
    for name in _ladder(results):
        if FreezeSpec.parse(name).frozen_order < depth and _outcome(results, name, margin_pp) == "non_inferior":
            times[name] = _median_train_s(results[name].records, model)
    return next((name for name, time in times.items() if own is None or time is None or own >= time), None)


def _median_train_s(records: Sequence[RunRecord], model: str | None) -> float | None:
    """Return the median train time of the runs on a device model that nothing disturbed; ``None`` without one."""
    quiet = (record.value("train_s") for record in of_model(records, model) if not record.is_contended)
    values = [value for value in quiet if value is not None]
    return statistics.median(values) if values else None


def _ladder(results: Mapping[str, ConfigurationResult]) -> list[str]:
    """Return the prefixes that ran, least frozen first, the baseline left out."""
    specs = [FreezeSpec.parse(name) for name, result in results.items() if result.was_run]
    specs = [spec for spec in specs if spec.is_prefix and not spec.is_none]
    return [str(spec) for spec in sorted(specs, key=lambda spec: spec.frozen_order)]


def _evidence(results: Mapping[str, ConfigurationResult], name: str) -> Interval | str:
    """Return the interval of a configuration's drop, or why there is none."""
    result = results.get(name)
    if result is None:
        return f"{name} was not run"
    if result.same_as is not None:
        return f"{name} trains the same parameters as {result.same_as}"
    if result.why_not_run is not None:
        return f"{name} was not run, since {result.why_not_run}"
    interval = None if result.verdict is None else result.verdict.interval
    if interval is None or not interval.is_finite:
        return f"{name} is invalid"
    if interval.num_seeds <= 1:
        return "one seed cannot tell training noise from freezing"
    return interval


def _observation(name: str, interval: Interval) -> str:
    """Return a drop with its bounds."""
    figures = (
        f"{value:+.1f}".replace("-0.0", "+0.0") for value in (interval.drop_pp, interval.lower_pp, interval.upper_pp)
    )
    drop, lower, upper = figures
    return f"{name}: drop {drop} points [{lower}, {upper}], {interval.num_seeds} seeds"


def _conclusion(claim: str, verdict: Support, figures: str) -> Conclusion:
    return Conclusion(
        claim=claim, verdict=verdict, sentence=f"The notebook's claim that {claim}: {verdict} ({figures})."
    )
