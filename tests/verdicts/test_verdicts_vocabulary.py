"""The words for outcomes and standings."""

from __future__ import annotations

from typing import get_args

from freezebench.verdicts.gate import Standing
from freezebench.verdicts.noninferiority import Outcome
from freezebench.verdicts.vocabulary import STANDINGS, VERDICTS, VerdictKey, verdict_term


def test_every_outcome_and_standing_has_one_word_of_its_own() -> None:
    """No two share a word; standings are in the order from harmless to worst."""
    assert set(VERDICTS) == {"baseline", "not_run", *get_args(Outcome)} == set(get_args(VerdictKey))
    assert tuple(STANDINGS) == get_args(Standing)
    for terms in (VERDICTS, STANDINGS):
        assert len({term.word for term in terms.values()}) == len(terms)
    assert len({term.sign for term in VERDICTS.values()}) == len(VERDICTS)


def test_failures_begin_with_the_words_that_people_search_for() -> None:
    """These three words are part of the interface."""
    assert [STANDINGS[key].word for key in ("worse", "undecided", "broken")] == ["INFERIOR", "INCONCLUSIVE", "INVALID"]


def test_a_configuration_that_was_not_run_is_shown_with_the_reason() -> None:
    """Which other one trains the same, or that nothing would train; every other verdict has its own word."""
    assert verdict_term("not_run", "same as emb").word == "same as emb"
    assert verdict_term("not_run").word == "left out"
    assert verdict_term("inferior") == VERDICTS["inferior"]
