"""The sentence about runs on a busy machine."""

from __future__ import annotations

from experiments import varied_summary
from freezebench.report.contention import contended_text, contention_sentence


def test_the_sentence_counts_the_runs_and_explains_the_mark() -> None:
    """Every configuration with a contended run is named, with the largest share of all."""
    rows = varied_summary(on_gpu=False, contended={"none": 1, "emb": 3}).rows
    assert contention_sentence(rows) == (
        "Contended: in up to 32 % of the training time threads waited for a processor, since the machine did other "
        "work (seeds: none 1 of 3, emb 3 of 3). These times and energies count for no speed-up, limit or "
        "recommendation; † marks figures of which there are no others. Run it again alone (--freeze-resume=no)."
    )
    assert [contended_text(row) for row in rows] == ["32 % (1 of 3)", "32 %", "", "", ""]


def test_no_mark_is_explained_where_no_figure_has_one() -> None:
    """With undisturbed seeds left, the figures are theirs."""
    sentence = contention_sentence(varied_summary(on_gpu=False, contended={"emb": 2}).rows)
    assert "†" not in str(sentence)


def test_an_undisturbed_session_has_no_such_sentence() -> None:
    """Nor has one on a GPU, whose times do not depend on what waits for the host's processors."""
    assert contention_sentence(varied_summary(on_gpu=False).rows) is None
    assert contention_sentence(varied_summary(on_gpu=True, contended={"emb": 3}).rows) is None
