"""Which configuration is recommended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scipy import stats

import made_up
from experiments import judged
from freezebench.records.reading import Reading
from freezebench.report.answer import answer
from freezebench.report.recommendation import recommended, sequences
from freezebench.report.rows import row
from freezebench.verdicts.judge import judge
from freezebench.verdicts.noninferiority import decide

if TYPE_CHECKING:
    from freezebench.report.rows import Row
    from freezebench.verdicts.judge import ConfigurationResult


def _recommended(*results: ConfigurationResult) -> Row | None:
    return recommended(results, [row(result) for result in results])


def test_the_cheapest_safe_configuration_is_recommended() -> None:
    """Of two safe ones the faster; the one that loses accuracy is faster still."""
    recommendation = _recommended(
        judged("none", 0.9), judged("emb", 0.9), judged("emb+L0", 0.9), judged("emb+L0-1", 0.6)
    )
    assert recommendation is not None
    assert recommendation.freeze == "emb+L0"


def test_without_times_the_smallest_is_recommended() -> None:
    """A run without a clock leaves the number of trainable parameters to decide."""
    baseline = made_up.seeds("none", readings={})
    results = [judge("none", baseline, baseline, margin_pp=2.0, limit_pp=None)]
    results += [
        judge(freeze, made_up.seeds(freeze, readings={}), baseline, margin_pp=2.0, limit_pp=None)
        for freeze in ("emb", "emb+L0")
    ]
    recommendation = _recommended(*results)
    assert recommendation is not None
    assert recommendation.freeze == "emb+L0"


def test_no_freezing_is_not_a_recommendation() -> None:
    """Where nothing else is safe there is none."""
    assert _recommended(judged("none", 0.9), judged("emb", 0.6)) is None


def test_nothing_is_recommended_against_an_invalid_baseline() -> None:
    """What was judged against other seeds' baseline does not count."""
    broken = judge("none", [made_up.broken("none")], [made_up.broken("none")], margin_pp=2.0, limit_pp=None)
    assert _recommended(broken, judged("emb", 0.9)) is None


def test_contended_times_recommend_nothing() -> None:
    """One candidate without an undisturbed time leaves the number of trainable parameters to decide."""
    baseline = made_up.seeds("none")
    slow = [made_up.contended(run) for run in made_up.seeds("emb+L0")]
    arms = {"none": baseline, "emb": made_up.seeds("emb"), "emb+L0": slow}
    results = [judge(freeze, runs, baseline, margin_pp=2.0, limit_pp=None) for freeze, runs in arms.items()]
    recommendation = _recommended(*results)
    assert recommendation is not None
    assert recommendation.freeze == "emb+L0"
    headline = answer(results, [row(result) for result in results], 2.0).headline
    assert headline.startswith("Freeze emb+L0: ")
    assert headline.endswith("; its speed-up is not known: the machine was busy (41 % of the time).")


def test_times_of_another_session_recommend_nothing() -> None:
    """Where the store had the unfrozen runs, the answer has no speed-up, and says how to get one."""
    baseline = [replace(run, session="monday") for run in made_up.seeds("none")]
    frozen = [replace(run, session="tuesday") for run in made_up.seeds("emb")]
    arms = {"none": baseline, "emb": frozen}
    results = [judge(freeze, runs, baseline, margin_pp=2.0, limit_pp=None) for freeze, runs in arms.items()]
    found = answer(results, [row(result) for result in results], 2.0)
    assert found.headline.endswith("; its speed-up is not known: the unfrozen runs are of another session.")
    assert found.next_steps[-1] == "To know its speed-up: train all runs anew with --freeze-resume=no."


