"""What the losses of a run show."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

import made_up
import made_up_tasks
from freezebench.report.learning import (
    chance_loss,
    ended_text,
    has_learned,
    is_unstable,
    lowest_loss,
    missing_share,
    training_loss,
)


@pytest.mark.parametrize(
    ("losses", "is_risen"),
    [
        ((1.093, *(1.09,) * 30), False),
        ((1.093, *(0.86,) * 30), False),
        ((1.093, *(1.5, 0.9) * 15), True),
        ((1.093, *(1.093, 1.6, 0.9, 0.9, 0.9) * 6), False),
        ((0.69, *(0.7, 0.71) * 15), False),
        ((0.2, *(0.6, 0.5) * 15), False),
        ((0.69, math.nan), True),
        ((0.69, 5.0), False),
    ],
    ids=["too-low", "guesses", "too-high", "one-batch", "pretrained", "fine-tuned-before", "nan", "too-few-steps"],
)
def test_a_loss_that_rises_in_several_steps_is_unstable(losses: tuple[float, ...], is_risen: bool) -> None:
    """One batch may be hard; a checkpoint that was fine-tuned begins below guessing."""
    assert is_unstable(made_up.record(step_losses=losses)) is is_risen


def test_squared_errors_may_differ_more() -> None:
    """A batch of far ratings is no instability."""
    run = made_up_tasks.run("regression", seed=42)
    guessing = chance_loss(run)
    assert not is_unstable(replace(run, step_losses=(guessing, *(1.5 * guessing,) * 30)))
    assert is_unstable(replace(run, step_losses=(guessing, *(3 * guessing,) * 30)))


def test_learning_is_a_loss_below_guessing() -> None:
    """Of two classes guessing has 0.69; a run without an epoch has learned nothing."""
    run = made_up.record()
    assert has_learned(run)
    assert (training_loss(run), round(chance_loss(run), 2), lowest_loss(run)) == (0.5, 0.69, 0.3)
    broken = made_up.broken("none")
    assert not has_learned(replace(broken, epochs=()))
    assert lowest_loss(replace(broken, epochs=())) == math.inf


def test_what_a_run_misses_is_a_share_of_the_fall_without_freezing() -> None:
    """Half the fall is half missed; a baseline that did not fall gives no measure."""
    baseline = made_up.record()
    chance = chance_loss(baseline)
    half = replace(baseline, epochs=tuple(replace(epoch, train_loss=(0.5 + chance) / 2) for epoch in baseline.epochs))
    flat = replace(baseline, epochs=tuple(replace(epoch, train_loss=chance) for epoch in baseline.epochs))
    assert missing_share(half, baseline) == pytest.approx(0.5)
    assert missing_share(baseline, baseline) == 0
    assert missing_share(baseline, flat) == 0


def test_the_text_has_rate_length_and_both_losses() -> None:
    """Few steps are called that."""
    few = made_up.record(step_losses=(0.7,) * 60)
    assert ended_text(few) == (
        "seed 42 at the rate 5e-05 (2 epochs, only 60 steps) ended at a training loss of 0.50; guessing has 0.69"
    )
    assert "(2 epochs, 200 steps)" in ended_text(replace(few, step_losses=(0.7,) * 200))
    assert "(2 epochs)" in ended_text(replace(few, step_losses=()))
