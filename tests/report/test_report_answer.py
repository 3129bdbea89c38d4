"""The answer of an experiment in plain words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import made_up
import made_up_tasks
from experiments import judged, partly_fixed_experiment
from freezebench.report.answer import _beyond_freezing, answer, drop_text
from freezebench.report.rows import row
from freezebench.runs.several_devices import trained_beside_others
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.strategy import StrategySpec
from freezebench.verdicts.gate import Part
from freezebench.verdicts.judge import ConfigurationResult, judge

if TYPE_CHECKING:
    from freezebench.report.answer import Answer
    from freezebench.verdicts.judge import ConfigurationResult


def _answer(*results: ConfigurationResult) -> Answer:
    return answer(results, [row(result) for result in results], 2.0)


def _broken(freeze: str) -> ConfigurationResult:
    return judge(freeze, [made_up.broken(freeze)], [made_up.record()], margin_pp=2.0, limit_pp=None)


def test_a_safe_configuration_is_named_with_its_drop_and_how_to_use_it() -> None:
    """The headline says what to freeze; the next step is a line of code."""
    found = _answer(judged("none", 0.9), judged("emb", 0.9), judged("emb+L0", 0.7))
    assert found.outcome == "safe"
    assert found.headline.startswith(
        "Freeze emb: accuracy stays within 2 points of no freezing (gain 0.5, drop at most 0.1), "
    )
    assert found.headline.endswith(", training is 2.0× faster and 70 % of the parameters train.")
    assert found.details == (
        "It takes 25 % less peak memory.",
        "The next deeper one, emb+L0, is inferior (drop 18.8, at least 15.7).",
    )
    assert 'freezebench.freeze(model, "emb")' in found.next_steps[0]


def test_what_the_recommended_configuration_loses_elsewhere_comes_first() -> None:
    """Within the margin on the whole test set, it may lose far more on texts of another kind."""
    found = judged("emb", 0.9)
    assert _answer(judged("none", 0.9), found).outcome == "safe"
    subset = made_up_tasks.subset
    found = replace(
        found,
        slices=(subset("slice", "books", 0.0), subset("slice", "films", 4.0)),
        test_sets=(subset("test set", "tweets", 12.0),),
    )
    assert _answer(judged("none", 0.9), found).details[0] == (
        "It loses more than the margin on slice films (drop +4.0 [+3.0, +5.0]), test set tweets (drop +12.0 [+11.0, "
        "+13.0])."
    )


def test_other_rates_of_the_recommended_configuration_are_named() -> None:
    """Without its learning rate the answer could not be used."""
    frozen = [
        replace(record, spec=replace(record.spec, protocol=replace(record.spec.protocol, learning_rate=1e-4)))
        for record in made_up.seeds("emb")
    ]
    result = judge("emb", frozen, made_up.seeds("none"), margin_pp=2.0, limit_pp=None)
    assert "at a learning rate of 0.0001 (5e-05 without freezing)" in _answer(judged("none", 0.9), result).next_steps[0]


def test_a_deeper_configuration_that_is_undecided_is_a_detail() -> None:
    """It is what keeps the answer from being deeper; an invalid one has a line of its own under the table."""
    first = judged("none", 0.9), judged("emb", 0.9)
    assert _answer(*first, _broken("emb+L0")).details == ("It takes 25 % less peak memory.",)
    _, undecided = _answer(*first, judged("emb+L0", 0.87)).details
    assert undecided.startswith("The next deeper one, emb+L0, is inconclusive (drop ")


def test_nothing_safe_says_what_would_decide() -> None:
    """The next step is computed from the runs."""
    found = _answer(judged("none", 0.9), judged("emb", 0.872))
    assert (found.outcome, found.headline) == (
        "nothing_safe",
        "No configuration is non-inferior at a margin of 2 points.",
    )
    assert "emb" in found.next_steps[0]


def test_an_invalid_prefix_is_what_keeps_deeper_ones_from_being_safe() -> None:
    """Nothing is said against the deeper one, which is proven alone, and the next step repairs the invalid one."""
    found = _answer(judged("none", 0.9), _broken("emb"), judged("emb+L0", 0.9))
    assert found.outcome == "nothing_safe"
    assert found.details == (
        "emb is invalid.",
        "emb+L0 would be non-inferior alone, but prefixes are judged in order, least frozen first.",
    )
    assert [step.partition("=")[0] for step in found.next_steps] == ["Try --freeze-lr"]


def test_limits_that_are_missed_are_no_lack_of_evidence() -> None:
    """A configuration within the margin that misses a required saving is named with it."""
    part = Part(quantity="train time", standing="worse", sentence="train time: 1.10× of at least 1.5× of no freezing")
    found = _answer(judged("none", 0.9), replace(judged("emb", 0.9), parts=(part,)))
    assert found.outcome == "nothing_safe"
    assert found.headline == (
        "No configuration passes all its limits: emb is non-inferior at a margin of 2 points, but train time: 1.10× "
        "of at least 1.5× of no freezing."
    )


def test_an_invalid_baseline_fails_the_experiment() -> None:
    """The cause is named once, whatever else is invalid."""
    broken = judge("none", [made_up.broken("none")], [made_up.broken("none")], margin_pp=2.0, limit_pp=None)
    candidate = judge("emb", made_up.seeds("emb", num=1), [made_up.broken("none")], margin_pp=2.0, limit_pp=None)
    found = _answer(broken, candidate)
    assert found.outcome == "failed"
    assert found.headline == (
        "The experiment failed: the unfrozen baseline is invalid: seed 42: non-finite loss: at step 3."
    )
    assert found.next_steps[0].startswith("Try --freeze-lr=")


def test_invalid_candidates_alone_fail_it_too() -> None:
    """There is nothing to compare with the baseline."""
    found = _answer(judged("none", 0.9), _broken("emb"), _broken("emb+L0"))
    assert found.outcome == "failed"
    assert found.headline == "The experiment failed: emb is invalid: seed 42: non-finite loss: at step 3."


def test_the_baseline_alone_is_no_comparison() -> None:
    """It says its accuracy, and how to compare."""
    found = _answer(judged("none", 0.9))
    assert found.outcome == "no_candidate"
    assert "--freeze-grid=all" in found.next_steps[0]
    assert "(accuracy 89.3 %)" in found.headline


def test_gains_and_losses_have_words() -> None:
    """A negative drop is a gain, and a proven loss has its lower bound."""
    example = row(judged("emb", 0.9))
    figures = [
        (0.6, 0.0, 1.3),
        (-0.3, -1.4, 0.8),
        (-2.0, -3.0, -1.0),
        (-0.04, -1.0, 1.0),
        (1.0, 0.0, 1.96),
        (None, None, None),
    ]
    texts = [
        drop_text(replace(example, drop_pp=drop, lower_pp=lower, upper_pp=upper), 2.0) for drop, lower, upper in figures
    ]
    assert texts == [
        "drop 0.6, at most 1.3",
        "gain 0.3, drop at most 0.8",
        "gain 2.0, at least 1.0",
        "drop 0.0, at most 1.0",
        # A bound is not rounded to the margin that it is compared with.
        "drop 1.0, at most 1.96",
        "drop –",
    ]
    assert (
        drop_text(replace(example, drop_pp=13.1, lower_pp=11.1, verdict="inferior"), 2.0) == "drop 13.1, at least 11.1"
    )


def test_shares_count_from_what_trains_without_freezing() -> None:
    """Where the model itself has parameters fixed, the headline says so, and the next step keeps them fixed."""
    shown = partly_fixed_experiment().summary.answer
    assert shown.outcome == "safe"
    assert shown.headline.endswith(", training is 3.0× faster and 25 % of the trainable parameters train.")
    assert 'freezebench.freeze(model, "emb+L0", fixed=NAMES), with the names of' in shown.next_steps[0]


def test_what_was_not_run_is_nothing_to_compare() -> None:
    """The answer says why, for each reason, and with the baseline's accuracy where it ran."""
    same = ConfigurationResult.not_run("emb", same_as="none")
    more = ConfigurationResult.not_run("emb+L0", same_as="none")
    empty = ConfigurationResult.not_run("emb+L0-1", left_out="nothing of tiny would be left to train")
    accuracy = judged("none", 0.9).records[0].test
    assert accuracy is not None
    headlines = {
        (same,): "Nothing to compare: emb trains the same parameters as none.",
        (same, more): "Nothing to compare: emb, emb+L0 train the same parameters as none.",
        (empty,): "Nothing to compare: emb+L0-1 is left out, since nothing of tiny would be left to train.",
        (same, empty): (
            "Nothing to compare: emb trains the same parameters as none, and emb+L0-1 is left out, since nothing of "
            "tiny would be left to train."
        ),
    }
    for results, headline in headlines.items():
        found = _answer(*results)
        assert (found.outcome, found.headline) == ("no_candidate", headline)
        assert "requires_grad=False" in found.next_steps[0]
        with_baseline = _answer(judged("none", 0.9), *results)
        assert with_baseline.headline == headline[:-1] + " (accuracy 89.3 %)."


