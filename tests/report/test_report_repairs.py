"""What is likely to repair a configuration that has learned next to nothing."""

from __future__ import annotations

from dataclasses import replace

from experiments import judged
from freezebench.report.gate_text import gate_sentence
from freezebench.report.repairs import after_guessing, repairing_steps
from freezebench.training.batches.unknown_tokens import unknown_note
from freezebench.verdicts.judge import judge
from made_up import seeds


def test_a_configuration_that_guesses_needs_another_rate() -> None:
    """The option names the configuration, and a rate ten times as high."""
    result = judged("emb+L0-5", 0.54, limit=5.0)
    step = after_guessing(result)
    assert step == (
        "The accuracy of emb+L0-5, 53.8 %, is near that of always guessing the most frequent class, 50.0 %: try "
        "--freeze-lr=emb+L0-5:0.0005 instead of the rate 5e-05, or --freeze-tune-lr=1,3,10, which tries several rates."
    )
    assert gate_sentence(result).endswith(f"\n  {step}")


def test_unknown_tokens_come_before_the_rate() -> None:
    """A model that does not see the words learns nothing at any rate."""
    result = judged("emb+L0-5", 0.54, limit=5.0)
    runs = tuple(replace(run, warnings=unknown_note({"train": (30, 100)})) for run in result.records)
    assert after_guessing(replace(result, records=runs)) == (
        "Check the tokenizer of tiny before you change the rate: the tokenizer does not know 30 % of train."
    )


def test_the_rate_of_the_others_is_kept() -> None:
    """An option for one configuration alone would leave the others at the default rate."""
    result = judged("emb+L0-5", 0.54, limit=5.0)
    arms = [
        tuple(
            replace(run, spec=replace(run.spec, protocol=replace(run.spec.protocol, learning_rate=1e-4))) for run in arm
        )
        for arm in (result.records, result.baseline)
    ]
    step = after_guessing(replace(result, records=arms[0], baseline=arms[1]))
    assert step is not None
    assert "try --freeze-lr=0.0001,emb+L0-5:0.001 instead of the rate 0.0001," in step


def test_a_smaller_loss_is_no_guessing() -> None:
    """Well above guessing the rate is not the suspect; without a drop nothing is."""
    assert after_guessing(judged("emb", 0.7, limit=5.0)) is None
    assert after_guessing(judged("emb", 0.9, limit=5.0)) is None


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
