"""Tests of when examples are too few for an interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drawn_examples import drawn
from freezebench.scoring.confusion import ACCURACY, BALANCED_ACCURACY, F1, MACRO_F1, MCC, MICRO_F1
from freezebench.scoring.entities import ENTITY_F1
from freezebench.scoring.examples import Examples
from freezebench.scoring.few import too_few_for_any
from freezebench.scoring.metric import Metric
from freezebench.scoring.probabilistic import AUROC, ECE
from freezebench.scoring.regression import PEARSON


def of_classes(*counts: int, confidence: float = 0.75) -> Examples:
    """Return so many examples of every class; the given share of each is right, with that confidence."""
    labels = np.repeat(np.arange(len(counts)), counts)
    # Spread evenly over each class: three of four are right.
    is_right = np.concatenate([np.floor(np.arange(1, n + 1) * 0.75) > np.floor(np.arange(n) * 0.75) for n in counts])
    predictions = np.where(is_right, labels, (labels + 1) % len(counts))
    scores = np.zeros((len(labels), len(counts)), dtype=np.float32)
    scores[np.arange(len(labels)), predictions] = np.log(confidence / (1 - confidence) * (len(counts) - 1))
    return Examples(
        task="sequence-classification",
        labels=labels,
        predictions=predictions,
        scores=scores,
        label_names=tuple("abcdefgh"[: len(counts)]),
    )


def test_few_examples_of_the_rarer_class_are_named() -> None:
    """At a share of 3 % of 300 examples no metric of both classes is judged, and at 3 % of 2,000 each is."""
    few, enough = of_classes(291, 9), of_classes(1940, 60)
    for metric, needed in {MACRO_F1: 16, BALANCED_ACCURACY: 16, F1: 15, MCC: 15}.items():
        named = f"9 of {needed} needed examples of class b"
        assert (metric.too_few([few]), metric.too_few([enough])) == (named, None)
        assert metric.too_few([of_classes(291, needed)]) is None
        assert metric.too_few([of_classes(291, needed - 1)]) is not None
    assert ACCURACY.too_few([few]) is None


def test_many_rare_classes_are_enough_together() -> None:
    """Their mean rests on all of them; one rare class of several has a weight of its own."""
    assert MACRO_F1.too_few([of_classes(*[15] * 8)]) is None
    assert MACRO_F1.too_few([of_classes(170, 124, 6)]) == "6 of 8 needed examples of class c"
    assert MACRO_F1.too_few([of_classes(170, 124, 8)]) is None
    # Where the others have too few as well, each needs a third of the sixty.
    assert MACRO_F1.too_few([of_classes(17, 17, 16)]) == "16 of 20 needed examples of class c"
    assert MACRO_F1.too_few([of_classes(20, 20, 20)]) is None
    assert MACRO_F1.too_few([of_classes(165, 90, 45)]) is None
    assert MCC.too_few([of_classes(170, 124, 6)]) is None


def test_a_class_without_examples_says_nothing_of_the_others() -> None:
    """It has the same F1, zero, in both arms."""
    assert MACRO_F1.too_few([of_classes(100, 100, 0)]) is None


@pytest.mark.parametrize("metric", [MACRO_F1, BALANCED_ACCURACY, F1, MCC, AUROC], ids=lambda metric: metric.name)
def test_examples_of_one_text_or_group_count_once(metric: Metric) -> None:
    """Sixty examples of a class in two documents say nothing of a third one: in a simulation 12 % of bounds failed."""
    examples = of_classes(300, 60)
    alone = np.arange(300)
    in_two, in_thirty = (np.concatenate([alone, 300 + np.arange(60) // size]) for size in (30, 2))
    needed = 16 if metric in (MACRO_F1, BALANCED_ACCURACY) else 15
    of_b = f"of {needed} needed texts or groups"
    assert metric.too_few([replace(examples, units=in_two)]) == f"60 examples of class b in 2 {of_b}"
    assert metric.too_few([replace(examples, units=in_thirty)]) is None
    of_one = np.concatenate([alone, np.full(60, 300)])
    assert metric.too_few([replace(examples, units=of_one)]) == f"60 examples of class b in 1 {of_b}"


def test_numbers_labels_and_entities_of_one_group_count_once() -> None:
    """A document with many of them is one observation of other documents."""
    numbers = np.arange(60.0)
    pairs = Examples(task="regression", labels=numbers, predictions=numbers, scores=None, label_names=("stars",))
    assert PEARSON.too_few([replace(pairs, units=np.arange(60) // 2)]) is None
    assert (
        PEARSON.too_few([replace(pairs, units=np.arange(60) // 3)]) == "60 examples in 20 of 30 needed texts or groups"
    )
    labels = np.repeat([[1, 1], [0, 0]], [10, 90], axis=0)
    several = Examples(task="multi-label", labels=labels, predictions=labels, scores=None, label_names=("a", "b"))
    assert MICRO_F1.too_few([several]) == "10 of 15 needed examples with any of the labels"
    words = np.tile([0, 1, 2], 60)
    sentences = Examples(
        task="token-classification",
        labels=words,
        predictions=words,
        scores=None,
        label_names=("O", "B-PER", "I-PER"),
        lengths=np.full(60, 3),
    )
    assert ENTITY_F1.too_few([replace(sentences, units=np.arange(60) // 4)]) is None
    few = ENTITY_F1.too_few([replace(sentences, units=np.arange(60) // 10)])
    assert few == "60 entities in 60 sentences in 6 of 15 needed texts or groups"


def test_auroc_near_one_needs_more_examples() -> None:
    """The fewer are misranked, the fewer the metric rests on."""
    assert AUROC.too_few([of_classes(100, 100)]) is None
    assert AUROC.too_few([of_classes(100, 6)]) == "6 of 15 needed examples of class b"
    perfect = of_classes(500, 500)
    ranked = np.stack([np.zeros(1000), np.where(perfect.labels == 1, 1, -1)], axis=1).astype(np.float32)
    certain = Examples(
        task=perfect.task,
        labels=perfect.labels,
        predictions=perfect.labels,
        scores=ranked,
        label_names=perfect.label_names,
    )
    assert AUROC.too_few([certain]) == "500 examples of class a for an AUROC of 1.000"


def test_auroc_counts_in_the_mean_of_both_arms() -> None:
    """Of 20 examples, 2 are misranked at 0.9. A rule for every run would select low values of the better arm."""
    runs = [of_classes(100, 20)] * 2
    assert AUROC.too_few(runs, [0.98, 0.82]) is None
    assert AUROC.too_few(runs, [0.99, 0.82]) == "20 examples of class b for an AUROC of 0.905"


def test_the_labels_decide_before_any_value_is_computed() -> None:
    """A metric may take long, or have no value."""
    assert AUROC.too_few([of_classes(100, 0)], (pytest.fail("it is computed") for _ in range(1))) is not None


def test_one_class_has_no_auroc() -> None:
    """There is nothing to rank it against."""
    assert AUROC.too_few([of_classes(100, 0)]) == "100 examples of one class"


def test_a_calibration_error_near_that_of_chance_is_not_judged() -> None:
    """Bins of few examples have gaps in a calibrated model, too, which would hide how much a candidate's grew."""
    calibrated, confident = of_classes(1000, 1000), of_classes(1000, 1000, confidence=0.95)
    assert ECE.value(confident) == pytest.approx(0.2, abs=0.001)
    assert ECE.too_few([confident]) is None
    assert ECE.too_few([calibrated]) == "2,000 examples for a calibration error of 0.0 points, where 0.8 come by chance"


