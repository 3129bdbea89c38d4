"""The result of one configuration: its runs against the unfrozen ones, judged at margin and limit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from freezebench.scoring.metrics import ACCURACY, metric_named
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.interim_looks import ALPHA_ONE_LOOK
from freezebench.verdicts.arms import broken_text, different_arms, mean_squares_of_runs, unrecorded_text
from freezebench.verdicts.baseline import baseline_fault, lead_warning, same_seeds_fault
from freezebench.verdicts.breakdown import broken_down
from freezebench.verdicts.class_losses import lost_class_sentence
from freezebench.verdicts.class_recalls import missed_classes_warning
from freezebench.verdicts.constant import constant_sentence
from freezebench.verdicts.crossed import interval_from_mean_squares
from freezebench.verdicts.gate import Part, accuracy_standing, worst
from freezebench.verdicts.metric_values import too_few
from freezebench.verdicts.noninferiority import decide, invalid_verdict
from freezebench.verdicts.pooling import pooled_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.metric import Metric
    from freezebench.specs.grid import PerSpec
    from freezebench.verdicts.breakdown import Breakdown
    from freezebench.verdicts.gate import Standing
    from freezebench.verdicts.mean_squares import MeanSquares
    from freezebench.verdicts.noninferiority import Verdict
    from freezebench.verdicts.pooling import PooledSeedVariance
    from freezebench.verdicts.subsets import SubsetVerdict
    from freezebench.verdicts.tuned_rate import TunedRate

BASELINE_INVALID = "the unfrozen baseline is invalid"
# The part of the joint gate that fails where one class is predicted for every test sentence.
CLASSES = "classes"


@dataclass(frozen=True, kw_only=True)
class ConfigurationResult:
    """The result of one configuration of an experiment.

    Attributes:
        freeze: Canonical id of the freeze spec.
        records: Its runs, one per seed.
        baseline: The unfrozen runs of the same seeds; the same as ``records`` for ``none``.
        verdict: Verdict at the decision margin; ``None`` for a valid baseline, which is compared with nothing, and for
            a configuration that was not run.
        gate: Verdict at the asserted limit; ``None`` where nothing is asserted.
        broken: Why the runs are invalid; ``None`` if they are valid.
        warnings: Reasons to doubt the figures.
        parts: Limits of the joint gate besides accuracy: classes that are predicted, savings, and the comparison with a
            saved run.
        same_as: The less frozen configuration that trains the same, so that this one was not run; ``None``: none.
        left_out: Why it cannot be run, as where nothing would be left to train; ``None``: it can.
        not_needed: Why a search did not need it; ``None``: it was part of no search, or was needed.
        not_reached: Why the session ended before it had a result; ``None``: it has one.
        class_loss: Which class its runs hardly recognise although those of the baseline do, so that it is not safe
            whatever its accuracy; ``None``: there is none.
        tuned_rate: The learning rates that were tried for it; ``None``: none were.
        rates: The learning rates of all configurations of its session; ``None``: not known.
        tried: Runs of the configuration at other rates: trials, and those of earlier sessions.
        is_compared: Whether its test was compared with a saved run, in which it passed.
        metric: Name of the metric of its drop.
        classes: Drops in recall of every class, label or type of entities; empty in regression.
        slices: Drops of the metric on every slice of the test set.
        test_sets: Drops of the metric on every further test set.
    """

    freeze: str
    records: tuple[RunRecord, ...]
    baseline: tuple[RunRecord, ...]
    verdict: Verdict | None
    gate: Verdict | None
    broken: str | None
    warnings: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    same_as: str | None = None
    left_out: str | None = None
    not_needed: str | None = None
    not_reached: str | None = None
    class_loss: str | None = None
    tuned_rate: TunedRate | None = None
    rates: PerSpec | None = None
    tried: tuple[RunRecord, ...] = ()
    is_compared: bool = False
    metric: str = "accuracy"
    classes: tuple[SubsetVerdict, ...] = ()
    slices: tuple[SubsetVerdict, ...] = ()
    test_sets: tuple[SubsetVerdict, ...] = ()

    @classmethod
    def not_run(
        cls,
        freeze: str,
        *,
        same_as: str | None = None,
        left_out: str | None = None,
        not_needed: str | None = None,
        not_reached: str | None = None,
    ) -> Self:
        """Return the result of a configuration that was not run: it has no runs, no verdict, and is not broken.

        Args:
            freeze: Canonical id of the configuration.
            same_as: The less frozen configuration that trains the same parameters.
            left_out: Why it cannot be run.
            not_needed: Why a search did not need it.
            not_reached: Why the session ended before it had a result.
        """
        return cls(
            freeze=freeze,
            records=(),
            baseline=(),
            verdict=None,
            gate=None,
            broken=None,
            warnings=(),
            same_as=same_as,
            left_out=left_out,
            not_needed=not_needed,
            not_reached=not_reached,
        )

    @property
    def was_run(self) -> bool:
        """Whether there was anything to run; without runs nothing is decided, asserted or broken."""
        return self.same_as is None and self.why_not_run is None

    @property
    def why_not_run(self) -> str | None:
        """Why it was not run, as the end of a sentence; ``None`` if it was, or is the same as another one."""
        return self.left_out or self.not_needed or self.not_reached

    @property
    def is_baseline(self) -> bool:
        """Whether this is the unfrozen configuration."""
        return FreezeSpec.parse(self.freeze).is_none

    @property
    def trainable_fraction(self) -> float | None:
        """Share of the parameters that train without freezing which this configuration trains, 0 to 1.

        Parameters that the model itself has fixed train in no configuration, and count in neither number.
        """
        own, unfrozen = (
            next((record.num_trainable_params for record in arm if record.is_valid), None)
            for arm in (self.records, self.baseline)
        )
        return own / unfrozen if own is not None and unfrozen else None

    @property
    def undertrained(self) -> bool:
        """Whether some run's best epoch was its last one, so that more epochs might raise the accuracy."""
        return any(record.undertrained for record in self.records)

    @property
    def is_asserted(self) -> bool:
        """Whether some limit is asserted of this configuration."""
        return self.gate is not None or bool(self.parts)

    @property
    def standing(self) -> Standing:
        """The standing of the joint gate, that of its worst part; without a limit only invalid runs fail the test."""
        if self.broken:
            return "broken"
        return worst([*self._of_drop, *(part.standing for part in self.parts)])

    @property
    def has_lost(self) -> bool:
        """Whether valid runs have lost a class, or at least as much as the margin or the limit allows."""
        if self.broken:
            return False
        drops = [(verdict.drop_pp, verdict.margin_pp) for verdict in (self.verdict, self.gate) if verdict is not None]
        return self.class_loss is not None or any(drop is not None and drop >= limit for drop, limit in drops)

    @property
    def exceeds_costs_alone(self) -> bool:
        """Whether its test fails by limits on time, memory or energy, and by nothing that the metric measures."""
        others = (part.standing for part in self.parts if not part.is_cost)
        return self.standing == "worse" and "worse" not in (*self._of_drop, *others)

    @property
    def _of_drop(self) -> list[Standing]:
        """The standing of the limit on the drop; empty without one."""
        return [] if self.gate is None else [accuracy_standing(self.gate)]


