"""The notebook's three conclusions on made-up experiments."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

import made_up
from freezebench.records.reading import Reading
from freezebench.verdicts.judge import ConfigurationResult, judge
from freezebench.verdicts.notebook_claims import SMALLEST_EFFECT_PP, conclusions

LADDER = ("none", "emb", "emb+L0", "emb+L0-1", "emb+L0-2", "emb+L0-3")
# Parameters that train and seconds, configuration by configuration of a four-layer encoder.
PARAMS = dict(zip(LADDER, (1000, 600, 450, 300, 150, 10), strict=True))
TIMES = dict(zip(LADDER, (10.0, 9.0, 8.0, 7.0, 6.0, 5.0), strict=True))


def experiment(
    accuracies: dict[str, float], *, times: dict[str, float] = TIMES, num: int = 5, **options: Any
) -> list[ConfigurationResult]:
    """Return the results of prefixes with these accuracies; ``none`` has 0.9 unless it is given."""
    runs = {
        freeze: made_up.seeds(
            freeze,
            accuracy=accuracy,
            num=num,
            num_layers=4,
            num_trainable_params=PARAMS[freeze],
            readings={"train_s": Reading(value=times[freeze], unit="s", source="clock")},
            **{"num_test": 2000, **options},
        )
        for freeze, accuracy in {"none": 0.9, **accuracies}.items()
    }
    return [judge(name, each, runs["none"], margin_pp=2.0, limit_pp=None) for name, each in runs.items()]


def verdicts(results: list[ConfigurationResult]) -> list[str]:
    """Return the three verdicts, with every sentence naming claim and verdict."""
    judged = conclusions(results, 2.0)
    for each in judged:
        assert each.sentence.startswith(f"The notebook's claim that {each.claim}: {each.verdict} (")
    return [each.verdict for each in judged]


def test_all_three_can_be_supported() -> None:
    """Embeddings gain, depth costs little, the head alone costs much."""
    accuracies = {"emb": 0.92, "emb+L0": 0.9, "emb+L0-1": 0.897, "emb+L0-2": 0.88, "emb+L0-3": 0.8}
    assert verdicts(experiment(accuracies)) == ["supported", "supported", "supported"]


def test_all_three_can_be_refuted() -> None:
    """Embeddings lose, depth loses more than in proportion, no deep prefix is non-inferior."""
    accuracies = {"emb": 0.88, "emb+L0": 0.5, "emb+L0-1": 0.5, "emb+L0-2": 0.45, "emb+L0-3": 0.3}
    results = experiment(accuracies)
    assert verdicts(results) == ["refuted", "refuted", "refuted"]
    assert "in proportion to the frozen parameters" in conclusions(results, 2.0)[1].sentence


def test_a_negligible_effect_is_no_gain_and_no_loss() -> None:
    """Arms that do not differ exclude the notebook's 0.44 points either way."""
    assert pytest.approx(0.44) == SMALLEST_EFFECT_PP
    accuracies = dict.fromkeys(LADDER[1:], 0.9)
    results = experiment(accuracies, num_test=8000)
    assert verdicts(results) == ["refuted", "refuted", "refuted"]
    first, second, third = (each.sentence for each in conclusions(results, 2.0))
    assert "a gain by the notebook's 0.4 points is excluded" in first
    assert "a loss of 0.4 points is excluded" in second
    assert "emb+L0-3 is non-inferior as well" in third


def test_few_sentences_decide_nothing_about_the_embeddings() -> None:
    """A gain that chance explains is undecided."""
    assert verdicts(experiment({"emb": 0.902}, num_test=200))[0] == "inconclusive"


def test_the_gain_is_corrected_over_the_grid() -> None:
    """The same gain has a larger p-value in a larger grid."""
    alone = conclusions(experiment({"emb": 0.905}), 2.0)[0].sentence
    among = conclusions(experiment({"emb": 0.905, "emb+L0": 0.8, "emb+L0-1": 0.8}), 2.0)[0].sentence
    p_values = [float(sentence.rpartition("p = ")[2].split(";")[0].rstrip(").")) for sentence in (alone, among)]
    assert p_values[1] > p_values[0]


@pytest.mark.parametrize(
    ("accuracies", "reasons"),
    [
        ({}, ("emb was not run", "no configuration with frozen layers was run", "emb+L0-1 was not run")),
        ({"emb": 0.9}, (None, "no configuration with frozen layers was run", "emb+L0-1 was not run")),
        ({"emb+L0-1": 0.9}, ("emb was not run", None, "emb+L0-2 was not run")),
    ],
)
def test_what_was_not_run_is_undecided(accuracies: dict[str, float], reasons: tuple[str | None, ...]) -> None:
    """The sentence names the configuration that is missing."""
    for conclusion, reason in zip(conclusions(experiment(accuracies), 2.0), reasons, strict=True):
        if reason is not None:
            assert conclusion.verdict == "inconclusive"
            assert reason in conclusion.sentence