def test_several_labels() -> None:
    """Examples that have a label count, and in AUROC those without it where they are fewer."""
    labels = np.zeros((300, 2), dtype=np.int64)
    labels[:9, 0], labels[:290, 1] = 1, 1
    rng = np.random.default_rng(0)
    examples = Examples(
        task="multi-label",
        labels=labels,
        predictions=labels,
        scores=rng.normal(size=(300, 2)).astype(np.float32),
        label_names=("rare", "usual"),
    )
    assert MACRO_F1.too_few([examples]) == "9 of 16 needed examples of label rare"
    assert MICRO_F1.too_few([examples]) is None
    assert AUROC.too_few([examples]) == "9 of 15 needed examples of label rare"
    only = Examples(
        task="multi-label", labels=labels[:, :1], predictions=labels[:, :1], scores=None, label_names=("x",)
    )
    assert MICRO_F1.too_few([only]) == "9 of 15 needed examples with any of the labels"


def test_numbers_and_entities() -> None:
    """Correlations need pairs, and F1 of entities needs entities, in how many sentences ever."""
    pairs = Examples(
        task="regression", labels=np.arange(29.0), predictions=np.arange(29.0), scores=None, label_names=("rating",)
    )
    assert PEARSON.too_few([pairs]) == "29 of 30 needed examples"
    words = np.tile([0, 1, 2], 20)
    for names in (("O", "B-PER", "I-PER"), ("O", "B-PER", "I-PER", "B-LOC")):
        sentences = Examples(
            task="token-classification",
            labels=words,
            predictions=words,
            scores=None,
            label_names=names,
            lengths=np.full(20, 3),
        )
        assert ENTITY_F1.too_few([sentences]) == "20 of 30 needed entities"
        often = Examples(
            task="token-classification",
            labels=np.tile(words, 2),
            predictions=np.tile(words, 2),
            scores=None,
            label_names=names,
            lengths=np.full(40, 3),
        )
        assert ENTITY_F1.too_few([often]) is None


def test_a_metric_of_a_user_may_rest_on_the_rarest_class() -> None:
    """So its verdict waits for as many examples as a metric of all classes; of numbers, for as many as correlations."""
    assert too_few_for_any(of_classes(298, 2)) == "2 of 16 needed examples of class b"
    assert too_few_for_any(of_classes(299, 1)) == "1 of 16 needed examples of class b"
    assert too_few_for_any(of_classes(150, 150)) is None
    assert (too_few_for_any(drawn("regression", 0, 29)), too_few_for_any(drawn("regression", 0, 30))) == (
        "29 of 30 needed examples",
        None,
    )
