"""What the plan says of a test set before anything is trained."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import made_up_tasks
from experiments import settings
from freezebench.report.judging_plan import judging_lines
from freezebench.report.label_text import balance_sentence, few_of_subsets_sentence, tags_sentence, too_few_sentence
from freezebench.report.plan import resolution_line
from freezebench.scoring.metrics import ACCURACY, METRICS, metric_of
from freezebench.verdicts.metric_subsets import subsets_with_few_labels
from freezebench.verdicts.metric_values import too_few_labels
from made_up import facts

if TYPE_CHECKING:
    from freezebench.records.data_facts import DataFacts
    from freezebench.specs.names import TaskName

CASES = [(task, metric.name) for metric in METRICS.values() for task in metric.tasks if metric.num_classes is None]


def of_classes(*counts: int) -> DataFacts:
    """Return the facts of a test split with so many sentences of every class."""
    labels = tuple(number for number, num in enumerate(counts) for _ in range(num))
    return replace(facts(len(labels)), test_labels=labels, label_names=("account", "billing", "general")[: len(counts)])


def test_unbalanced_classes_have_their_shares() -> None:
    """With what the most frequent one gives away, and whether the other metric has enough examples."""
    sentence = balance_sentence(of_classes(4, 10, 26), ACCURACY)
    assert sentence == (
        "Unbalanced classes: the test sentences are of account 4 (10.0 %), billing 10 (25.0 %), general 26 (65.0 %). "
        "Always predicting general has an accuracy of 65.0 %, and a loss of account hardly shows in it. "
        "--freeze-metric=macro-f1 weighs all classes alike, but the test split has too few examples for it (4 of 20 "
        "needed examples of class account)."
    )
    enough = balance_sentence(of_classes(40, 100, 260), ACCURACY)
    assert enough is not None
    assert enough.endswith("--freeze-metric=macro-f1 weighs all classes alike.")
    other = balance_sentence(of_classes(40, 100, 260), METRICS["macro-f1"])
    assert other is not None
    assert other.endswith("general 260 (65.0 %).")


def test_balanced_classes_and_other_tasks_have_none() -> None:
    """Two to one is no imbalance, a class without a test sentence none that the split shows, and most words are O."""
    assert balance_sentence(of_classes(100, 200), ACCURACY) is None
    assert balance_sentence(of_classes(100, 0, 200), ACCURACY) is None
    words = made_up_tasks.run("token-classification").data
    assert words is not None
    assert balance_sentence(words, ACCURACY) is None


@pytest.mark.parametrize(
    ("names", "is_said"),
    [
        (("o", "b-per", "i-per"), True),
        (("O", "b-per", "i-per"), True),
        (("O", "B-per", "I-per"), False),
        (("adj", "noun", "x-verb"), False),
        (("o", "i"), False),
    ],
)
def test_tags_in_small_letters_are_said(names: tuple[str, ...], is_said: bool) -> None:
    """Before anything is trained: accuracy judges them, of which most words are outside of entities."""
    words = made_up_tasks.run("token-classification").data
    assert words is not None
    facts = replace(words, label_names=names, test_labels=tuple(label % len(names) for label in words.test_labels))
    metric = metric_of(None, "token-classification", names)
    lines = judging_lines(settings(), facts)
    said = [line for line in lines if "Write B-per and so on to be judged by entity F1." in line]
    assert len(said) == is_said
    assert (metric is ACCURACY) is (names[1] != "B-per")
    assert is_said == (tags_sentence(facts, metric) is not None)


def test_a_metric_that_cannot_be_judged_has_no_smallest_margin() -> None:
    """It is not known after the first runs, and the sentence names the class."""
    few = of_classes(4, 10, 26)
    sentence = too_few_sentence(few, METRICS["macro-f1"])
    assert sentence is not None
    assert sentence.startswith(
        "No configuration can be shown to be non-inferior by macro F1, whatever is trained: too few examples in the "
        "test split (4 of 20 needed examples of class account)."
    )
    own = settings(metric="macro-f1")
    assert resolution_line(own, few) == f"freezebench: {sentence}"
    enough = of_classes(40, 100, 260)
    assert str(resolution_line(own, enough)).endswith("is known after the first runs")
    # Once these are finished, the verdicts say it.
    assert resolution_line(own, enough, is_finished=True) is None
    assert resolution_line(settings(), enough, is_finished=True) == resolution_line(settings(), enough) is not None
    assert too_few_sentence(of_classes(40, 100, 260), METRICS["macro-f1"]) is None


@pytest.mark.parametrize("num_test", [24, 60])
@pytest.mark.parametrize(("task", "name"), CASES)
def test_plan_and_verdict_agree(task: TaskName, name: str, num_test: int) -> None:
    """What the plan calls too few, verdicts do; and they find no other reason in the labels."""
    fields = made_up_tasks.divided(task, num_test)
    metric = metric_of(name, task, made_up_tasks.LABELS[task])
    candidate = made_up_tasks.results(task, name, **fields)[1]
    data = candidate.records[0].data
    assert data is not None
    assert candidate.verdict is not None
    few = too_few_labels(data, metric)
    assert candidate.verdict.too_few == few or (few is None and metric.uses == "scores")
    known = dict(subsets_with_few_labels(data, metric))
    for subset in (*candidate.slices, *candidate.test_sets):
        why = subset.verdict.too_few if subset.verdict else subset.reason.removeprefix("too few examples: ")
        listed = known.get(f"{subset.kind} {subset.name}")
        assert why == listed or (listed is None and (metric.uses == "scores" or why == ""))


def test_subsets_without_a_verdict_are_named() -> None:
    """The test split has enough examples, a further test set has not."""
    data = made_up_tasks.run("sequence-classification", **made_up_tasks.divided("sequence-classification")).data
    assert data is not None
    assert few_of_subsets_sentence(data, ACCURACY) is None
    few = replace(data, test_sets=(*data.test_sets, made_up_tasks.further_set("sequence-classification", "tiny", 4)))
    assert too_few_sentence(few, ACCURACY) is None
    assert few_of_subsets_sentence(few, ACCURACY) == (
        "Too few examples for a verdict, whatever is trained: test set tiny (4, and an interval needs 10)."
    )
