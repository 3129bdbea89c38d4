"""The sentences of the summary."""

from __future__ import annotations

from dataclasses import replace

import made_up
from experiments import judged, not_run_experiment, partly_fixed_experiment, small_summary, summary_settings
from freezebench.records.reading import Reading
from freezebench.report.summary import summarize
from freezebench.verdicts.gate import Part
from freezebench.verdicts.judge import ConfigurationResult, judge


def test_every_line_of_the_summary() -> None:
    """All of them, so that a line that is added or lost is noticed; what does not change the answer is a note."""
    summary = small_summary()
    assert summary.answer_lines == (
        (
            "Freeze emb: accuracy stays within 2 points of no freezing (gain 0.5, drop at most 0.1), training is 2.0× "
            "faster and 70 % of the parameters train."
        ),
        "It takes 25 % less peak memory.",
        "The next deeper one, emb+L0, is inferior (drop 18.8, at least 15.7).",
        (
            'To use it: freezebench.freeze(model, "emb"), at a learning rate of 5e-05; --freeze-save=DIR saves the '
            "trained model."
        ),
    )
    assert summary.lines == (
        "Conclusive verdicts: 2 of 2 at their limits (--freeze-max-drop); 2 of 2 at the margin of 2 points.",
    )
    assert summary.notes == (f"CPU package energy not measured: {made_up.NO_RAPL}.",)


def test_the_claims_of_the_notebook_are_judged_on_request() -> None:
    """They are with the preset notebook or --freeze-claims; most people have not read that notebook."""
    results = [judged("none", 0.9), judged("emb", 0.9), judged("emb+L0", 0.7)]
    for flags, number in (({}, 0), ({"claims": "yes"}, 3), ({"preset": "notebook"}, 3)):
        lines = summarize(results, summary_settings(**flags)).lines
        assert sum(line.startswith("The notebook's claim that ") for line in lines) == number


def test_limits_and_margin_are_counted_apart() -> None:
    """A configuration may be decided at a limit far from the margin and be undecided at the margin."""
    limited, unlimited = judged("emb", 0.872, limit=20.0), judged("emb+L0", 0.7, limit=None)
    for results, text in (
        (
            [limited, unlimited],
            "Conclusive verdicts: 1 of 1 at their limits, 1 without a limit; 1 of 2 at the margin of 2 points.",
        ),
        ([unlimited], "Conclusive verdicts: 1 of 1 at the margin of 2 points; no limit is asserted."),
    ):
        lines = summarize([judged("none", 0.9), *results], summary_settings()).lines
        assert lines[0] == text
        unasserted = (
            "Warning: emb+L0 is inferior, and no test fails for that, since none has a limit: set --freeze-max-drop."
        )
        assert (unasserted in lines) == (results == [unlimited])


def test_a_met_limit_is_a_note_and_a_missed_one_a_line() -> None:
    """What was missed may change the answer."""
    met, missed = (
        Part(quantity="peak memory", standing=standing, sentence=f"peak memory: {standing}")
        for standing in ("ok", "worse")
    )
    result = replace(judged("emb", 0.9), parts=(met, missed))
    summary = summarize([judged("none", 0.9), result], summary_settings())
    assert "Limit EXCEEDED: emb: peak memory: worse." in summary.lines
    assert "Limit passed: emb: peak memory: ok." in summary.notes


def test_leakage_is_a_line_and_other_notes_on_data_are_notes() -> None:
    """Test sentences that were trained on make every accuracy doubtful."""
    notes = ("Leakage: 7 of 400 test examples (1.8 %) also occur in train.", "100 of 200 train examples were drawn.")
    runs = [replace(run, data=run.data and replace(run.data, notes=notes)) for run in made_up.seeds("none")]
    summary = summarize([judge("none", runs, runs, margin_pp=2.0, limit_pp=None)], summary_settings())
    assert notes[0] in summary.lines
    assert f"Data: {notes[1]}" in summary.notes


