"""What to do where an experiment gave no answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import made_up
import made_up_tasks
from experiments import SPLITS, judged, trained
from freezebench.records.scores import pack_scores
from freezebench.report.more_evidence import more_evidence, undecided_sentences
from freezebench.report.next_steps import deciding_steps, first_open
from freezebench.report.rate_search import usual_rate
from freezebench.report.repairs import repairing_steps
from freezebench.scoring.metrics import METRICS
from freezebench.specs.run import Protocol
from freezebench.verdicts.judge import judge
from freezebench.verdicts.noninferiority import decide

if TYPE_CHECKING:
    from freezebench.records.run_record import InvalidCause, RunRecord
    from freezebench.verdicts.judge import ConfigurationResult


def _with_protocol(record: RunRecord, **changes: Any) -> RunRecord:
    return replace(record, spec=replace(record.spec, protocol=replace(record.spec.protocol, **changes)))


def _invalid(cause: InvalidCause, **protocol: Any) -> ConfigurationResult:
    record = _with_protocol(replace(made_up.broken("none"), cause=cause), **protocol)
    return judge("none", [record], [record], margin_pp=2.0, limit_pp=None)


def _constant(
    *, loss: float = 0.693, rate: float = 5e-5, num_steps: int = 200, losses: tuple[float, ...] = (), **changes: Any
) -> ConfigurationResult:
    """Return an unfrozen configuration whose run predicts one class."""
    run = made_up.record(step_losses=losses or (loss,) * num_steps, **changes)
    assert run.test is not None
    run = replace(
        run,
        test=replace(run.test, predictions=(0,) * len(run.test.predictions)),
        epochs=tuple(replace(epoch, train_loss=loss) for epoch in run.epochs),
    )
    record = _with_protocol(run, learning_rate=rate)
    return judge("none", [record], [record], margin_pp=2.0, limit_pp=None)


@pytest.mark.parametrize(
    ("cause", "protocol", "step"),
    [
        ("non_finite_loss", {"learning_rate": 5e-5}, "Try --freeze-lr=5e-06: at 5e-05 the loss"),
        ("non_finite_loss", {"learning_rate": 1.0}, "Try --freeze-lr=0.007: at 1 the loss"),
        ("out_of_memory", {"batch_size": 32}, "Try --freeze-batch-size=16: a batch of 32 did not fit."),
        ("timeout", {}, "Allow more time with --freeze-timeout"),
    ],
)
def test_a_fault_suggests_what_to_change(cause: InvalidCause, protocol: dict[str, Any], step: str) -> None:
    """A smaller rate or batch, or more time."""
    assert repairing_steps(_invalid(cause, **protocol))[0].startswith(step)


def test_a_fault_without_a_known_remedy_suggests_nothing() -> None:
    """No advice is better than a guess."""
    assert repairing_steps(_invalid("crash")) == ()
    assert repairing_steps(_invalid("out_of_memory", batch_size=1)) == ()


@pytest.mark.parametrize(
    ("run", "step"),
    [
        (
            _constant(rate=1e-6),
            "Try --freeze-lr=5e-05: seed 42 at the rate 1e-06 (2 epochs, 200 steps) ended at a training loss of 0.69",
        ),
        (_constant(rate=3e-4), "Try --freeze-tune-lr=0.1,1,10, which tries lower and higher rates: seed 42"),
        (_constant(rate=0.2), "Try --freeze-lr=0.003: seed 42"),
        (_constant(rate=5e-3, losses=(0.69, *(0.8,) * 199)), "Try --freeze-lr=0.0005: seed 42"),
        (
            _constant(num_steps=20),
            "Try --freeze-epochs=10, or more training sentences: seed 42 at the rate 5e-05 (2 epochs, only 20 steps)",
        ),
        (_constant(rate=3e-3, num_steps=5), "Try --freeze-epochs=40, or more training sentences: seed 42"),
        (_constant(rate=3e-3, num_steps=50), "Try --freeze-epochs=4, and --freeze-tune-lr=0.1,1,10, which tries"),
        (_constant(num_steps=50), "Try --freeze-epochs=4, and --freeze-lr=0.0005: seed 42"),
        (
            _constant(rate=1e-6, num_steps=20),
            "Try --freeze-epochs=10, and --freeze-lr=5e-05, or more training sentences: seed 42",
        ),
        (_constant(), "Try --freeze-lr=0.0005: seed 42 at the rate 5e-05 (2 epochs, 200 steps) ended at a training "),
        (_constant(loss=0.2), "Check that the labels of training and test sentences mean the same: the training loss"),
    ],
    ids=[
        "low-rate",
        "small-model",
        "large-rate",
        "high-rate",
        "few-steps",
        "five-steps",
        "half-the-steps-of-a-large-rate",
        "half-the-steps",
        "low-rate-few-steps",
        "usual-rate",
        "learned",
    ],
)
def test_one_class_for_all_suggests_what_the_losses_say(run: ConfigurationResult, step: str) -> None:
    """A loss at that of guessing needs more steps or a higher rate, one that rose a lower rate."""
    assert repairing_steps(run)[0].startswith(step)


def test_one_class_of_a_lopsided_test_set_is_no_fault_of_training() -> None:
    """Where nearly all sentences have one class, predicting it is right."""
    result = _constant()
    (record,) = result.records
    assert record.data is not None
    lopsided = replace(record, data=replace(record.data, test_labels=(0,) * 390 + (1,) * 10))
    assert "98 % of the test sentences have one class" in repairing_steps(replace(result, records=(lopsided,)))[0]


def test_the_usual_rate_is_that_of_the_preset_of_the_model() -> None:
    """The packaged model needs higher rates than those of the papers."""
    record = made_up.broken("none")
    record = replace(record, spec=replace(record.spec, model="embedded"))
    record = _with_protocol(record, learning_rate=1.0)
    (step,) = repairing_steps(judge("none", [record], [record], margin_pp=2.0, limit_pp=None))
    assert "--freeze-lr=5e-05" not in step


def test_undecided_configurations_need_a_number_of_seeds_or_sentences() -> None:
    """Both are computed from the spread of the runs."""
    (step,) = deciding_steps([judged("emb", 0.872, limit=None)], 2.0)
    assert step.startswith("About ")
    assert "more seed" in step or "more test sentences" in step
    assert "would show that emb is non-inferior" in step


def test_nothing_is_advised_where_the_own_interval_decides() -> None:
    """A variance that is pooled over the grid can leave a configuration undecided that needs no more by its own."""
    result = judged("emb", 0.9)
    assert result.verdict is not None
    pooled = replace(result, verdict=replace(result.verdict, outcome="inconclusive"))
    assert deciding_steps([pooled], 2.0) == ()


def test_one_seed_has_no_spread() -> None:
    """Nothing can be computed from it, but two are more than one."""
    (step,) = deciding_steps([judged("emb", 0.9, num=1)], 2.0)
    assert "--freeze-num-seeds=3" in step


def test_no_number_of_seeds_undoes_a_loss() -> None:
    """Beyond the margin more seeds only prove the loss; without a measured cause no rate is a suspect."""
    (step,) = deciding_steps([judged("emb", 0.8)], 2.0)
    assert step.startswith("No number of seeds would show that emb is non-inferior, if its drop stays at ")


def test_a_rate_comes_first_where_a_configuration_guesses() -> None:
    """The last lines of a session show the first step."""
    steps = deciding_steps([trained("emb", 0.54, 0.69)], 2.0)
    assert steps[0].startswith("Try --freeze-lr=5e-05,emb:0.00015: seed 42 at the rate 5e-05 ")
    assert steps[1].startswith("No number of seeds would show that emb is non-inferior")


def test_a_loss_by_predicting_one_class_is_repaired() -> None:
    """The rate of that configuration is the suspect, not the number of seeds."""
    constant = [
        replace(
            _with_protocol(run, learning_rate=1e-7),
            test=run.test and replace(run.test, predictions=(0,) * len(run.test.predictions)),
            epochs=tuple(replace(epoch, train_loss=0.69) for epoch in run.epochs),
            step_losses=(0.69,) * 200,
        )
        for run in made_up.seeds("emb")
    ]
    result = judge("emb", constant, made_up.seeds("none"), margin_pp=2.0, limit_pp=None)
    steps = deciding_steps([result], 2.0)
    assert steps[0].startswith("Try --freeze-lr=5e-05,emb:5e-05: seed 42 at the rate 1e-07 (2 epochs, 200 steps) ended")
    assert steps[1].startswith("No number of seeds would show that emb is non-inferior, if its drop stays at ")


def test_the_usual_rate_of_a_strategy_is_its_multiple() -> None:
    """BitFit at 20 times the rate of all parameters is not too fast."""
    run = made_up.record("lora(r=4)")
    assert usual_rate(run) == pytest.approx(10 * Protocol.learning_rate)
    assert usual_rate(replace(run, spec=replace(run.spec, model="embedded"))) == pytest.approx(1.3e-3)


def test_the_first_open_prefix_is_decided_next() -> None:
    """Prefixes are tested in order; without one it is the smallest drop."""
    ladder = [judged("emb", 0.9), judged("emb+L0", 0.87), judged("emb+L0-1", 0.8)]
    assert first_open(ladder).freeze == "emb+L0"
    invalid = judge("emb", [made_up.broken("emb")], [made_up.record()], margin_pp=2.0, limit_pp=None)
    assert first_open([invalid, judged("emb+L0", 0.9)]).freeze == "emb"
    assert first_open([judged("L0", 0.8), judged("L1", 0.87)]).freeze == "L1"


def _baseline(accuracy: float, train_loss: float, validation_loss: float, *, num: int = 3) -> ConfigurationResult:
    """Return unfrozen runs with these losses, on balanced data whose counts are known."""
    runs = []
    for run in made_up.seeds("none", accuracy=accuracy, num=num, step_losses=()):
        epochs = tuple(
            replace(epoch, train_loss=train_loss, validation=replace(epoch.validation, loss=validation_loss))
            for epoch in run.epochs
        )
        runs.append(replace(run, epochs=epochs, data=run.data and replace(run.data, splits=SPLITS)))
    return judge("none", runs, runs, margin_pp=2.0, limit_pp=None)


def test_a_baseline_needs_more_of_what_the_interval_counts() -> None:
    """More sentences of the same two documents would not help."""
    result = _baseline(0.52, 0.60, 0.61)
    runs = []
    for run in result.records:
        assert run.data is not None
        spec = replace(run.spec, data=replace(run.spec.data, group_column="document"))
        runs.append(
            replace(
                run,
                spec=spec,
                data=replace(run.data, test_groups=tuple(number % 3 for number in range(run.data.num_test))),
            )
        )
    grouped = judge("none", runs, runs, margin_pp=2.0, limit_pp=None)
    (step,) = repairing_steps(grouped)
    assert step.startswith("Use more test groups (document) or more seeds (--freeze-num-seeds): validation shows")


@pytest.mark.parametrize(
    ("run", "step"),
    [
        (
            _baseline(0.47, 0.69, 0.70),
            "Try --freeze-lr=0.0005: seed 42 at the rate 5e-05 (2 epochs) ended at a training loss of 0.69; guessing",
        ),
        (_baseline(0.47, 0.20, 0.95), "Check the labels of all splits, or train on more sentences: the training loss"),
        (_baseline(0.52, 0.60, 0.61), "Use more test sentences or more seeds (--freeze-num-seeds): validation shows"),
        (
            _baseline(0.90, 0.20, 0.95),
            "Try --freeze-lr=2.5e-05 or fewer epochs, and check the labels of the validation",
        ),
    ],
    ids=["learned-nothing", "random-labels", "too-few-sentences", "overconfident"],
)
def test_a_baseline_that_learned_nothing_suggests_what_the_losses_say(run: ConfigurationResult, step: str) -> None:
    """A higher rate, right labels, more evidence, or a lower rate."""
    assert run.broken
    assert repairing_steps(run)[0].startswith(step)


def test_seeds_without_an_effect_suggest_where_to_look() -> None:
    """Something sets a seed of its own."""
    same = made_up.alike("none", 42, 43)
    result = judge("none", same, same, margin_pp=2.0, limit_pp=None)
    assert repairing_steps(result)[0].startswith("Look for code that sets a seed of its own")


def test_a_lost_class_suggests_to_freeze_less() -> None:
    """No number of seeds brings it back."""
    arms = made_up.three_classes("emb", (0, 1)), made_up.three_classes("none", (0, 1, 2))
    (step,) = deciding_steps([judge("emb", *arms, margin_pp=5.0, limit_pp=None)], 5.0)
    assert step == "Freeze less than emb."


@pytest.mark.parametrize(
    ("distance_pp", "step", "clause"),
    [
        (
            0.01,
            "Both more seeds and more test sentences are needed to show that emb is non-inferior, if ",
            "both more seeds and more ",
        ),
        (
            0.0001,
            "The drop, 1.6, is too close to ",
            "the drop, 1.6, is too close to ",
        ),
    ],
)
def test_what_more_of_one_kind_cannot_decide(distance_pp: float, step: str, clause: str) -> None:
    """Whether both together would is said alike in the answer and under the table."""
    result = judged("emb", 0.872)
    assert result.verdict is not None
    assert result.verdict.drop_pp is not None
    close = result.verdict.at_margin(result.verdict.drop_pp + distance_pp)
    result = replace(result, verdict=close)
    assert deciding_steps([result], close.margin_pp)[0].startswith(step)
    assert more_evidence(result, close).startswith(clause)


def test_several_sequences_need_more_evidence() -> None:
    """Each has a part of the error rate: what would be non-inferior alone needs further seeds as one of three."""
    alone, others = judged("bitfit", 0.88), [judged("L0", 0.7), judged("L1", 0.7)]
    assert deciding_steps([alone], 2.0) == ()
    (step,) = deciding_steps([alone, *others], 2.0)
    assert step.startswith(
        "About 1 more seed (--freeze-num-seeds=4) or 100 more test sentences would show that bitfit is non-inferior"
    )
    assert step.endswith("; its own verdict needs less, but 3 sequences share the error rate.")


@pytest.mark.parametrize("accuracy", [0.871, 0.872, 0.873])
def test_answer_and_notes_have_the_same_number(accuracy: float) -> None:
    """Of one sequence and one limit: in the answer, in the notes and in the reason of the test."""
    result = judged("emb", accuracy, limit=2.0)
    assert result.gate is not None
    (step,) = deciding_steps([result], 2.0)
    clause = step.removesuffix(".")
    own = clause.replace("that emb is", "that it is")
    assert own[0].lower() + own[1:] == more_evidence(result, result.gate)
    assert more_evidence(result, result.gate) in undecided_sentences([result])[0]


def test_too_few_examples_need_another_test_set() -> None:
    """More seeds would not help: the sentence names what there is too little of."""
    results = made_up_tasks.results("sequence-classification", "macro-f1", num_test=300)
    assert results[1].verdict is not None
    interval = results[1].verdict.interval
    assert interval is not None
    few = replace(results[1], verdict=decide(interval, 2.0, too_few="3 examples of class positive"))
    assert deciding_steps([few], 2.0) == (
        "Use a test set with more examples: 3 examples of class positive are too few to judge macro F1.",
    )
    (sentence,) = undecided_sentences([few])
    few_text = "too few examples (3 examples of class positive): use a test set that has more of them"
    assert sentence == f"Inconclusive: emb at 2 points: {few_text}."


def test_most_words_outside_entities_are_no_fault_of_a_test_set() -> None:
    """A tagger that learned nothing needs another rate, although one class has most words."""
    runs = [
        replace(run, epochs=tuple(replace(epoch, train_loss=5.0) for epoch in run.epochs), step_losses=(5.0,) * 200)
        for run in (made_up_tasks.run("token-classification", seed=seed) for seed in (42, 43, 44))
    ]
    tagless = [
        replace(
            run,
            data=replace(run.data, test_labels=(0,) * len(run.data.test_labels)),
            test=replace(run.test, predictions=(0,) * len(run.test.predictions), scores=None),
        )
        for run in runs
        if run.data is not None and run.test is not None
    ]
    result = judge("none", tagless, tagless, margin_pp=2.0, limit_pp=None, metric=METRICS["entity-f1"])
    assert result.broken is not None
    (step,) = repairing_steps(result)
    assert step.startswith("Try --freeze-lr=")


@pytest.mark.parametrize(("scale", "shift"), [(1e6, 0.0), (1e-6, 0.0), (1.0, -300.0)])
def test_numbers_far_from_those_of_a_new_head_are_to_be_rescaled(scale: float, shift: float) -> None:
    """Their loss stays at that of guessing whatever the rate."""
    runs = []
    for seed in (42, 43, 44):
        run = made_up_tasks.run("regression", seed=seed)
        assert run.data is not None
        assert run.test is not None
        values = tuple(scale * value + shift for value in run.data.test_values or ())
        scores = pack_scores(np.full((len(values), 1), seed, dtype=np.float32))
        epochs = tuple(replace(epoch, train_loss=1e20) for epoch in run.epochs)
        data, test = replace(run.data, test_values=values), replace(run.test, scores=scores)
        runs.append(replace(run, epochs=epochs, data=data, test=test))
    (step,) = repairing_steps(judge("none", runs, runs, margin_pp=2.0, limit_pp=None, metric=METRICS["pearson"]))
    assert step.startswith("Rescale the labels to a mean near 0 and a standard deviation near 1: they have ")
