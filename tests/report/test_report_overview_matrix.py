"""The matrix of models and data sets."""

from __future__ import annotations

from freezebench.report.overview.matrix import matrix
from freezebench.report.overview.rows import overview_rows
from studies import Study, mixed_answers, thirty_models, two_by_two, uneven


def test_cells_are_the_deepest_safe_prefix_and_its_share() -> None:
    """Models of different depth are compared by the share."""
    shown = matrix(overview_rows(two_by_two()))
    assert shown is not None
    assert (shown.models, shown.data) == (("large", "small"), ("reviews", "tweets"))
    assert [[term.word for term in terms] for terms in shown.cells] == [
        ["emb+L0-2, 50 %", "emb+L0-1, 33 %"],
        ["emb+L0, 33 %", "emb+L0-2, 100 %"],
    ]


def test_cells_without_an_answer_or_an_experiment_say_so() -> None:
    """In words, and in colours that fit."""
    shown = matrix(overview_rows(mixed_answers()))
    assert shown is not None
    assert [[(term.word, term.tone) for term in terms] for terms in shown.cells] == [
        [
            ("emb+L0-1, 33 %", "good"),
            ("baseline invalid", "bad"),
            ("inconclusive", "unsure"),
            ("inferior", "bad"),
            ("nothing compared", "faint"),
        ],
        [
            ("emb+L0, 17 %", "good"),
            ("no experiment", "faint"),
            ("no experiment", "faint"),
            ("nothing compared", "faint"),
            ("no experiment", "faint"),
        ],
    ]


def test_several_experiments_share_a_cell() -> None:
    """Their answers are all there; of different kinds they have no colour."""
    shown = matrix(overview_rows(uneven()))
    assert shown is not None
    assert shown.cells[0][0].word == "emb+L0-3, 67 % / emb+L0-2, 50 %"
    assert shown.cells[0][0].tone == "good"
    studies = [Study(), Study(num_test=60), Study(model="other", data="tweets")]
    mixed = matrix(overview_rows([study.experiment() for study in studies]))
    assert mixed is not None
    assert (mixed.cells[0][0].word, mixed.cells[0][0].tone) == ("emb+L0-1, 33 % / inconclusive", "")


def test_one_model_or_one_data_set_makes_no_matrix() -> None:
    """The rows show the same."""
    assert matrix(overview_rows(thirty_models()[:3])) is None
    assert matrix(overview_rows([Study(data=data).experiment() for data in ("a", "b")])) is None
