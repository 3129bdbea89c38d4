"""The sentence on all experiments claims what their verdicts show, in the right number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freezebench.report.overview.rows import STATE_TERMS, overview_rows
from freezebench.report.overview.sentence import _ONE, sentence
from studies import STUDIES, Study, ladder

_EMB = "Freezing the embeddings"
_NEXT = "the next deeper prefix that was tried"
_A_THIRD = "the embeddings and the first third of the layers"
_ALL = Study(depth=3, accuracies=ladder(3, safe=4))
_NONE = Study(accuracies=ladder(6, safe=0))
_INCONCLUSIVE = Study(num_test=60)
_THIRD = Study(accuracies=ladder(6, safe=3))
_HALF = Study(accuracies=ladder(6, safe=4))
# The deepest safe prefix freezes 5 of 12 layers.
_BETWEEN = Study(depth=12, accuracies=ladder(12, safe=6))
_EMBEDDINGS = Study(accuracies=ladder(6, safe=1))
# The second prefix loses as much as the margin, which three seeds cannot decide.
_OPEN = Study(accuracies=ladder(6, safe=1, loss=0.02))
_ENDS = Study(accuracies={"none": 0.8, "emb": 0.8})
_NARROW = Study(accuracies=ladder(6, safe=1), flags={"margin": "1"})


@pytest.mark.parametrize(
    ("studies", "clauses"),
    [
        (
            (_ALL, _ALL),
            ("Freezing the embeddings and all layers is non-inferior WITHIN in both experiments",),
        ),
        (
            (_ALL, _HALF, _THIRD),
            (
                "Freezing A_THIRD is non-inferior WITHIN in all 3 experiments, the first half in 2 and all layers in 1",
                "the next deeper prefix that was tried is inferior in 2 of the 3",
            ),
        ),
        (
            (_BETWEEN, _HALF),
            (
                "Freezing A_THIRD is non-inferior WITHIN in both experiments, the first half in 1",
                "the next deeper prefix that was tried is inferior in 2 of them",
            ),
        ),
        (
            (_EMBEDDINGS, _HALF, _NONE, _INCONCLUSIVE, _NONE),
            (
                f"{_EMB} is non-inferior WITHIN in 2 of 5 experiments, the first half of the layers in 1",
                "the next deeper prefix that was tried is inferior in 2 of them",
                "the other 3: 2 inferior, 1 inconclusive",
            ),
        ),
        (
            (_OPEN, _HALF, _ENDS, _INCONCLUSIVE),
            (
                f"{_EMB} is non-inferior WITHIN in 3 of 4 experiments, the first half of the layers in 1",
                "the next deeper prefix that was tried is inferior in 1 of the 3 and is inconclusive in 1",
                "in 1 no deeper prefix was tried",
                "in the other one the least frozen prefix is inconclusive",
            ),
        ),
        (
            (_OPEN, _NONE, _NONE),
            (
                f"{_EMB} is non-inferior WITHIN in 1 of 3 experiments, where {_NEXT} is inconclusive",
                "the other 2: inferior",
            ),
        ),
        (
            (_ENDS, _ENDS, _INCONCLUSIVE),
            (
                "Freezing the embeddings is non-inferior WITHIN in 2 of 3 experiments",
                "in 2 of them no deeper prefix was tried",
                "in the other one the least frozen prefix is inconclusive",
            ),
        ),
        (
            (_ENDS, _NONE),
            (
                f"{_EMB} is non-inferior WITHIN in 1 of 2 experiments, where no deeper prefix was tried",
                "in the other one the least frozen prefix is inferior",
            ),
        ),
        (
            (_NONE, _INCONCLUSIVE),
            ("No prefix is non-inferior WITHIN in either of the 2 experiments: 1 inferior, 1 inconclusive",),
        ),
        (
            (_NONE, _NONE, _NONE),
            ("No prefix is non-inferior WITHIN in any of the 3 experiments: inferior",),
        ),
        (
            (_NARROW, _NARROW),
            (
                "Freezing the embeddings is non-inferior at a margin of 1 point in both experiments",
                "the next deeper prefix that was tried is inferior in 2 of them",
            ),
        ),
        (
            (_NARROW, _ALL),
            (
                "Freezing the embeddings is non-inferior at the margin of each in both experiments, all layers in 1",
                "the next deeper prefix that was tried is inferior in 1 of the 2",
            ),
        ),
    ],
)
def test_the_sentence(studies: tuple[Study, ...], clauses: tuple[str, ...]) -> None:
    """Shares that more experiments have come first; what is undecided, untried or unanswered is no evidence."""
    expected = "; ".join(clauses).replace("WITHIN", "at a margin of 2 points").replace("A_THIRD", _A_THIRD)
    assert sentence(overview_rows([study.experiment() for study in studies])) == f"{expected}."


def test_every_state_has_words_for_a_single_experiment() -> None:
    """The sentence on the other one would have none otherwise."""
    assert set(_ONE) == {term.word for term in STATE_TERMS.values()}


@pytest.mark.parametrize("study", STUDIES)
def test_a_share_is_claimed_of_as_many_experiments_as_have_it(study: str) -> None:
    """The first number of the sentence is that of the experiments with a safe prefix."""
    rows = overview_rows(STUDIES[study]())
    num_safe = sum(row.deepest is not None for row in rows)
    where = f"{num_safe} of {len(rows)} experiments" if num_safe < len(rows) else f"all {num_safe} experiments"
    assert f"is non-inferior at a margin of 2 points in {where}" in sentence(rows)


def test_of_an_unknown_depth_only_the_embeddings_are_claimed() -> None:
    """A record that does not say how deep the model is gives no share of its layers."""
    study = Study(accuracies=ladder(6, safe=7), change=lambda run: replace(run, num_layers=None))
    (row,) = overview_rows([study.experiment()])
    assert row.deepest is not None
    assert row.deepest.freeze == "emb+L0-5"
    assert row.frozen_share is None
    assert sentence([row, row]).startswith(
        "Freezing the embeddings is non-inferior at a margin of 2 points in both experiments"
    )