def test_what_was_not_run_changes_no_other_answer() -> None:
    """Neither a recommendation, nor an undecided one, nor that everything else is invalid."""
    extra = [
        ConfigurationResult.not_run("L0", same_as="none"),
        ConfigurationResult.not_run("emb+L0-1", left_out="nothing of tiny would be left to train"),
    ]
    for results in (
        [judged("none", 0.9), judged("emb", 0.9), judged("emb+L0", 0.7)],
        [judged("none", 0.9), judged("emb", 0.7)],
        [judged("none", 0.9), _broken("emb")],
    ):
        assert _answer(*results, *extra) == _answer(*results)


def test_runs_that_trained_beside_others_need_another_session_for_a_speed_up() -> None:
    """The answer says how; what is safe does not depend on times."""
    arms = {
        freeze: [trained_beside_others(run, shares_processor=True) for run in made_up.seeds(freeze, accuracy=0.9)]
        for freeze in ("none", "emb")
    }
    found = _answer(*(judge(name, arms[name], arms["none"], margin_pp=2.0, limit_pp=None) for name in arms))
    assert found.headline.endswith("; its speed-up was not measured.")
    assert found.next_steps[1] == (
        "To know its speed-up: train one run at a time with --freeze-devices=cpu --freeze-resume=no."
    )


