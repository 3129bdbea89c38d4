"""The sentence about runs on a busy machine."""

from __future__ import annotations

from dataclasses import replace

from experiments import varied_summary
from freezebench.report.contention import contended_text, contention_sentence, host_sentence, untimed_sentences


def test_the_sentence_counts_the_runs_and_explains_the_mark() -> None:
    """Every configuration with a contended run is named, with the largest share of all."""
    rows = varied_summary(on_gpu=False, contended={"none": 1, "emb": 3}).rows
    assert contention_sentence(rows) == (
        "Contended: in up to 32 % of the training time threads waited for a processor (seeds: none 1 of 3, emb 3 of "
        "3). These times and energies count for no speed-up, limit or recommendation; † marks figures that come "
        "from such runs alone. Run again with --freeze-resume=no while nothing else runs."
    )
    assert [contended_text(row) for row in rows] == ["32 % (1 of 3)", "32 %", "", "", ""]


def test_nothing_has_to_run_again_where_every_speed_up_is_known() -> None:
    """With undisturbed seeds left, the figures are theirs, and no mark is explained."""
    sentence = contention_sentence(varied_summary(on_gpu=False, contended={"emb": 2}).rows)
    assert str(sentence).endswith("count for no speed-up, limit or recommendation.")


def test_two_arms_without_an_undisturbed_seed_in_common_run_again() -> None:
    """Each has undisturbed seeds, but no pair, so that the speed-up is missing."""
    rows = varied_summary(on_gpu=False, contended={"emb": 2}).rows
    sentence = contention_sentence([replace(row, speedup=None) if row.freeze == "emb" else row for row in rows])
    assert str(sentence).endswith("Run again with --freeze-resume=no while nothing else runs.")


def test_an_undisturbed_session_has_no_such_sentence() -> None:
    """Nor has one on a GPU, whose times do not depend on what waits for the host's processors."""
    assert contention_sentence(varied_summary(on_gpu=False).rows) is None
    assert contention_sentence(varied_summary(on_gpu=True, contended={"emb": 3}).rows) is None


def test_missing_times_have_their_reason() -> None:
    """Once for all configurations that have it; those without it are not named."""
    rows = varied_summary(on_gpu=False).rows
    beside = [replace(row, records=tuple(run.without_times("others trained.") for run in row.records)) for row in rows]
    assert untimed_sentences(rows) == []
    assert untimed_sentences(beside) == ["Times were not measured: others trained."]
    assert untimed_sentences([*rows[:2], *beside[2:]]) == [
        "Times of emb+L0, emb+L0-3, emb+L0-5 were not measured: others trained."
    ]
    # That their threads waited is part of this reason.
    assert contention_sentence(varied_summary(on_gpu=False, contended={}).rows) is None


def test_waiting_for_the_host_is_shown_for_gpus() -> None:
    """The largest share of each configuration, where it is notable; times on a CPU have a sentence of their own."""
    rows = varied_summary(on_gpu=True, contended={"none": 1, "emb": 3}).rows
    sentence = host_sentence(rows)
    assert sentence == (
        "Host: share of the training time in which a thread that feeds the GPU waited for a processor: none 32 %, emb "
        "32 %."
    )
    assert sentence in varied_summary(on_gpu=True, contended={"none": 1, "emb": 3}).notes
    assert host_sentence(varied_summary(on_gpu=True).rows) is None
    assert host_sentence(varied_summary(on_gpu=False, contended={"emb": 3}).rows) is None
