"""What is likely to repair runs that are invalid, or that have learned next to nothing, and tests that fail.

Every piece of advice follows from figures of the runs and names them; where none applies, none is given.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from freezebench.records.run_record import UNKNOWN_TOKENS, values_of
from freezebench.report.data_text import units_of_run
from freezebench.report.metric_text import result_metric
from freezebench.specs.grid import PerSpec
from freezebench.specs.interim_looks import ALPHA_ONE_LOOK
from freezebench.specs.presets import PRESETS, learning_rate
from freezebench.specs.run import Protocol
from freezebench.units import percent_text
from freezebench.verdicts.baseline import baseline_fault, constant_loss, lowest_validation_losses
from freezebench.verdicts.constant import is_constant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.metric import Metric
    from freezebench.verdicts.baseline import BaselineFault
    from freezebench.verdicts.judge import ConfigurationResult

# A training loss that ends above this share of the logarithm of the number of classes has hardly learned anything.
_UNLEARNED = 0.95
# A rate further below the usual one than this factor is the first suspect; a higher one further above it, since small
# models need higher rates.
_FAR = 3.0
_FAR_ABOVE = 10.0
# From this share of the test sentences on, predicting one class for all of them is a result and no fault.
_LOPSIDED = 0.9
_FEWEST_STEPS = 100
# Of what training without freezing gains over guessing, a configuration with less than this share is near guessing.
_NEAR_GUESSING = 0.25
# So many standard errors below guessing is no chance.
_CLEARLY = 3.0
_HIGHER = 10  # heads alone are usually trained at rates 10 to 100 times as high as those of whole encoders
_TUNING, _AROUND = "--freeze-tune-lr=1,3,10", "--freeze-tune-lr=0.2,1,3"
# Usual ratings have a mean of up to 10 and a standard deviation between 0.1 and 3; AdamW moves a bias by the rate per
# step.
_MOST_MEAN, _MOST_DEVIATION = 20.0, 20.0


def after_guessing(result: ConfigurationResult) -> str | None:
    """Return which rate to try for a configuration that has learned next to nothing; ``None``: it has learned more."""
    own, unfrozen = (
        values_of((record for record in arm if record.is_valid), "accuracy")
        for arm in (result.records, result.baseline)
    )
    share = _majority_share(result.records[0]) if result.records else None
    if not own or not unfrozen or share is None:
        return None
    accuracy, gained = statistics.fmean(own), statistics.fmean(unfrozen) - share
    if gained <= 0 or accuracy - share > _NEAR_GUESSING * gained:
        return None
    if step := _after_unknown_tokens(result.records[0]):
        return step
    record, others = result.records[0], result.baseline[0].spec.protocol.learning_rate
    rate, usual = record.spec.protocol.learning_rate, _usual_rate(record)
    better = (
        usual
        if rate < usual / _FAR or (rate > usual * _FAR_ABOVE and not _has_learned(record))
        else min(_HIGHER * rate, 1.0)
    )
    # A rate that is given for one configuration alone leaves the default rate to all others.
    option = rate_option(record, better, "" if others == Protocol().learning_rate else f"{others:g},")
    tuning = "" if result.tuned_rate is not None else f", or {_TUNING}, which tries several rates"
    return (
        f"The accuracy of {result.freeze}, {percent_text(accuracy)}, is near that of always guessing the most frequent "
        f"class, {percent_text(share)}: try {option} instead of the rate {rate:g}{tuning}."
    )


def repairing_steps(result: ConfigurationResult) -> tuple[str, ...]:
    """Return what is likely to make the runs of an invalid configuration valid."""
    broken = next((record for record in result.records if not record.is_valid), None)
    if broken is not None:
        step = _after_fault(broken)
    elif result.is_baseline:
        alpha = ALPHA_ONE_LOOK if result.verdict is None else result.verdict.alpha
        fault = baseline_fault(result.records, alpha=alpha, metric=result_metric(result))
        step = None if fault is None else _after_baseline_fault(fault, result.records, result_metric(result))
    else:
        metric = result_metric(result)
        constant = next((record for record in result.records if is_constant(record, metric)), None)
        step = None if constant is None else _after_one_class(constant)
    return () if step is None else (step,)


def _after_fault(record: RunRecord) -> str | None:
    """Return what to change after a run that broke; ``None`` where its cause suggests nothing."""
    protocol = record.spec.protocol
    match record.cause:
        case "non_finite_loss":
            usual = _usual_rate(record)
            lower = usual if protocol.learning_rate > _FAR * usual else protocol.learning_rate / 10
            fault = f"at {protocol.learning_rate:g} the loss became infinite or not a number"
            return f"Try {rate_option(record, lower)}: {fault}."
        case "out_of_memory" if protocol.batch_size > 1:
            half = protocol.batch_size // 2
            return f"Try --freeze-batch-size={half}: a batch of {protocol.batch_size} did not fit."
        case "timeout":
            return "Allow more time with --freeze-timeout, or train less with --freeze-max-train."
        case _:
            return None


def _after_baseline_fault(fault: BaselineFault, records: Sequence[RunRecord], metric: Metric) -> str | None:
    """Return what to change where completed unfrozen runs are no measure for others."""
    if fault.kind == "same_seeds":
        return "Look for code that sets a seed of its own: a model factory, a conftest, the model's own code."
    if fault.kind == "one_class":
        return _after_one_class(next(record for record in records if is_constant(record, metric)))
    if fault.kind == "not_above_majority" and (step := _after_other_order(records)):
        return step
    # The run that learned least is the one to repair.
    record = max(records, key=lambda record: record.epochs[-1].train_loss if record.epochs else math.inf)
    is_lopsided = (_majority_share(record) or 0.0) > _LOPSIDED
    if not _has_learned(record) or (fault.kind == "not_above_majority" and is_lopsided):
        return _after_one_class(record)
    return _after_learning(fault, record, min(lowest_validation_losses(records), default=math.inf))


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


def _after_learning(fault: BaselineFault, record: RunRecord, lowest: float) -> str:
    """Return what to change where the training loss fell, but validation or test show nothing of it.

    Args:
        fault: The fault of the baseline.
        record: Its run that learned least.
        lowest: Lowest validation loss of all its runs.
    """
    loss, chance, rate = record.epochs[-1].train_loss, _chance(record), record.spec.protocol.learning_rate
    fell = f"the training loss fell to {loss:.2f}, the validation loss to {lowest:.2f}, and guessing gives {chance:.2f}"
    accuracy, share = record.value("accuracy"), _majority_share(record)
    if fault.kind == "loss_not_below_frequencies" and accuracy and share and accuracy > share:
        # Right more often than by guessing, but too sure where it is wrong.
        lower = _usual_rate(record) if rate > _FAR * _usual_rate(record) else rate / 2
        return (
            f"Try {rate_option(record, lower)} or fewer epochs, and check the labels of the validation split: {fell}."
        )
    if lowest < _UNLEARNED * chance:
        return (
            f"Use more {units_of_run(record)} or more seeds (--freeze-num-seeds): validation shows that something was "
            "learned."
        )
    return f"Check the labels of all splits, or train on more sentences: {fell}."


def _majority_share(record: RunRecord) -> float | None:
    """Return the share of the most frequent class; ``None`` where sentences have no single class.

    Most words of a sentence are outside every entity: that is no fault of a test set.
    """
    data = record.data
    return None if data is None or data.task != "sequence-classification" else data.majority_share


def _chance(record: RunRecord) -> float:
    """Return the training loss of guessing by the frequencies of the classes, or evenly if they are not known."""
    data = record.data
    if data is None:
        return math.inf
    known = constant_loss(data, "train")
    return math.log(len(data.label_names)) if known is None else known


def _has_learned(record: RunRecord) -> bool:
    """Return whether the training loss ended clearly below that of guessing."""
    return bool(record.epochs) and record.epochs[-1].train_loss < _UNLEARNED * _chance(record)


def _after_one_class(record: RunRecord) -> str | None:
    """Return what to change where one class was predicted for every test sentence, or hardly anything else."""
    share = _majority_share(record)
    if record.data is None or not record.epochs:
        return None
    if share is not None and share > _LOPSIDED:
        return (
            f"{percent_text(share, 0)} of the test sentences have one class: use a balanced test set, or a larger one."
        )
    loss, chance = record.epochs[-1].train_loss, _chance(record)
    if _has_learned(record):
        return (
            f"Check that the labels of training and test sentences mean the same: the training loss fell to {loss:.2f}."
        )
    return _after_unknown_tokens(record) or _after_no_learning(
        record, f"the training loss ended at {loss:.2f}, and guessing gives {chance:.2f}"
    )


def _after_no_learning(record: RunRecord, fell: str) -> str:
    """Return what to change where the training loss stayed at that of guessing, which ``fell`` says in words."""
    rate, usual = record.spec.protocol.learning_rate, _usual_rate(record)
    numbers = record.data.test_values if record.data is not None else None
    if numbers and not _is_near_one(numbers):
        mean, deviation = statistics.fmean(numbers), statistics.pstdev(numbers)
        return (
            f"Rescale the labels to a mean near 0 and a standard deviation near 1: they have {mean:.4g} and "
            f"{deviation:.4g}, and a new head starts near 0; {fell}."
        )
    if rate < usual / _FAR:
        changes = [f"{rate_option(record, usual)}, {usual / rate:.0f} times the rate that was used"]
    elif rate > usual * _FAR_ABOVE:
        changes = [f"{rate_option(record, usual)}, 1/{rate / usual:.0f} of the rate that was used"]
    elif rate > usual * _FAR:
        changes = [f"{_AROUND}, which tries lower and higher rates"]
    else:
        changes = []
    num_steps = len(record.step_losses)
    if num_steps < _FEWEST_STEPS:  # in the same sentence, since a session that changes one alone may end the same
        changes.append(f"--freeze-epochs={math.ceil(len(record.epochs) * _FEWEST_STEPS / max(num_steps, 1))}")
        fell += f" after only {num_steps} steps"
    return f"Try {', and '.join(changes) or rate_option(record, 2 * rate)}: {fell}."


def _after_unknown_tokens(record: RunRecord) -> str | None:
    """Return what to check before the rate, where the tokenizer does not know many tokens."""
    warning = next((warning for warning in record.warnings if warning.startswith(UNKNOWN_TOKENS)), None)
    if warning is None:
        return None
    return f"Check the tokenizer of {record.spec.model} before you change the rate: {warning.partition(':')[0]}."


def _is_near_one(numbers: Sequence[float]) -> bool:
    """Return whether labels of regression are of a size that a head which starts near 0 soon reaches."""
    deviation = statistics.pstdev(numbers)
    return 1 / _MOST_DEVIATION <= deviation <= _MOST_DEVIATION and abs(statistics.fmean(numbers)) <= _MOST_MEAN


def rate_option(record: RunRecord, rate: float | None = None, others: str = "") -> str:
    """Return the option for the rate of a run's configuration, as one word for a shell.

    Args:
        record: The run.
        rate: The rate; ``None``: an ellipsis in its place.
        others: The rate of all other configurations with a comma; empty: it is not given.
    """
    freeze = record.spec.freeze
    option = "--freeze-lr=" if freeze == "none" else f"--freeze-lr={others}{freeze}:"
    # A shell would not take the parentheses of arguments as text.
    mark = '"' if "(" in freeze else ""
    return f"{mark}{option}{'…' if rate is None else f'{rate:g}'}{mark}"


def _usual_rate(record: RunRecord) -> float:
    """Return the rate that a preset gives this model and configuration, else the usual one of fine-tuning."""
    for preset in PRESETS.values():
        if preset.model == record.spec.model:
            return learning_rate(record.spec.freeze, preset.learning_rates, preset.protocol)
    return learning_rate(record.spec.freeze, PerSpec(), Protocol())