def test_a_saving_that_is_not_proven_is_not_claimed() -> None:
    """The cheapest safe configuration is named, with its interval around 1."""
    baseline = made_up.seeds("none")
    # Faster with one seed, slower with another.
    noisy = [
        replace(run, readings={**run.readings, "train_s": Reading(value=time_s, unit="s", source="clock")})
        for run, time_s in zip(made_up.seeds("emb"), (8.0, 12.0, 9.0), strict=True)
    ]
    results = [
        judge(name, runs, baseline, margin_pp=2.0, limit_pp=None) for name, runs in (("none", baseline), ("emb", noisy))
    ]
    headline = answer(results, [row(result) for result in results], 2.0).headline
    assert headline.startswith("Freeze emb: ")
    assert headline.endswith(", 70 % of the parameters train and training is not shown to be faster (0.74–1.49×).")


def test_prefixes_are_judged_in_order() -> None:
    """A prefix behind one that is not proven safe does not count, since the error rate is that of one verdict."""
    baseline, emb, undecided = judged("none", 0.9), judged("emb", 0.9), judged("emb+L0", 0.872)
    recommendation = _recommended(baseline, emb, undecided, judged("emb+L0-1", 0.9))
    assert recommendation is not None
    assert recommendation.freeze == "emb"
    assert _recommended(baseline, judged("emb", 0.872), judged("emb+L0", 0.9)) is None


def test_other_configurations_compete_by_their_speed_up() -> None:
    """A single layer is neither before nor behind a prefix."""
    baseline = made_up.seeds("none")
    seconds = {"emb": 8.0, "L1": 6.0}
    results = [judge("none", baseline, baseline, margin_pp=2.0, limit_pp=None)]
    for freeze, time_s in seconds.items():
        reading = Reading(value=time_s, unit="s", source="clock")
        runs = [replace(run, readings={**run.readings, "train_s": reading}) for run in made_up.seeds(freeze)]
        results.append(judge(freeze, runs, baseline, margin_pp=2.0, limit_pp=None))
    recommendation = _recommended(*results)
    assert recommendation is not None
    assert recommendation.freeze == "L1"


def test_prefixes_under_one_strategy_are_one_sequence() -> None:
    """They are nested; other frozen parts are nested in nothing."""
    names = ["L1", "emb+bitfit", "none", "emb+L0", "bitfit", "emb"]
    found = sequences([judged(name, 0.9) for name in names])
    assert [[result.freeze for result in sequence] for sequence in found] == [
        ["emb", "emb+L0"],
        ["L1"],
        ["bitfit", "emb+bitfit"],
    ]


def _share_of_error_rate(freeze: str, share: float) -> ConfigurationResult:
    """Return a result that is non-inferior at this share of the error rate and at no smaller one."""
    result = judged(freeze, 0.88)
    assert result.verdict is not None
    assert result.verdict.interval is not None
    interval = result.verdict.interval
    drop_pp = 2.0 - 1e-9 - float(stats.t.ppf(1 - share * interval.alpha, interval.df)) * interval.se_pp
    return replace(result, verdict=decide(replace(interval, drop_pp=drop_pp, upper_pp=1.9), 2.0))


def test_several_sequences_share_the_error_rate_of_a_recommendation() -> None:
    """What is safe alone is recommended alone, and not as the best of three."""
    alone, best = _share_of_error_rate("bitfit", 0.6), _share_of_error_rate("bitfit", 0.3)
    others = [judged("emb", 0.7), judged("L1", 0.7)]
    for results, expected in (([alone], "bitfit"), ([alone, *others], None), ([best, *others], "bitfit")):
        row = _recommended(judged("none", 0.9), *results)
        assert (row and row.freeze) == expected


def test_operations_decide_where_times_are_not_known() -> None:
    """Biases of all layers are few parameters, and cost nearly as much as all of them."""
    flop = {"none": 9.0, "emb+L0": 5.0, "bitfit": 8.0}
    arms = {
        name: [
            replace(run, readings={"step_flop": Reading(value=value, unit="FLOP", source="counted")})
            for run in made_up.seeds(name, num_trainable_params=10 if name == "bitfit" else 500)
        ]
        for name, value in flop.items()
    }
    results = [judge(name, runs, arms["none"], margin_pp=2.0, limit_pp=None) for name, runs in arms.items()]
    recommendation = _recommended(*results)
    assert recommendation is not None
    assert recommendation.freeze == "emb+L0"
