"""Tests of classes whose recall freezing lowers."""

from __future__ import annotations

import pytest

import made_up
import made_up_scores
from freezebench.specs.names import TaskName
from freezebench.verdicts.class_losses import _carrying_text, carrying_classes, class_evidence, lost_class_sentence
from freezebench.verdicts.subsets import judge_subsets


def test_a_class_is_lost_if_no_seed_predicts_it() -> None:
    """One seed that predicts it suffices, be it wrong."""
    baseline, records = made_up.three_classes("none", (0, 1, 2)), made_up.three_classes("emb", (0, 1))
    assert lost_class_sentence(records, baseline, alpha=0.05) is not None
    found = [*records[:2], made_up.three_classes("emb", (0, 1, 2))[2]]
    assert lost_class_sentence(found, baseline, alpha=0.05) is None
    # What the unfrozen runs do not recognise is not lost by freezing.
    assert lost_class_sentence(records, made_up.three_classes("none", (0, 1)), alpha=0.05) is None


def test_a_class_is_lost_if_hardly_any_of_its_sentences_are_recognised() -> None:
    """One right answer among a thousand sentences is no more than none; a fifth of the class is kept."""
    labels = [1] * 30 + [0] * 970
    sound = made_up.predicting("none", labels, [1] * 27 + [0] * 973)
    for num_found, is_lost in ((1, True), (2, True), (6, False)):
        candidate = made_up.predicting("emb", labels, [1] * num_found + [0] * (1000 - num_found))
        assert (lost_class_sentence(candidate, sound, alpha=0.05) is not None) == is_lost
    # Predicted, but for the sentences of the other class alone.
    elsewhere = made_up.predicting("emb", labels, [0] * 999 + [1])
    assert (
        lost_class_sentence(elsewhere, sound, alpha=0.05)
        == "hardly recognised: class positive (recall 0.0 %, without freezing 90 %)"
    )


@pytest.mark.parametrize(
    ("task", "label", "lost"), [("token-classification", 3, "entities LOC"), ("multi-label", 2, "label long")]
)
def test_entities_and_labels_are_lost_as_classes_are(task: TaskName, label: int, lost: str) -> None:
    """A type of entities that is hardly found any more is named; so is a label."""
    baseline, records = made_up_scores.runs(task), made_up_scores.runs(task, "emb", blind={label: 9.0})
    sentence = lost_class_sentence(records, baseline, alpha=0.05)
    assert sentence is not None
    assert sentence.startswith(f"hardly recognised: {lost} (recall 0.0 %")
    assert lost_class_sentence(baseline, baseline, alpha=0.05) is None


def test_classes_have_their_drop_in_recall() -> None:
    """Too few sentences have none."""
    baseline, records = made_up.three_classes("none", (0, 1, 2), num_rare=9), made_up.three_classes("emb", (0, 1))
    negative, _, rare = class_evidence(baseline, made_up.three_classes("emb", (0, 1), num_rare=9))
    assert (rare.baseline, rare.candidate, rare.squares) == (1.0, 0.0, None)
    assert rare.too_few == "9, and an interval needs 10"
    assert negative.squares is not None
    assert float(negative.squares.drop) == 0
    twelve = class_evidence(made_up.three_classes("none", (0, 1, 2)), records)[2]
    assert twelve.squares is not None
    assert float(twelve.squares.drop) == 1


def _carrying(labels: list[int], before: list[int], after: list[int]) -> str | None:
    baseline, records = made_up.predicting("none", labels, before), made_up.predicting("emb", labels, after)
    verdicts = judge_subsets(
        class_evidence(baseline, records), margin_pp=2.0, reference_pp=0.0, alpha=0.05, unit="points of recall"
    )
    return carrying_classes(baseline, records, verdicts)


def test_recall_that_moves_from_one_class_to_another_is_no_loss() -> None:
    """Of two classes, one loses what the other gains; if it loses far more than that, it is named."""
    labels = [0] * 500 + [1] * 500
    before = [0] * 400 + [1] * 100 + [1] * 500
    assert _carrying(labels, before, [0] * 500 + [1] * 400 + [0] * 100) is None
    assert _carrying(labels, before, [0] * 405 + [1] * 95 + [1] * 400 + [0] * 100) == (
        "class positive loses more than the others: its recall drops by 20.0 points, that of all others together "
        "rises by 1.0"
    )


def test_a_class_is_named_if_it_loses_more_than_all_others() -> None:
    """Of 60 rare sentences half are lost, of 940 others a hundredth: the rare class is named, whatever the totals."""
    labels = [1] * 60 + [0] * 940
    after = [0] * 30 + [1] * 30 + [0] * 930 + [1] * 10
    assert _carrying(labels, labels, after) == (
        "class positive loses more than the others: its recall drops by 50.0 points, that of all others together "
        "drops by 1.1"
    )


def test_entities_lose_more_than_the_others() -> None:
    """The noun is a plural."""
    text = _carrying_text("entities LOC", 72.5, 1.5)
    assert text.startswith(
        "entities LOC lose more than the others: their recall drops by 72.5 points, that of all others"
    )


def test_of_a_loss_that_is_alike_in_all_classes_none_is_named() -> None:
    """The large class is shown to lose, and the small one is not, which makes no difference between them."""
    labels = [1] * 40 + [0] * 960
    after = [0] * 4 + [1] * 36 + [1] * 96 + [0] * 864
    assert _carrying(labels, labels, after) is None
    # Nor is there one without a loss.
    assert _carrying(labels, after, labels) is None
