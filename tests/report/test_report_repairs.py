"""What is likely to repair a configuration that has learned next to nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

import made_up
from experiments import judged, trained
from freezebench.report.gate_text import gate_sentence
from freezebench.report.next_steps import deciding_steps
from freezebench.report.repairs import repairing_steps
from freezebench.training.batches.unknown_tokens import unknown_note
from freezebench.verdicts.judge import judge
from made_up import seeds


def test_test_and_answer_have_one_remedy() -> None:
    """The option is whole, to be pasted in place of the present one."""
    result = trained("emb+L0-5", 0.54, 0.69)
    (step,) = repairing_steps(result)
    assert step == (
        "Try --freeze-lr=5e-05,emb+L0-5:0.00015: seed 42 at the rate 5e-05 (2 epochs, 600 steps) ended at a training "
        "loss of 0.69; guessing has 0.69."
    )
    assert gate_sentence(result).splitlines()[-1] == f"  {step}"
    assert deciding_steps([result], 2.0)[0] == step


def test_unknown_tokens_come_before_the_rate() -> None:
    """A model that does not see the words learns nothing at any rate."""
    result = trained("emb+L0-5", 0.54, 0.69, warnings=unknown_note({"train": (30, 100)}))
    assert repairing_steps(result) == (
        "Check the tokenizer of tiny before you change the rate: the tokenizer does not know 30 % of train.",
    )


def test_no_rate_below_that_of_the_baseline_is_advised() -> None:
    """What learns without freezing at a rate needs no lower one frozen, unless its own loss rose."""
    (step,) = repairing_steps(trained("emb", 0.54, 0.69, rate=5e-5, unfrozen_rate=3e-3))
    assert step.startswith("Try --freeze-lr=0.003,emb:0.003: ")
    (step,) = repairing_steps(trained("emb", 0.54, 0.69, rate=3e-3, unfrozen_rate=3e-3))
    assert step.startswith("Try --freeze-lr=0.003,emb:0.009: ")
    few = trained("emb", 0.54, 0.69, rate=3e-3, unfrozen_rate=3e-3, num_trainable_params=10)
    assert repairing_steps(few)[0].startswith("Try --freeze-lr=0.003,emb:0.03: ")
    risen = trained("emb", 0.54, 0.69, rate=3e-3, unfrozen_rate=3e-3, step_losses=(0.69, *(1.5,) * 599))
    (step,) = repairing_steps(risen)
    assert step.startswith("Try --freeze-lr=0.003,emb:0.0003: ")


def test_rates_of_earlier_sessions_are_not_advised_again() -> None:
    """The step says what they did."""
    result = trained("emb", 0.54, 0.69, rate=1e-3, unfrozen_rate=1e-3)
    tried = trained("emb", 0.54, 0.69, rate=1e-2, step_losses=(0.69, *(1.5,) * 599)).records
    (step,) = repairing_steps(replace(result, tried=tried))
    assert step.startswith("Try --freeze-lr=0.001,emb:0.003: ")
    assert step.endswith("; guessing has 0.69; tried before: 0.01 (the loss rose).")


def test_what_learns_at_no_rate_is_to_freeze_less() -> None:
    """No rate is left that is likely to help, and each session would try one more."""
    result = trained("emb", 0.54, 0.69, rate=1e-2, unfrozen_rate=1e-3)
    tried = [trained("emb", 0.54, 0.69, rate=rate).records for rate in (1e-3, 1e-1)]
    assert repairing_steps(replace(result, tried=tried[0]))[0].startswith("Try --freeze-lr=")
    every = replace(result, tried=(*tried[0], *tried[1]))
    step = "Freeze less: emb learned nothing at the rates 0.001, 0.01 and 0.1."
    assert repairing_steps(every) == (step,)
    assert gate_sentence(every).splitlines()[-1] == f"  {step}"


def test_few_steps_come_before_a_rate_that_learns_without_freezing() -> None:
    """The session as a whole trains for longer."""
    few = trained("emb", 0.54, 0.69, step_losses=(0.69,) * 60)
    assert repairing_steps(few)[0].startswith("Try --freeze-epochs=4: seed 42 at the rate 5e-05 (2 epochs, only 60 ")


def test_more_epochs_come_before_a_rate_above_that_of_the_baseline() -> None:
    """Unless few parameters train, or a rate of an earlier session was better."""
    few = trained("emb", 0.54, 0.69, step_losses=(0.69,) * 200)
    assert repairing_steps(few)[0].startswith("Try --freeze-epochs=4: seed 42 at the rate 5e-05 (2 epochs, 200 steps) ")
    head = trained("emb", 0.54, 0.69, step_losses=(0.69,) * 200, num_trainable_params=10)
    assert repairing_steps(head)[0].startswith("Try --freeze-lr=5e-05,emb:0.0005: ")
    worse = trained("emb", 0.54, 0.69, rate=1.5e-4, step_losses=(0.69,) * 200)
    (step,) = repairing_steps(replace(worse, tried=trained("emb", 0.7, 0.5).records))
    assert step.startswith("Try --freeze-epochs=4, and --freeze-lr=5e-05,emb:5e-05: ")
    assert step.endswith("; tried before: 5e-05 (validation loss 0.30).")


def test_a_head_alone_that_hardly_follows_the_baseline_needs_a_rate_far_above_it() -> None:
    """More of its parameters would need one near to it."""
    (step,) = repairing_steps(trained("emb", 0.7, 0.64, best_epoch=2, num_trainable_params=10))
    assert step.startswith("Try --freeze-lr=5e-05,emb:0.0005: ")
    (step,) = repairing_steps(trained("emb", 0.7, 0.55, best_epoch=2, num_trainable_params=10))
    assert step.startswith("Try --freeze-lr=5e-05,emb:0.00015: ")


def test_a_head_alone_at_the_rate_of_its_preset_trains_for_longer() -> None:
    """That rate was the best of several, so that ten times as much is no remedy."""
    result = trained("emb+L0-5", 0.7, 0.64, rate=5e-3, best_epoch=2, num_trainable_params=10)
    (step,) = repairing_steps(result)
    assert step.startswith("Try --freeze-lr=5e-05,emb+L0-5:0.05: ")
    specs = [replace(record.spec, model="embedded") for record in result.records]
    records = tuple(replace(run, spec=spec) for run, spec in zip(result.records, specs, strict=True))
    (step,) = repairing_steps(replace(result, records=records))
    assert step.startswith("Try --freeze-epochs=4: ")


def test_a_baseline_of_which_a_seed_has_learned_trains_for_longer() -> None:
    """Its rate is not too low for all of them."""
    learned, flat = trained("none", 0.9, 0.5).records[:2], made_up.one_class("none", seed=44)
    epochs = tuple(replace(epoch, train_loss=0.69) for epoch in flat.epochs)
    records = [*learned, replace(flat, epochs=epochs, step_losses=(0.69,) * 200)]
    (step,) = repairing_steps(judge("none", records, records, margin_pp=2.0, limit_pp=None))
    assert step.startswith("Try --freeze-epochs=4: seed 44 ")


def test_seeds_that_differ_count_together() -> None:
    """A rate at which most of them learned is none at which nothing was."""
    learned, flat = trained("emb", 0.8, 0.5).records, trained("emb", 0.54, 0.69).records
    mixed = judge("emb", [*learned[:2], flat[2]], trained("emb", 0.8, 0.5).baseline, margin_pp=2.0, limit_pp=None)
    assert mixed.has_lost
    higher = trained("emb", 0.54, 0.69, rate=1.5e-4).records
    (step,) = repairing_steps(replace(mixed, tried=higher))
    assert step.startswith("Try --freeze-epochs=4: seed 44 ")


def test_without_another_rate_there_are_more_epochs() -> None:
    """Where the next higher rate is too high, and nothing is between them."""
    result = trained("emb", 0.54, 0.69, rate=1e-2, unfrozen_rate=1e-2)
    tried = trained("emb", 0.54, 0.69, rate=3e-2, step_losses=(0.69, *(1.5,) * 599)).records
    assert repairing_steps(replace(result, tried=tried))[0].startswith("Try --freeze-epochs=4: ")


@pytest.mark.parametrize(
    ("loss", "best_epoch", "start"),
    [
        (0.64, 2, "Try --freeze-epochs=4: "),
        (0.55, 2, "Try --freeze-epochs=4: "),
        (0.50, 2, "Try --freeze-epochs=4: "),
    ],
)
def test_what_has_learned_less_needs_more_epochs(loss: float, best_epoch: int, start: str) -> None:
    """More epochs where the last one was the best."""
    (step,) = repairing_steps(trained("emb", 0.7, loss, best_epoch=best_epoch))
    assert step.startswith(start)
    assert f"training loss of {loss:.2f}; guessing has 0.69, and no freezing 0.50" in step
    assert ("the last epoch was the best in 3 of 3 runs" in step) is ("epochs" in start)


def test_a_baseline_whose_last_epoch_was_the_best_trains_for_longer() -> None:
    """Something was learned, and the loss was still falling."""
    runs = [
        replace(run, best_epoch=2, step_losses=(0.6 + run.spec.seed / 1e6,) * 200)
        for run in seeds("none", accuracy=0.52)
    ]
    (step,) = repairing_steps(judge("none", runs, runs, margin_pp=2.0, limit_pp=None))
    assert step.startswith("Try --freeze-epochs=4: ")


def test_what_fits_as_well_as_without_freezing_has_no_remedy() -> None:
    """No rate is the suspect: it is to freeze less."""
    result = judged("emb", 0.7, limit=5.0)
    assert repairing_steps(result) == ()
    assert gate_sentence(result).endswith("\n  Freeze less, or relax the limit.")
    assert repairing_steps(judged("emb", 0.9, limit=5.0)) == ()


def test_what_was_best_at_an_earlier_epoch_has_no_remedy() -> None:
    """Validation gained nothing from more training, whatever the training loss."""
    assert repairing_steps(trained("emb", 0.7, 0.64, best_epoch=1)) == ()
    assert repairing_steps(trained("emb", 0.7, 0.64, best_epoch=1, num_trainable_params=10)) == ()


def test_no_limit_is_to_be_relaxed_for_a_model_that_ignores_the_sentences() -> None:
    """It fails whatever its drop, so that a wider limit would change nothing."""
    records = [made_up.one_class("emb"), *seeds("emb", accuracy=0.9)[1:]]
    result = judge("emb", records, seeds("none", accuracy=0.9), margin_pp=90.0, limit_pp=90.0)
    assert gate_sentence(result).endswith("\n  Freeze less: no limit accepts a model that ignores the sentences.")


def test_a_head_below_guessing_may_have_its_classes_in_another_order() -> None:
    """No rate helps it, but a new head cannot be the reason, and a few sentences show nothing."""
    runs = [replace(run, new_parameters=()) for run in seeds("none", accuracy=0.2)]
    (step,) = repairing_steps(judge("none", runs, runs, margin_pp=2.0, limit_pp=None))
    assert step.startswith(
        "Check the order of the classes: the head of tiny is right for 18.0 % of the test sentences,"
    )
    for others in (
        [replace(run, new_parameters=("classifier.weight",)) for run in runs],
        [replace(run, new_parameters=()) for run in seeds("none", accuracy=0.49)],
    ):
        assert "order" not in " ".join(repairing_steps(judge("none", others, others, margin_pp=2.0, limit_pp=None)))
