"""What is likely to repair runs that are invalid, or that have learned too little: one remedy for each configuration.

Failed tests, answers, pages and complaints all have it from ``repairing_steps``. Every piece of advice follows from
figures of the runs and names them; where none applies, none is given. Options are whole, to be pasted in place of those
that are set now.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from freezebench.records.run_record import UNKNOWN_TOKENS
from freezebench.report.data_text import units_of_run
from freezebench.report.learning import (
    FEWEST_STEPS,
    UNLEARNED,
    chance_loss,
    ended_text,
    has_learned,
    is_unstable,
    lowest_loss,
    missing_share,
    training_loss,
)
from freezebench.report.metric_text import result_metric
from freezebench.report.rate_search import (
    FAR,
    NEAR,
    attempts,
    has_tuned_rate,
    may_be_too_high,
    next_rate,
    rate_option,
    tried_text,
    usual_rate,
)
from freezebench.specs.interim_looks import ALPHA_ONE_LOOK
from freezebench.units import counted, percent_text, with_and
from freezebench.verdicts.baseline import baseline_fault
from freezebench.verdicts.constant import is_constant
from freezebench.verdicts.judge import BASELINE_INVALID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.verdicts.baseline import BaselineFault
    from freezebench.verdicts.judge import ConfigurationResult

# From this share of the test sentences on, predicting one class for all of them is a result and no fault.
_LOPSIDED = 0.9
# So many standard errors below guessing is no chance.
_CLEARLY = 3.0
# With so few steps, enough of them move the weights several times as far as a higher rate would.
_FEW_STEPS = FEWEST_STEPS // 3
# Shares of the fall of the baseline's training loss: what misses less fits about as well, what misses more hardly fits.
_AS_WELL, _MOSTLY = 0.05, 0.5
# Rates of strategies are up to 20 times as high, and none may be above 1.
_TUNING, _MOST_TUNED = "--freeze-tune-lr=0.1,1,10", 0.005
# So many rates that span a factor of 30 without learning are no question of the rate.
_MOST_RATES = 3
# The preset's MiniLM has 4 times the rate where 8.5 % of its parameters train, and 38 times where 0.7 % do.
_SMALL_SHARE = 0.05
# A tiny BERT learned in 100 steps at 0.005, and with frozen embeddings in 200; at 0.015 it learned in neither.
_FEW_STEPS_FROZEN = 500
# Usual ratings have a mean of up to 10 and a standard deviation between 0.1 and 3; AdamW moves a bias by the rate per
# step.
_MOST_MEAN, _MOST_DEVIATION = 20.0, 20.0


def repairing_steps(result: ConfigurationResult) -> tuple[str, ...]:
    """Return what is likely to repair a configuration that is invalid or has lost too much; empty: nothing is known."""
    if result.broken == BASELINE_INVALID:
        return ()
    broken = next((record for record in result.records if not record.is_valid), None)
    if broken is not None:
        step = _after_fault(result, broken)
    elif result.is_baseline:
        alpha = ALPHA_ONE_LOOK if result.verdict is None else result.verdict.alpha
        fault = baseline_fault(result.records, alpha=alpha, metric=result_metric(result))
        step = None if fault is None else _after_baseline_fault(result, fault)
    else:
        step = _after_loss(result) if result.has_lost else None
    return () if step is None else (step,)


def _after_fault(result: ConfigurationResult, record: RunRecord) -> str | None:
    """Return what to change after a run that broke; ``None`` where its cause suggests nothing."""
    protocol = record.spec.protocol
    match record.cause:
        case "non_finite_loss":
            rate = _next_rate(result, record)
            fault = f"at {protocol.learning_rate:g} the loss became infinite or not a number"
            tried = tried_text(attempts(result), protocol.learning_rate)
            return None if rate is None else f"Try {rate_option(result, rate)}: {fault}{tried}."
        case "out_of_memory" if protocol.batch_size > 1:
            half = protocol.batch_size // 2
            return f"Try --freeze-batch-size={half}: a batch of {protocol.batch_size} did not fit."
        case "timeout":
            return "Allow more time with --freeze-timeout, or train less with --freeze-max-train."
        case _:
            return None


def _after_baseline_fault(result: ConfigurationResult, fault: BaselineFault) -> str | None:
    """Return what to change where completed unfrozen runs are no measure for others."""
    records = result.records
    if fault.kind == "same_seeds":
        return "Look for code that sets a seed of its own: a model factory, a conftest, the model's own code."
    if fault.kind == "not_above_majority" and (step := _after_other_order(records)):
        return step
    record = _to_repair(result)
    share = _majority_share(record) or 0.0
    if fault.kind in ("one_class", "not_above_majority") and share > _LOPSIDED:
        return (
            f"{percent_text(share, 0)} of the test sentences have one class: use a balanced test set, or a larger one."
        )
    if not has_learned(record):
        return _after_no_learning(result, record)
    if fault.kind == "one_class":
        loss = f"the training loss fell to {training_loss(record):.2f}"
        return f"Check that the labels of training and test sentences mean the same: {loss}."
    return _after_learning(result, fault, record)


def _after_other_order(records: Sequence[RunRecord]) -> str | None:
    """Return what to change where a head of the checkpoint is wrong more often than guesses; ``None``: it is not."""
    for record in records:
        accuracy, share = record.value("accuracy"), _majority_share(record)
        if record.new_parameters != () or record.data is None or accuracy is None or share is None:
            continue
        if accuracy < share - _CLEARLY * math.sqrt(share * (1 - share) / record.data.num_test):
            return (
                f"Check the order of the classes: the head of {record.spec.model} is right for {percent_text(accuracy)}"
                f" of the test sentences, less than by guessing, {percent_text(share)}. Write the class names in its "
                "order into id2label of its config.json, or give the encoder alone, which gets a new head."
            )
    return None


def _after_learning(result: ConfigurationResult, fault: BaselineFault, record: RunRecord) -> str:
    """Return what to change where the training loss fell, but validation or test show nothing of it."""
    lowest, chance = min(map(lowest_loss, result.records)), chance_loss(record)
    loss = training_loss(record)
    fell = f"the training loss fell to {loss:.2f}, the validation loss to {lowest:.2f}, and guessing gives {chance:.2f}"
    accuracy, share = record.value("accuracy"), _majority_share(record)
    if lowest < chance and (longer := _longer(result)):
        return f"Try {longer}: {ended_text(record)}{_undertrained_text(result)}."
    if fault.kind == "loss_not_below_frequencies" and accuracy and share and accuracy > share:
        # Right more often than by guessing, but too sure where it is wrong.
        lower = rate_option(result, record.spec.protocol.learning_rate / 2)
        return f"Try {lower} or fewer epochs, and check the labels of the validation split: {fell}."
    if lowest < UNLEARNED * chance:
        return (
            f"Use more {units_of_run(record)} or more seeds (--freeze-num-seeds): validation shows that something was "
            "learned."
        )
    return f"Check the labels of all splits, or train on more sentences: {fell}."


def _after_loss(result: ConfigurationResult) -> str | None:
    """Return what to change where valid runs have lost too much; ``None`` if they have learned as well as others."""
    record = _to_repair(result)
    if not has_learned(record):
        return _after_many_rates(result) or _after_no_learning(result, record)
    unfrozen = next(other for other in result.baseline if other.spec.seed == record.spec.seed)
    missing = missing_share(record, unfrozen)
    longer = _longer(result)
    # Where an earlier epoch was the best, a head alone did worse at 3 and 10 times its rate.
    rate = _next_rate(result, record, missing=missing if longer else 0.0)
    is_rate_first = _trains_little(result) and not has_tuned_rate(record)
    if rate is not None and (longer is None or is_rate_first or rate < record.spec.protocol.learning_rate):
        change, why = rate_option(result, rate), ""
    elif longer is not None:
        change, why = longer, _undertrained_text(result)
    else:
        return None
    tried = tried_text(attempts(result), record.spec.protocol.learning_rate)
    return f"Try {change}: {ended_text(record)}, and no freezing {training_loss(unfrozen):.2f}{why}{tried}."


def _after_many_rates(result: ConfigurationResult) -> str | None:
    """Return that less has to be frozen where nothing is learned at rates that are far apart; ``None``: it may be."""
    tried = attempts(result)
    rates = [f"{attempt.rate:g}" for attempt in tried]
    if len(tried) < _MOST_RATES or any(attempt.outcome == "learned" for attempt in tried):
        return None
    if tried[-1].rate < FAR * NEAR * tried[0].rate:
        return None
    return f"Freeze less: {result.freeze} learned nothing at the rates {with_and(rates)}."


def _after_no_learning(result: ConfigurationResult, record: RunRecord) -> str | None:
    """Return what to change where the training loss of a run stayed at that of guessing."""
    if record.data is None or not record.epochs:
        return None
    ended, numbers = ended_text(record), record.data.test_values
    if numbers and not _is_near_one(numbers):
        mean, deviation = statistics.fmean(numbers), statistics.pstdev(numbers)
        return (
            f"Rescale the labels to a mean near 0 and a standard deviation near 1: they have {mean:.4g} and "
            f"{deviation:.4g}, and a new head starts near 0; {ended}."
        )
    warning = next((warning for warning in record.warnings if warning.startswith(UNKNOWN_TOKENS)), None)
    if warning is not None:
        return f"Check the tokenizer of {record.spec.model} before you change the rate: {warning.partition(':')[0]}."
    present, num_steps, num_epochs = record.spec.protocol.learning_rate, len(record.step_losses), len(record.epochs)
    rate = _next_rate(result, record)
    changes = []
    if 0 < num_steps < FEWEST_STEPS:
        changes.append(f"--freeze-epochs={math.ceil(num_epochs * FEWEST_STEPS / num_steps)}")
    elif 0 < num_steps < _FEW_STEPS_FROZEN and _can_learn(result, record) and not _trains_little(result):
        changes.append(f"--freeze-epochs={2 * num_epochs}")
    is_tunable = result.is_baseline and present <= _MOST_TUNED
    may_be_either = is_tunable and may_be_too_high(attempts(result), usual_rate(record))
    is_raised = may_be_either or (rate is not None and rate > present)
    if changes and is_raised and _is_high_enough(result, record):
        rate, may_be_either = None, False
    if may_be_either:
        changes.append(f"{_TUNING}, which tries lower and higher rates")
    elif rate is not None:
        changes.append(rate_option(result, rate))
    elif not changes:
        changes.append(f"--freeze-epochs={2 * num_epochs}")
    more = ", or more training sentences" if 0 < num_steps < _FEW_STEPS else ""
    return f"Try {', and '.join(changes)}{more}: {ended}{tried_text(attempts(result), present)}."


def _is_high_enough(result: ConfigurationResult, record: RunRecord) -> bool:
    """Return whether more steps come before a higher rate.

    Of the baseline, enough steps have to move the weights as far as the usual rate would.
    """
    present, num_steps = record.spec.protocol.learning_rate, len(record.step_losses)
    if _can_learn(result, record) or not result.is_baseline:
        return _can_learn(result, record)
    return num_steps < _FEW_STEPS and present * FEWEST_STEPS / num_steps >= usual_rate(record)


def _can_learn(result: ConfigurationResult, record: RunRecord) -> bool:
    """Return whether something is learned at the rate of a run, by another seed or without freezing."""
    is_learned_unfrozen = 0 < _floor(result) <= record.spec.protocol.learning_rate
    return is_learned_unfrozen or any(map(has_learned, result.records))


def _to_repair(result: ConfigurationResult) -> RunRecord:
    """Return the run to repair: one that predicts the same throughout, of several the one that learned least."""
    metric = result_metric(result)
    return max(result.records, key=lambda record: (is_constant(record, metric), training_loss(record)))


def _next_rate(result: ConfigurationResult, record: RunRecord, *, missing: float = 1.0) -> float | None:
    """Return the rate to try next for a configuration; ``None`` if no other one is likely to help.

    What freezes more needs no lower rate than the baseline has learned at, unless its own loss rose.

    Args:
        result: The configuration.
        record: Its run that is to be repaired.
        missing: Which share of the fall of the baseline's training loss it has not reached.
    """
    present, tried = record.spec.protocol.learning_rate, attempts(result)
    unfrozen = _floor(result)
    is_far = not has_learned(record) or missing > _MOSTLY
    step = FAR if is_far and (result.is_baseline or _trains_little(result)) else NEAR
    rate = next_rate(tried, present, unfrozen or usual_rate(record), may_rise=missing > _AS_WELL, step=step)
    is_too_high = is_unstable(record) and not has_learned(record)
    if not is_too_high and present < unfrozen:
        rate = unfrozen if rate is None else max(rate, unfrozen)
    elif rate is not None and rate < unfrozen and not is_too_high:
        rate = None
    is_known = result.tuned_rate is not None and rate in [attempt.rate for attempt in tried]
    return None if rate == present or is_known else rate


def _trains_little(result: ConfigurationResult) -> bool:
    """Return whether so few parameters train that they are likely to need a rate far above that of the baseline."""
    fraction = result.trainable_fraction
    return fraction is not None and fraction < _SMALL_SHARE


def _floor(result: ConfigurationResult) -> float:
    """Return the rate at which the baseline of a configuration has learned; 0 for a baseline itself."""
    return 0.0 if result.is_baseline or not result.baseline else result.baseline[0].spec.protocol.learning_rate


def _longer(result: ConfigurationResult) -> str | None:
    """Return the option for more epochs where the last one was the best in most runs; ``None`` where it was not."""
    num_last = sum(record.undertrained for record in result.records)
    return f"--freeze-epochs={2 * len(result.records[0].epochs)}" if 2 * num_last > len(result.records) else None


def _undertrained_text(result: ConfigurationResult) -> str:
    """Return in how many runs the last epoch was the best, as the end of a sentence."""
    num_last = sum(record.undertrained for record in result.records)
    return f"; the last epoch was the best in {num_last} of {counted(len(result.records), 'run')}"


def _majority_share(record: RunRecord) -> float | None:
    """Return the share of the most frequent class; ``None`` where sentences have no single class.

    Most words of a sentence are outside every entity: that is no fault of a test set.
    """
    data = record.data
    return None if data is None or data.task != "sequence-classification" else data.majority_share


def _is_near_one(numbers: Sequence[float]) -> bool:
    """Return whether labels of regression are of a size that a head which starts near 0 soon reaches."""
    deviation = statistics.pstdev(numbers)
    return 1 / _MOST_DEVIATION <= deviation <= _MOST_DEVIATION and abs(statistics.fmean(numbers)) <= _MOST_MEAN