def test_a_cause_of_invalid_runs_is_named_once() -> None:
    """Configurations that share it share a line; the cause of a failed experiment is in its headline."""
    broken = [
        judge(freeze, [made_up.broken(freeze)], [made_up.record()], margin_pp=2.0, limit_pp=None)
        for freeze in ("emb+L0", "emb+L0-1")
    ]
    lines = summarize([judged("none", 0.9), judged("emb", 0.9), *broken], summary_settings()).lines
    assert [line for line in lines if "non-finite" in line] == [
        "Invalid: emb+L0, emb+L0-1: seed 42: non-finite loss: at step 3."
    ]
    failed = summarize([judged("none", 0.9), *broken], summary_settings())
    assert sum("non-finite" in line for line in (*failed.answer_lines, *failed.lines, *failed.notes)) == 1


def test_contended_runs_are_named_with_their_share() -> None:
    """Their times are marked in the table, and this line says why."""
    share = Reading(value=0.41, unit="1", source="schedstat")
    busy = [replace(record, readings={**record.readings, "contended_share": share}) for record in made_up.seeds("emb")]
    result = judge("emb", busy, made_up.seeds("none"), margin_pp=2.0, limit_pp=None)
    summary = summarize([judged("none", 0.9), result], summary_settings())
    assert summary.lines[1].startswith("Contended: in up to 41 % of the training time threads waited for a processor")
    assert "its speed-up is not known: the machine was busy (41 % of the time)" in summary.answer.headline
    assert "--freeze-resume=no" in summary.answer.next_steps[1]


def test_the_accuracy_of_the_majority_class_is_known() -> None:
    """It is what predicting the most frequent class of the test split gives."""
    assert small_summary().majority_accuracy == 0.5


def test_the_title_counts_invalid_runs() -> None:
    """An experiment without a valid run has its number of seeds in the title, not zero."""
    titles = []
    for num in (1, 3):
        baseline = made_up.seeds("none", num=num)
        broken = [replace(record, status="invalid", reason="non-finite loss: nan") for record in baseline]
        titles.append(
            summarize([judge("none", broken, broken, margin_pp=2.0, limit_pp=None)], summary_settings()).title
        )
    assert titles[0].endswith("; 1 seed, invalid")
    assert titles[1].endswith("; 3 seeds, all invalid")


def test_the_title_names_every_engine() -> None:
    """One that trains what the session's cannot is named with the configurations that it trains."""
    results = [judged("none", 0.9), judged("lpft", 0.9)]
    assert "; engine trainer (lpft: cached), " in summarize(results, summary_settings(engine="trainer")).title
    assert "; engine standard, " in summarize(results, summary_settings(engine="standard")).title


def test_what_was_not_measured_has_a_footnote() -> None:
    """There is one line per distinct reason."""
    footnotes = [line for line in small_summary().notes if made_up.NO_RAPL in line]
    assert footnotes == [f"CPU package energy not measured: {made_up.NO_RAPL}."]


def test_what_was_not_run_is_named_and_not_counted() -> None:
    """Neither among the decided ones nor in the number of seeds; the sentences say why."""
    summary = partly_fixed_experiment().summary
    assert "; 3 seeds" in summary.title
    assert summary.lines[0].startswith("Conclusive verdicts: 1 of 1 at ")
    assert summary.lines[1:3] == (
        "Not run: emb, since it trains the same parameters as none.",
        "Left out: emb+L0-1, since nothing of tiny would be left to train.",
    )
    nothing = not_run_experiment().summary
    assert nothing.title.endswith("; nothing was run")
    assert nothing.lines == ("Not run: emb, emb+L0, since they train the same parameters as none.",)
    assert nothing.majority_accuracy is None


def test_what_was_not_run_hides_no_invalid_configuration() -> None:
    """The cause of a failed experiment is in its headline, and needs no sentence of its own."""
    same = ConfigurationResult.not_run("emb+L0", same_as="none")
    broken = judge("emb", [made_up.broken("emb")], made_up.seeds("none", num=1), margin_pp=2.0, limit_pp=None)
    summary = summarize([judged("none", 0.9, num=1), broken, same], summary_settings())
    assert summary.answer.headline.startswith("The experiment failed: emb is invalid")
    assert not any(line.startswith("Invalid") for line in summary.lines)