def test_a_strategy_is_explained_and_the_choice_is_corrected() -> None:
    """Its name alone says little; of several alternatives, the best one is the luckiest."""
    few = [replace(run, num_trainable_params=2) for run in made_up.seeds("bitfit")]
    bitfit = judge("bitfit", few, made_up.seeds("none"), margin_pp=2.0, limit_pp=None)
    found = _answer(judged("none", 0.9), judged("emb", 0.7), bitfit)
    assert found.headline.startswith(
        "Use bitfit (trains biases and the head): accuracy stays within 2 points of no freezing ("
    )
    assert found.headline.endswith(" and 0.2 % of the parameters train.")
    assert 'freezebench.freeze(model, "bitfit")' in found.next_steps[0]
    assert found.details == (
        "It takes 50 % less peak memory.",
        (
            "2 sequences of nested configurations were compared, and they share the error rate of one verdict (Holm's "
            "method)."
        ),
    )


def test_what_is_safe_only_alone_is_named() -> None:
    """Its verdict in the table says non-inferior, and nothing is recommended."""
    lucky = judged("bitfit", 0.9)
    assert lucky.verdict is not None
    lucky = replace(lucky, verdict=replace(lucky.verdict, drop_pp=1.2, upper_pp=1.99, se_pp=0.4, df=10.0))
    others = [judged("L0", 0.7), judged("L1", 0.7)]
    found = _answer(judged("none", 0.9), *others, lucky)
    assert (found.outcome, found.headline) == (
        "nothing_safe",
        "No configuration can be recommended at a margin of 2 points.",
    )
    assert found.details[0].startswith("bitfit would be non-inferior alone (drop 1.2, at most 1.99).")
    assert found.details[1].startswith("3 sequences of nested configurations were compared, and they share ")
    assert found.details[1].endswith("(Holm's method).")


class _Epochs(StrategySpec):
    """Decides when parameters train."""

    name = "later"
    kind = "schedule"


class _Rates(StrategySpec):
    """Decides at which rates they train."""

    name = "slower"
    kind = "rates"


def test_what_freezing_a_model_leaves_to_the_training_is_named() -> None:
    """Epochs and rates are no property of a model."""
    assert list(_beyond_freezing(FreezeSpec.parse("emb+bitfit"))) == []
    assert list(_beyond_freezing(FreezeSpec(strategies=(_Epochs(),)))) == [
        "freezebench.freeze only makes parameters trainable: your training has to apply the epochs of later."
    ]
    (both,) = _beyond_freezing(FreezeSpec(strategies=(_Epochs(), _Rates())))
    assert both.endswith(" your training has to apply the epochs and the rates of later and slower.")
