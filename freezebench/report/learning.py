"""What the losses of a run show: whether it has learned anything, whether it was stable, and how long it trained."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from freezebench.units import counted
from freezebench.verdicts.baseline import constant_loss

if TYPE_CHECKING:
    from freezebench.records.run_record import RunRecord

# A training loss that ends above this share of that of guessing has hardly learned anything.
UNLEARNED = 0.95
# At too high a rate the loss rises before it falls. A tiny BERT that was trained at 5e-05 to 0.003 (0.003 learned) had
# no mean of five steps above its first loss; at 0.03, which learned nothing, one was 1.07 times as high, at 0.1 2.7
# times. Squared errors differ more between batches.
_RISEN, _RISEN_OF_SQUARES, _WINDOW = 1.05, 2.0, 5
FEWEST_STEPS = 100


def training_loss(record: RunRecord) -> float:
    """Return the mean training loss of the last epoch; infinite if there is none, or it is no number."""
    loss = record.epochs[-1].train_loss if record.epochs else math.inf
    return loss if math.isfinite(loss) else math.inf


def chance_loss(record: RunRecord) -> float:
    """Return the training loss of guessing by the frequencies of the classes, or evenly if they are not known."""
    data = record.data
    if data is None:
        return math.inf
    known = constant_loss(data, "train")
    return math.log(max(len(data.label_names), 2)) if known is None else known


def has_learned(record: RunRecord) -> bool:
    """Return whether the training loss ended clearly below that of guessing."""
    return training_loss(record) < UNLEARNED * chance_loss(record)


def is_unstable(record: RunRecord) -> bool:
    """Return whether the loss rose clearly above both its first value and that of guessing, or was not finite."""
    losses = record.step_losses
    if record.cause == "non_finite_loss" or not all(map(math.isfinite, losses)):
        return True
    if len(losses) < _WINDOW:
        return False
    windows = [losses[start : start + _WINDOW] for start in range(len(losses) - _WINDOW + 1)]
    start = max(losses[0], chance_loss(record) if record.data is not None else 0.0)
    is_squared = record.data is not None and record.data.task == "regression"
    return max(map(statistics.fmean, windows)) > (_RISEN_OF_SQUARES if is_squared else _RISEN) * start


def lowest_loss(record: RunRecord) -> float:
    """Return the lowest validation loss over the epochs; infinite if there is none."""
    loss = record.best_validation_loss
    return math.inf if loss is None or not math.isfinite(loss) else loss


def missing_share(record: RunRecord, baseline: RunRecord) -> float:
    """Return which share of the fall of the baseline's training loss below guessing a run has not reached."""
    chance, unfrozen = chance_loss(record), training_loss(baseline)
    fall = chance - unfrozen
    return (training_loss(record) - unfrozen) / fall if math.isfinite(fall) and fall > 0 else 0.0


def ended_text(record: RunRecord) -> str:
    """Return how the training of a run ended, as a clause: its rate, its length, its loss and that of guessing."""
    protocol, num_steps = record.spec.protocol, len(record.step_losses)
    only = "only " if num_steps < FEWEST_STEPS else ""
    steps = f", {only}{counted(num_steps, 'step')}" if num_steps else ""
    length = f"{counted(len(record.epochs), 'epoch')}{steps}"
    return (
        f"seed {record.spec.seed} at the rate {protocol.learning_rate:g} ({length}) ended at a training loss of "
        f"{record.epochs[-1].train_loss:.2f}; guessing has {chance_loss(record):.2f}"
    )