def judge(
    freeze: str,
    records: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
    *,
    margin_pp: float,
    limit_pp: float | None,
    alpha: float = ALPHA_ONE_LOOK,
    pooled: PooledSeedVariance | None = None,
    metric: Metric = ACCURACY,
    max_slice_drop: float | None = None,
    max_test_drop: float | None = None,
) -> ConfigurationResult:
    """Return the result of one configuration.

    Args:
        freeze: Canonical id of the freeze spec.
        records: Its runs, one per seed.
        baseline: The unfrozen runs, same seeds, same order.
        margin_pp: Decision margin in percentage points.
        limit_pp: Asserted limit in percentage points; ``None``: nothing is asserted.
        alpha: One-sided error rate of this look.
        pooled: Variance between seeds over the whole grid; ``None``: each configuration has its own.
        metric: The metric whose drop is judged; margin and limits are in its unit.
        max_slice_drop: Asserted limit on the drop of every slice of the test set; ``None``: nothing is asserted.
        max_test_drop: Asserted limit on the drop on every further test set; ``None``: nothing is asserted.
    """
    is_baseline = FreezeSpec.parse(freeze).is_none
    broken = broken_text(records) or unrecorded_text([*baseline, *records], metric)
    if broken is None:
        unfit = _unfit if is_baseline else _incomparable
        broken = unfit(records, baseline, alpha=alpha, metric=metric)
    verdict = None
    if broken:
        verdict = invalid_verdict(
            broken, margin_pp=margin_pp, alpha=alpha, num_seeds=len(records), unit=metric.drop_unit
        )
    elif not is_baseline:
        # One interval serves both margin and limit, so that the two verdicts cannot contradict each other.
        squares = mean_squares_of_runs(baseline, records, metric)
        own = interval_from_mean_squares(squares, alpha=alpha)
        verdict = decide(
            own if pooled is None else pooled_interval(squares, pooled, alpha=alpha),
            margin_pp,
            unit=metric.drop_unit,
            too_few=too_few([*baseline, *records], metric),
        )
    result = ConfigurationResult(
        freeze=freeze,
        records=tuple(records),
        baseline=tuple(baseline),
        verdict=verdict,
        gate=None if verdict is None or limit_pp is None or is_baseline else verdict.at_margin(limit_pp),
        broken=broken,
        warnings=tuple(dict.fromkeys(warning for record in records for warning in record.warnings)),
        metric=metric.name,
    )
    if broken:
        return result
    if is_baseline:
        doubts = (lead_warning(records, margin_pp, metric), missed_classes_warning(records))
        return replace(result, warnings=(*result.warnings, *filter(None, doubts)))
    parts = broken_down(
        baseline,
        records,
        metric,
        margin_pp=margin_pp,
        max_slice_drop=max_slice_drop,
        max_test_drop=max_test_drop,
        alpha=alpha,
    )
    return _with_breakdown(_with_predictions_checked(result, metric, alpha=alpha), parts)