def test_one_seed_decides_nothing() -> None:
    """One seed cannot tell training noise from freezing."""
    results = experiment(dict.fromkeys(LADDER[1:], 0.5), num=1)
    assert verdicts(results) == ["inconclusive"] * 3
    assert all("one seed" in each.sentence for each in conclusions(results, 2.0))


def test_invalid_runs_decide_nothing() -> None:
    """A claim about an invalid configuration is undecided, and its sentence has the reason."""
    results = experiment(dict.fromkeys(LADDER[1:], 0.5))
    broken = [
        result
        if result.is_baseline
        else judge(result.freeze, [made_up.broken(result.freeze)], result.baseline[:1], margin_pp=2.0, limit_pp=None)
        for result in results
    ]
    assert verdicts(broken) == ["inconclusive"] * 3
    assert "emb is invalid" in conclusions(broken, 2.0)[0].sentence


def test_a_baseline_alone_or_nothing_at_all_decides_nothing() -> None:
    """Without a candidate every claim is undecided; an invalid baseline raises nothing."""
    alone = judge("none", [made_up.broken("none")], [made_up.broken("none")], margin_pp=2.0, limit_pp=None)
    assert verdicts([alone]) == verdicts([]) == ["inconclusive"] * 3


def test_a_sweet_spot_has_to_be_faster() -> None:
    """A non-inferior depth that trains no faster than a shallower one is no sweet spot."""
    accuracies = {"emb": 0.9, "emb+L0-1": 0.9, "emb+L0-2": 0.7}
    assert verdicts(experiment(accuracies))[2] == "supported"
    slow = experiment(accuracies, times={**TIMES, "emb+L0-1": 9.5})
    assert verdicts(slow)[2] == "inconclusive"
    assert "emb+L0-1 was not faster than emb" in conclusions(slow, 2.0)[2].sentence


def test_the_margin_is_the_one_given() -> None:
    """The sweet spot is judged at the margin that is passed, not at the one of the verdicts."""
    results = experiment({"emb+L0-1": 0.89, "emb+L0-2": 0.7})
    assert [conclusions(results, margin)[2].verdict for margin in (0.1, 5.0)] == ["refuted", "supported"]


def test_order_of_results_is_irrelevant() -> None:
    """Any order gives the same conclusions."""
    results = experiment(dict.fromkeys(LADDER[1:], 0.85))
    assert conclusions(results, 2.0) == conclusions(results[::-1], 2.0)
    unlabelled = [replace(result, warnings=("x",)) for result in results]
    assert conclusions(unlabelled, 2.0) == conclusions(results, 2.0)


def test_what_was_not_run_is_no_evidence() -> None:
    """A claim about it is undecided and says why; the deepest prefix that ran is the deepest one."""
    ran = experiment({"emb": 0.91, "emb+L0": 0.88})
    deeper = ConfigurationResult.not_run("emb+L0-1", same_as="emb+L0")
    before, after = conclusions(ran, 2.0), conclusions([*ran, deeper], 2.0)
    assert after[:2] == before[:2]
    assert "emb+L0-1 trains the same parameters as emb+L0" in after[2].sentence
    empty = ConfigurationResult.not_run("emb", left_out="nothing would be left to train")
    assert "emb was not run, since nothing would be left to train" in conclusions([empty], 2.0)[0].sentence
    same = [ConfigurationResult.not_run(freeze, same_as="none") for freeze in LADDER[1:]]
    assert verdicts([*experiment({}), *same]) == ["inconclusive"] * 3
    assert "emb trains the same parameters as none" in conclusions(same, 2.0)[0].sentence


def test_the_loss_in_proportion_counts_from_what_trains_without_freezing() -> None:
    """With a quarter of the parameters fixed by the model, emb+L0 trains 60 % of the others, and not 45 % of all."""

    def proportional(results: list[ConfigurationResult]) -> float:
        found = re.search(r"([\d.]+) points would be in proportion", conclusions(results, 2.0)[1].sentence)
        assert found is not None
        return float(found[1])

    ran = experiment({"emb+L0": 0.88})
    fixed = [
        replace(
            result,
            baseline=tuple(replace(record, num_trainable_params=750) for record in result.baseline),
        )
        for result in ran
    ]
    assert proportional(fixed) / proportional(ran) == pytest.approx((1 - 450 / 750) / (1 - 450 / 1000), rel=0.01)


def test_claims_about_accuracy_are_not_judged_by_another_metric() -> None:
    """A drop of macro F1 neither supports nor refutes them."""
    baseline = judge("none", made_up.seeds("none"), made_up.seeds("none"), margin_pp=2.0, limit_pp=None)
    for conclusion in conclusions([replace(baseline, metric="macro-f1")], 2.0):
        assert conclusion.verdict == "inconclusive"
        assert "it is about accuracy, and this is macro-f1" in conclusion.sentence
