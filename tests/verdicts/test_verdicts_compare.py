"""The comparison of two saved runs: refusals, and the four quantities."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from freezebench.records.saved import SavedConfiguration, from_records
from freezebench.scoring.examples import Examples
from freezebench.scoring.metric import Metric
from freezebench.scoring.metrics import ACCURACY, METRICS
from freezebench.specs.across import ACROSS
from freezebench.specs.grid import PerSpec
from freezebench.specs.limits import CostLimits
from freezebench.verdicts.compare import Pair, compare, compare_pair
from freezebench.verdicts.observation import Observation
from made_up import broken, contended, seeds
from saved_runs import configuration, saved, timed, with_protocol


def limits(**numbers: float) -> CostLimits:
    """Return limits of every configuration."""
    return CostLimits(**{name: PerSpec(default=number) for name, number in numbers.items()})


def timed_configuration(**factors: float) -> SavedConfiguration:
    """Return five runs of emb with multiplied readings."""
    return from_records("emb", timed(seeds("emb", num=5), **factors), node_id="t.py::test_it[emb]")


def by_quantity(pair: Pair) -> dict[str, Observation]:
    """Return the observations by quantity."""
    return {observation.quantity: observation for observation in pair.observations}


def test_the_same_run_passes() -> None:
    """A run is not worse than itself; without limits, only accuracy is judged."""
    comparison = compare(saved(configuration(num=5)), saved(configuration(num=5)), margin_pp=2)
    assert comparison.standing == "ok"
    assert [part.quantity for part in comparison.pairs[0].parts] == ["accuracy"]
    assert comparison.only_old == comparison.only_new == ()


@pytest.mark.parametrize(("accuracy", "standing"), [(0.9, "ok"), (0.88, "undecided"), (0.7, "worse")])
def test_accuracy_is_always_judged(accuracy: float, standing: str) -> None:
    """The sentence has the drop from old to new and the margin."""
    pair = compare_pair(configuration(), configuration(accuracy=accuracy), margin_pp=2)
    assert pair.parts[0].standing == standing
    assert "allowed: 2 points below the saved run, 3 seeds" in pair.parts[0].sentence
    assert "bound" in pair.parts[0].sentence


def test_one_seed_decides_nothing() -> None:
    """One seed cannot tell training noise from a change."""
    pair = compare_pair(configuration(num=1), configuration(num=1), margin_pp=2)
    assert pair.parts[0].standing == "undecided"
    assert "1 seed" in pair.parts[0].sentence


def test_other_seeds_are_paired_in_order_and_common_ones_with_themselves() -> None:
    """The sentence names the way of pairing."""
    old = configuration(num=3)
    other = replace(old, runs=tuple(replace(run, seed=run.seed + 100) for run in old.runs))
    assert "other seeds, paired in order" in compare_pair(old, other, margin_pp=2).parts[0].sentence
    more = compare_pair(old, configuration(num=5), margin_pp=2).parts[0]
    assert "3 seeds" in more.sentence
    assert "paired in order" not in more.sentence


@pytest.mark.parametrize(("factor", "standing"), [(1.0, "ok"), (1.5, "worse")])
@pytest.mark.parametrize(
    ("quantity", "limit", "metric"),
    [
        ("train time", "max_time", "train_s"),
        ("energy", "max_energy", "cpu_energy_j"),
        ("peak memory", "max_memory", "peak_rss_bytes"),
    ],
)
def test_costs_are_judged_at_a_limit_only(quantity: str, limit: str, metric: str, factor: float, standing: str) -> None:
    """The sentence has limit and observation; without a limit the figures are only shown."""
    old, new = timed_configuration(**{metric: 1.0}), timed_configuration(**{metric: factor})
    observation = by_quantity(compare_pair(old, new, margin_pp=2, costs=limits(**{limit: 1.1})))[quantity]
    assert observation.standing == standing
    assert f"{quantity}: {factor:.3f}× the saved run's, at most 1.1× allowed" in observation.sentence
    shown = by_quantity(compare_pair(old, new, margin_pp=2))[quantity]
    assert (shown.standing, shown.old, shown.new) == (None, observation.old, observation.new)


def test_few_runs_leave_time_undecided() -> None:
    """Three runs a side prove nothing about time; the sentence names the option to use."""
    pair = compare_pair(configuration(), configuration(), margin_pp=2, costs=limits(max_time=1.1))
    observation = by_quantity(pair)["train time"]
    assert observation.standing == "undecided"
    assert "3 against 3 saved runs, at least 5 on both sides are needed: --freeze-num-seeds=5" in observation.sentence


def test_what_was_not_measured_neither_passes_nor_fails() -> None:
    """A limit on energy without a reading is undecided, and the side is named."""
    pair = compare_pair(configuration(), configuration(), margin_pp=2, costs=limits(max_energy=1.1))
    assert by_quantity(pair)["energy"].standing == "undecided"
    assert by_quantity(pair)["energy"].sentence.endswith("not measured in the saved run")


def test_another_device_refuses_costs_only() -> None:
    """Accuracy is still compared."""
    new = replace(timed_configuration(train_s=1.0), device_name="another CPU")
    costs = limits(max_time=1.1, max_memory=1.1)
    pair = compare_pair(timed_configuration(train_s=1.0), new, margin_pp=2, costs=costs)
    standings = {
        quantity: (observation.standing, observation.is_comparable)
        for quantity, observation in by_quantity(pair).items()
    }
    assert standings == {
        "accuracy": ("ok", True),
        "train time": ("undecided", False),
        "peak memory": ("undecided", False),
        "energy": (None, False),
    }
    for quantity in ("train time", "peak memory"):
        assert "device a CPU → another CPU" in by_quantity(pair)[quantity].sentence
    gpu = replace(new, device="cuda:0")
    assert (
        "device cpu → cuda:0"
        in by_quantity(compare_pair(timed_configuration(), gpu, margin_pp=2))["peak memory"].sentence
    )


def mixed_configuration(*device_names: str, **factors: float) -> SavedConfiguration:
    """Return runs of emb on one device each; those that are no A100 take ten times as long and as much memory."""
    runs = [
        replace(run, device_name=name)
        for run, name in zip(timed(seeds("emb", num=len(device_names)), **factors), device_names, strict=True)
    ]
    slow = timed(runs, train_s=10.0, peak_rss_bytes=10.0)
    chosen = [run if run.device_name == "A100" else late for run, late in zip(runs, slow, strict=True)]
    return from_records("emb", chosen, node_id="t.py::test_it[emb]")


def test_costs_are_compared_on_the_device_model_that_both_sides_have_most_runs_on() -> None:
    """The runs on other models are left out and named; accuracy counts all seeds."""
    old, new = mixed_configuration("T4", *["A100"] * 5), mixed_configuration(*["A100"] * 5, "T4", "V100")
    pair = compare_pair(old, new, margin_pp=2, costs=limits(max_time=1.1, max_memory=1.01))
    found = by_quantity(pair)
    assert (found["train time"].standing, found["peak memory"].standing) == ("ok", "ok")
    assert found["train time"].sentence.endswith("5 against 5 saved runs; without the runs on T4, V100")
    assert "6 seeds" in found["accuracy"].sentence
    shown = by_quantity(compare_pair(old, new, margin_pp=2))["train time"]
    assert (shown.is_comparable, shown.sentence) == (True, "train time; without the runs on T4, V100")


def test_without_a_common_device_model_the_figures_are_of_the_main_ones() -> None:
    """They are shown, and not compared."""
    pair = compare_pair(mixed_configuration("T4", "T4", "V100"), mixed_configuration("A100", "A100", "L4"), margin_pp=2)
    time = by_quantity(pair)["train time"]
    assert (time.is_comparable, time.sentence) == (False, "train time: not comparable: device T4 → A100")
    assert time.old is not None
    assert time.new is not None
    assert time.old > 5 * time.new


def test_what_may_differ_is_compared_and_named() -> None:
    """All of it has to be admitted, and the test set never is."""
    new = from_records(
        "emb", with_protocol(seeds("emb", accuracy=0.7), num_epochs=3, learning_rate=1e-3), node_id="t.py::test_it[emb]"
    )
    assert compare_pair(configuration(), new, margin_pp=2, across=("lr",)).refused == "epochs 2 → 3"
    pair = compare_pair(configuration(), new, margin_pp=2, across=("lr", "epochs"))
    assert pair.refused is None
    assert pair.admitted == ("epochs 2 → 3", "lr 5e-05 → 0.001")
    assert [part.standing for part in pair.parts] == ["worse"]
    other = replace(configuration(), data_sha256={"train": "x", "validation": "v", "test": "y"})
    assert (
        compare_pair(configuration(), other, margin_pp=2, across=ACROSS).refused
        == "test sentences sha256 test400 → sha256 y"
    )


def test_the_reference_is_named_in_sentences() -> None:
    """A test may have two limits on accuracy."""
    pair = compare_pair(configuration(), configuration(), margin_pp=2, reference="the anchor")
    assert "allowed: 2 points below the anchor" in pair.parts[0].sentence
    other = replace(configuration(), model="other")
    refused = compare_pair(configuration(), other, margin_pp=2, reference="the anchor").parts[0].sentence
    assert refused == "not compared with the anchor: model tiny → other"


def test_another_protocol_refuses_everything() -> None:
    """Nothing is compared, the field is named, and the gate is undecided, not passed."""
    new = from_records(
        "emb", with_protocol(seeds("emb"), num_epochs=3, learning_rate=1e-3), node_id="t.py::test_it[emb]"
    )
    pair = compare_pair(configuration(), new, margin_pp=2)
    assert pair.refused == "epochs 2 → 3, lr 5e-05 → 0.001"
    assert pair.observations == ()
    assert [part.standing for part in pair.parts] == ["undecided"]


def test_invalid_runs_are_never_compared() -> None:
    """The side is named; an invalid new run does not pass."""
    fault = from_records("emb", [broken("emb")], node_id="t.py::test_it[emb]")
    assert "is invalid in the new run: seed 42: non-finite loss" in str(
        compare_pair(configuration(), fault, margin_pp=2).refused
    )
    assert "is invalid in the saved run" in str(compare_pair(fault, configuration(), margin_pp=2).refused)
    assert compare(saved(configuration()), saved(fault), margin_pp=2).standing == "broken"
    assert compare(saved(fault), saved(configuration()), margin_pp=2).standing == "undecided"


def contended_configuration(num: int, *, of: int = 5, device: str = "cpu", **factors: float) -> SavedConfiguration:
    """Return runs of emb of which the first ones waited for processors, and took twice as long."""
    slow = [contended(record) for record in timed(seeds("emb", num=of, device=device), train_s=2.0)[:num]]
    quiet = timed(seeds("emb", num=of, device=device), **factors)[num:]
    return from_records("emb", [*slow, *quiet], node_id="t.py::test_it[emb]")


@pytest.mark.parametrize(("num", "standing"), [(0, "ok"), (1, "broken"), (5, "broken")])
@pytest.mark.parametrize("is_old", [False, True])
def test_contended_runs_decide_no_limit_on_time(num: int, standing: str, is_old: bool) -> None:
    """With fewer than five others the limit is broken, with the side, the number and the share."""
    sides = [contended_configuration(num), timed_configuration(train_s=1.0)]
    old, new = sides if is_old else reversed(sides)
    observation = by_quantity(compare_pair(old, new, margin_pp=2, costs=limits(max_time=1.1)))["train time"]
    assert observation.standing == standing
    if num:
        name = "saved run" if is_old else "this run"
        assert f"{name}: {num} of 5 runs trained on a busy machine: up to 41 %" in observation.sentence


@pytest.mark.parametrize(("old_num", "new_num"), [(3, 5), (5, 3), (3, 3)])
def test_a_busy_machine_breaks_no_limit_that_too_few_runs_could_not_decide(old_num: int, new_num: int) -> None:
    """On a quiet machine it would be undecided, too; both reasons are given."""
    old, new = contended_configuration(0, of=old_num), contended_configuration(1, of=new_num)
    observation = by_quantity(compare_pair(old, new, margin_pp=2, costs=limits(max_time=1.1)))["train time"]
    assert observation.standing == "undecided"
    assert f"this run: 1 of {new_num} runs trained on a busy machine" in observation.sentence
    assert observation.sentence.endswith("at least 5 on both sides are needed: --freeze-num-seeds=5")


def test_enough_other_runs_decide_without_the_contended_ones() -> None:
    """Six of seven runs are enough; the slow one does not count."""
    old, new = contended_configuration(0, of=7), contended_configuration(1, of=7)
    observation = by_quantity(compare_pair(old, new, margin_pp=2, costs=limits(max_time=1.1)))["train time"]
    assert (observation.standing, observation.old) == ("ok", observation.new)


def test_contended_times_are_shown_and_not_compared() -> None:
    """Without a limit both figures are visible, with the reason why they have no ratio."""
    observation = by_quantity(compare_pair(configuration(), contended_configuration(3, of=3), margin_pp=2))[
        "train time"
    ]
    assert observation.new is not None
    assert not observation.is_comparable
    assert observation.standing is None
    assert "3 of 3 runs trained on a busy machine" in observation.sentence


def test_a_figure_that_no_run_has_is_not_missing_for_contention() -> None:
    """A machine without counters of energy has none on a quiet day either."""
    new = contended_configuration(3, of=3)
    new = replace(new, runs=tuple(replace(run, readings={**run.readings, "cpu_energy_j": None}) for run in new.runs))
    energy = by_quantity(compare_pair(configuration(), new, margin_pp=2))["energy"]
    assert (energy.new, energy.standing, energy.sentence) == (None, None, "")
    limited = compare_pair(configuration(), new, margin_pp=2, costs=limits(max_energy=1.1))
    assert by_quantity(limited)["energy"].sentence.endswith("not measured in the saved run")


def test_a_busy_host_does_not_hide_the_times_of_a_gpu() -> None:
    """On a GPU other processes on the device decide."""
    assert contended_configuration(3, device="cuda:0").contended_shares == ()
    assert contended_configuration(3).contended_shares == (0.41,) * 3
    assert [run.seed for run in contended_configuration(3).quiet.runs] == [45, 46]


@pytest.mark.parametrize("sides", ["both", "old", "new"])
def test_accuracy_against_a_saved_run_counts_distinct_texts(sides: str) -> None:
    """Copies of the test sentences leave verdict and sentence as they were, even if one file does not name them."""
    old, new = configuration("emb", accuracy=0.9), configuration("emb", accuracy=0.89)
    often = [_copied(each, named=sides in ("both", name)) for name, each in (("old", old), ("new", new))]
    before = compare_pair(old, new, margin_pp=2.0).observations[0]
    after = compare_pair(*often, margin_pp=2.0).observations[0]
    assert after == before


def _copied(saved: SavedConfiguration, *, named: bool) -> SavedConfiguration:
    """Return a configuration on a test set that has every sentence five times."""
    runs = tuple(replace(run, outcomes=np.tile(run.outcomes, 5)) for run in saved.runs)
    num_test = len(saved.runs[0].outcomes)
    return replace(saved, runs=runs, test_groups=tuple(range(num_test)) * 5 if named else None)


def judged_by(metric: Metric, **options: float) -> SavedConfiguration:
    """Return runs of emb that are judged by a metric, on few examples."""
    runs = seeds("emb", num=3, num_test=60, accuracy=options.get("accuracy", 0.9))
    return from_records("emb", runs, node_id="t.py::test_it[emb]", metric=metric)


@pytest.mark.parametrize(("accuracy", "standing"), [(0.9, "ok"), (0.4, "worse")])
def test_another_metric_is_judged_by_its_outcomes(accuracy: float, standing: str) -> None:
    """Sentence and quantity name it, and the limit is in its points."""
    metric = METRICS["balanced-accuracy"]
    pair = compare_pair(judged_by(metric), judged_by(metric, accuracy=accuracy), margin_pp=10)
    (part,) = pair.parts
    assert (part.quantity, part.standing, pair.is_decided) == ("balanced accuracy", standing, True)
    assert part.sentence.startswith("balanced accuracy: drop ")
    assert part.sentence.endswith("allowed: 10 points below the saved run, 3 seeds")


def test_lower_values_of_a_loss_are_better() -> None:
    """A rise of it is a drop, in its own unit."""

    def wrong(examples: Examples) -> NDArray[np.float64]:
        return np.where(examples.labels != examples.predictions, 1 / 3, 0.0)

    loss = replace(ACCURACY, name="made-up", label="loss", unit="nats", higher_is_better=False, contributions=wrong)
    worse = compare_pair(judged_by(loss), judged_by(loss, accuracy=0.4), margin_pp=0.05).parts[0]
    better = compare_pair(judged_by(loss, accuracy=0.4), judged_by(loss), margin_pp=0.05).parts[0]
    assert (worse.standing, better.standing) == ("worse", "ok")
    assert re.search(r": drop 0\.\d{3} nats, lower bound 0\.\d{3}, ", worse.sentence)
    assert "allowed: 0.05 nats above the saved run" in worse.sentence


def test_too_few_examples_on_one_side_decide_nothing() -> None:
    """Even a large drop is undecided, with the reason."""
    metric = METRICS["balanced-accuracy"]
    old = replace(judged_by(metric), too_few="3 examples of class b")
    (part,) = compare_pair(old, judged_by(metric, accuracy=0.4), margin_pp=2).parts
    assert part.standing == "undecided"
    assert part.sentence.endswith("too few examples: 3 examples of class b")


def test_another_metric_or_task_is_refused_by_name() -> None:
    """Nothing admits it; a further test set that one side lacks is shown."""
    other = replace(configuration(), metric=METRICS["macro-f1"])
    pair = compare_pair(configuration(), other, margin_pp=2, across=ACROSS)
    assert pair.refused == "metric accuracy → macro-f1"
    more = replace(configuration(), test_sets={"tweets": "ab"})
    pair = compare_pair(configuration(), more, margin_pp=2)
    assert (pair.refused, pair.admitted) == (None, ("the test set tweets, which only this run has",))