def _with_predictions_checked(result: ConfigurationResult, metric: Metric, *, alpha: float) -> ConfigurationResult:
    """Return the result of a valid candidate with what its predictions show besides their accuracy.

    A class that freezing makes disappear is a loss, even where it is so rare that the accuracy hardly shows it: such a
    candidate is not safe. A limit on the accuracy accepts that loss, but not a model that ignores the sentences.
    """
    one_class = constant_sentence(result.records, metric)
    class_loss = one_class or lost_class_sentence(result.records, result.baseline, alpha=alpha)
    if class_loss is not None and result.verdict is not None:
        result = replace(
            result, class_loss=class_loss, verdict=replace(result.verdict, outcome="inferior", reason=class_loss)
        )
    if one_class is not None and result.gate is not None:
        sentence = f"{one_class}, and the unfrozen baseline predicts several"
        result = replace(result, parts=(Part(quantity=CLASSES, standing="worse", sentence=sentence),))
    # Of a candidate it may be a result: with little to train, the seed may matter little.
    same_seeds = same_seeds_fault(result.records)
    if same_seeds is not None:
        result = replace(result, warnings=(*result.warnings, f"{result.freeze}: {same_seeds.sentence}"))
    return result


def _with_breakdown(result: ConfigurationResult, parts: Breakdown) -> ConfigurationResult:
    """Return the result of a valid candidate with its drop by class, slice and test set."""
    # A class that is lost is named already.
    is_named = parts.carrying is not None and result.class_loss is None
    return replace(
        result,
        classes=parts.classes,
        slices=parts.slices,
        test_sets=parts.test_sets,
        parts=(*result.parts, *parts.limits),
        warnings=(*result.warnings, *([f"{result.freeze}: {parts.carrying}"] if is_named else [])),
    )


def observed_mean_squares(result: ConfigurationResult) -> MeanSquares:
    """Return the mean squares of a valid candidate's differences from the unfrozen runs, from which it was judged."""
    return mean_squares_of_runs(result.baseline, result.records, metric_named(result.metric))


def _unfit(_: Sequence[RunRecord], baseline: Sequence[RunRecord], *, alpha: float, metric: Metric) -> str | None:
    """Return why completed unfrozen runs are no measure for others; ``None`` if they are one."""
    fault = baseline_fault(baseline, alpha=alpha, metric=metric)
    return None if fault is None else fault.sentence


def _incomparable(
    records: Sequence[RunRecord], baseline: Sequence[RunRecord], *, alpha: float, metric: Metric
) -> str | None:
    """Return why completed runs of a candidate cannot be compared with the unfrozen ones; ``None`` if they can."""
    # The baseline's own test and the summary name the cause, once for all configurations.
    if broken_text(baseline) or _unfit(records, baseline, alpha=alpha, metric=metric):
        return BASELINE_INVALID
    return different_arms(records, baseline)
