"""How much more evidence an inconclusive verdict needs."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import made_up
from freezebench.records.consistency import f1_score
from freezebench.records.run_record import RunRecord
from freezebench.report.gate_text import gate_sentence
from freezebench.report.more_evidence import FURTHER_LOOK, more_evidence, undecided_sentences
from freezebench.verdicts.judge import ConfigurationResult, judge


def _wrong(run: RunRecord, positions: set[int]) -> RunRecord:
    """Return a run that is wrong about these test sentences and right about all others."""
    assert run.data is not None
    assert run.test is not None
    labels = run.data.test_labels
    predictions = tuple(1 - label if index in positions else label for index, label in enumerate(labels))
    accuracy, f1 = 1 - len(positions) / len(labels), f1_score(labels, predictions, 2)
    return replace(run, test=replace(run.test, predictions=predictions, accuracy=accuracy, f1=f1))


def _result(
    drop: float, *, limit: float, num: int = 3, num_test: int = 600, disagreement: float = 0.05, noise: float = 0.02
) -> ConfigurationResult:
    """Return a candidate that loses sentences and wins others, by shares of them, a part of them seed by seed."""
    baseline, records = [], []
    lost = round((disagreement + drop) * num_test)
    won = round(disagreement * num_test)
    for seed in range(num):
        rng = np.random.default_rng(seed)
        noisy, noisy_too = (set(rng.choice(num_test, round(noise * num_test), replace=False).tolist()) for _ in "ab")
        base = set(range(num_test - won, num_test))
        baseline.append(_wrong(made_up.record("none", 42 + seed, num_test=num_test), base ^ noisy))
        records.append(_wrong(made_up.record("emb", 42 + seed, num_test=num_test), set(range(lost)) ^ noisy_too))
    return judge("emb", records, baseline, margin_pp=2.0, limit_pp=limit)


def test_an_undecided_test_says_how_much_more_would_decide() -> None:
    """The numbers are those for the limit, which the test asserts, and so many seeds or sentences are enough."""
    result = _result(0.02, limit=3.0)
    sentence = gate_sentence(result)
    assert sentence.startswith("INCONCLUSIVE: emb is not shown to be within 3 points of no freezing: ")
    found = re.search(
        r"about (?:(\d+) more seeds? \(--freeze-num-seeds=\d+\) or )?([\d,]+) more test sentences", sentence
    )
    assert found is not None, sentence
    more = int(found.group(2).replace(",", ""))
    larger = 1 + (more + 300) // 600
    assert _result(0.02, limit=3.0, num_test=600 * (larger + 1)).standing == "ok"


def test_one_seed_needs_three() -> None:
    """No number of sentences helps."""
    assert gate_sentence(_result(0.0, limit=5.0, num=1)).endswith(
        "; one seed cannot tell training noise from freezing: train at least 3 (--freeze-num-seeds=3)."
    )


def test_no_number_is_named_where_none_suffices() -> None:
    """A drop at the limit stays undecided."""
    result = _result(0.02, limit=3.0)
    assert result.verdict is not None
    assert result.verdict.drop_pp is not None
    at_drop = result.verdict.at_margin(result.verdict.drop_pp)
    clause = more_evidence(result, at_drop)
    assert clause.startswith("the drop, 1.7, is too close to 1.66667 points for any number of seeds and test ")
    assert "more seed" not in clause


def test_what_would_be_shown_is_said() -> None:
    """A drop above the limit would be shown to be larger, which lets no test pass."""
    result = _result(0.02, limit=3.0)
    assert result.gate is not None
    assert " would show that it is non-inferior, if its drop stays at 1.7" in more_evidence(result, result.gate)
    assert " would show that it is inferior, if its drop stays at 1.7" in more_evidence(
        result, result.gate.at_margin(1)
    )


@pytest.mark.parametrize("drop", [0.005, 0.05])
def test_decided_verdicts_have_no_sentence(drop: float) -> None:
    """Only what is undecided is listed, with the value that it is undecided at."""
    results = [_result(drop, limit=8.0, num_test=6000, disagreement=0.02, noise=0.005)]
    assert undecided_sentences(results) == []
    sentence, *further = undecided_sentences([*results, _result(0.02, limit=9.0)])
    assert sentence.startswith("Inconclusive: emb at 2 points: ")
    assert further == ([FURTHER_LOOK] if " more seed" in sentence else [])


def test_more_seeds_are_a_further_look() -> None:
    """Where they would decide, the rule stands once behind all sentences, and only there."""
    results = [_result(0.0, limit=5.0, num=5), replace(_result(0.02, limit=5.0), freeze="emb+L0")]
    *sentences, last = undecided_sentences(results)
    assert any(re.search(r" more seeds? \(--freeze-num-seeds=", sentence) for sentence in sentences)
    assert last == FURTHER_LOOK
    assert FURTHER_LOOK not in sentences
    assert undecided_sentences([_result(0.0, limit=5.0, num=1)])[-1] != FURTHER_LOOK


def test_groups_are_what_more_evidence_is_counted_in() -> None:
    """Where intervals count the groups of a column, more sentences of the same groups would not do."""
    result = _result(0.02, limit=3)
    assert result.gate is not None
    assert "more test sentences" in more_evidence(result, result.gate)
    records = [
        replace(
            run,
            data=replace(run.data, test_groups=tuple(index // 6 for index in range(run.data.num_test))),
            spec=replace(run.spec, data=replace(run.spec.data, group_column="product")),
        )
        for run in result.records
        if run.data is not None
    ]
    grouped = judge(result.freeze, records, list(result.baseline), margin_pp=2.0, limit_pp=3.0)
    assert grouped.gate is not None
    assert re.search(
        r"about [\d,]*0 more test groups \(product\) would show that it is non-inferior, if its drop stays at ",
        more_evidence(grouped, grouped.gate),
    )
