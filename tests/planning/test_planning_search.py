"""The search for the deepest safe prefix: which depths it tries, with how many seeds, and what it answers."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.planning.search import LookOutcome, Search, max_trials, search
from freezebench.specs.interim_looks import MAX_FAILED, InterimLooks

SAFE, UNSAFE = LookOutcome(is_safe=True), LookOutcome(is_safe=False)
OPEN = LookOutcome(is_safe=False, may_become_safe=True, is_open_in_all=True)
COUNTS = (3, 5, 8)


def ladder(num_prefixes: int) -> list[str]:
    """Return names of prefixes, which are numbers here."""
    return [str(prefix) for prefix in range(num_prefixes)]


def answered(num_prefixes: int, num_safe: int) -> Search:
    """Return the search over a ladder whose first prefixes are safe, each decided by its first look."""
    return search(ladder(num_prefixes), COUNTS, lambda freeze, _: SAFE if int(freeze) < num_safe else UNSAFE)


def num_runs(found: Search) -> int:
    """Return the number of runs of a search, the baseline's included."""
    seeds = [trial.num_seeds for trial in found.trials]
    return sum(seeds) + max(seeds)


@pytest.mark.parametrize("num_prefixes", [1, 2, 3, 7, 13, 25, 33, 97])
def test_every_answer_of_a_ladder_is_found(num_prefixes: int) -> None:
    """The reported depth and the next deeper one were tried; few trials are needed, and few of them do not pass."""
    for num_safe in range(num_prefixes + 1):
        found = answered(num_prefixes, num_safe)
        tried = [trial.freeze for trial in found.trials]
        assert found.current is None
        assert found.deepest_safe == (str(num_safe - 1) if num_safe else None)
        assert found.next_deeper == (str(num_safe) if num_safe < num_prefixes else None)
        assert {found.deepest_safe, found.next_deeper} - {None} <= set(tried)
        assert len(set(tried)) == len(tried) <= max_trials(num_prefixes)
        assert sum(int(freeze) >= num_safe for freeze in tried) <= MAX_FAILED


@pytest.mark.parametrize(("num_layers", "num_trials"), [(6, 3), (12, 4), (24, 5)])
def test_usual_encoders_take_no_more_trials_than_bisection(num_layers: int, num_trials: int) -> None:
    """An encoder has one prefix more than layers, and one answer more than prefixes."""
    assert max_trials(num_layers + 1) == num_trials == math.ceil(math.log2(num_layers + 2))


def test_first_depth_is_near_the_middle_and_safe_ones_lead_deeper() -> None:
    """The trials of a ladder with an answer in its upper third."""
    assert [trial.freeze for trial in answered(25, 16).trials] == ["10", "17", "13", "15", "16"]


def test_depth_without_all_its_runs_is_current() -> None:
    """It is neither safe nor unsafe until a look has all its runs, and keeps its number of seeds."""
    outcomes = {("3", 3): OPEN}
    found = search(ladder(7), COUNTS, lambda freeze, count: outcomes.get((freeze, count)))
    assert found.current is not None
    assert (found.current.freeze, found.current.num_seeds) == ("3", 5)
    assert (found.deepest_safe, found.next_deeper) == (None, None)
    outcomes[("3", 5)] = SAFE
    found = search(ladder(7), COUNTS, lambda freeze, count: outcomes.get((freeze, count)))
    assert found.current is not None
    assert found.current.freeze == "5"
    assert found.deepest_safe == "3"


def test_undecided_depth_gets_its_looks_and_then_counts_as_not_safe() -> None:
    """On a short ladder, where a third of the runs would not suffice for the first looks, it may have all of them."""
    found = search(ladder(7), COUNTS, lambda freeze, _: OPEN if int(freeze) >= 3 else SAFE)
    assert [(trial.freeze, trial.num_seeds) for trial in found.trials] == [("3", 8), ("1", 3), ("2", 3)]
    assert (found.deepest_safe, found.next_deeper) == ("2", "3")


def test_depth_with_a_drop_above_the_margin_gets_no_further_look() -> None:
    """It is hardly going to pass."""
    lost = LookOutcome(is_safe=False, is_open_in_all=True)
    found = search(ladder(7), COUNTS, lambda *_: lost)
    assert [trial.num_seeds for trial in found.trials] == [3, 3, 3]
    assert found.deepest_safe is None


def test_baseline_that_broke_ends_the_search() -> None:
    """Nothing could be compared with it."""
    found = search(ladder(25), COUNTS, lambda *_: LookOutcome(is_safe=False, has_baseline=False))
    assert len(found.trials) == 1
    assert (found.current, found.deepest_safe) == (None, None)


@given(st.data(), st.sampled_from([(3,), (3, 5), (3, 5, 8), (3, 4, 5, 6, 8, 12, 20), (8, 20)]), st.integers(2, 40))
def test_long_ladders_take_at_most_a_third_of_the_runs_of_all(
    data: st.DataObject, counts: tuple[int, ...], num_prefixes: int
) -> None:
    """Whatever the looks show; ``all`` trains every prefix, and further seeds of those that it finds undecided.

    Short ladders take at most as many runs as ``all``.
    """
    kinds = st.sampled_from([SAFE, UNSAFE, OPEN, LookOutcome(is_safe=False, may_become_safe=True)])
    outcomes: dict[tuple[str, int], LookOutcome] = {}

    def look(freeze: str, count: int) -> LookOutcome:
        if (freeze, count) not in outcomes:
            outcomes[freeze, count] = data.draw(kinds)
        return outcomes[freeze, count]

    found = search(ladder(num_prefixes), counts, look)
    seeds = dict.fromkeys(ladder(num_prefixes), counts[0])
    for freeze in seeds:
        for earlier, later in itertools.pairwise(counts):
            outcome = outcomes.get((freeze, earlier))
            if seeds[freeze] == earlier and outcome is not None and outcome.is_open_in_all:
                seeds[freeze] = later
    share = 3 if num_prefixes >= 17 else 1
    assert share * num_runs(found) <= sum(seeds.values()) + max(seeds.values())


@given(st.data(), st.integers(1, 30))
def test_search_does_not_depend_on_the_order_in_which_looks_are_completed(data: st.DataObject, num: int) -> None:
    """Outcomes that happen to be known already change neither the depths that are tried nor their numbers of seeds."""
    kinds = st.sampled_from([SAFE, UNSAFE, OPEN])
    outcomes = {(freeze, count): data.draw(kinds) for freeze in ladder(num) for count in COUNTS}
    at_once = search(ladder(num), COUNTS, lambda freeze, count: outcomes[freeze, count])
    known: dict[tuple[str, int], LookOutcome] = {}

    def look(freeze: str, count: int) -> LookOutcome | None:
        return known.get((freeze, count))

    while (found := search(ladder(num), COUNTS, look)).current:
        asked = found.current.freeze, found.current.num_seeds
        others = data.draw(st.lists(st.sampled_from(sorted(outcomes)), max_size=4))
        known.update({key: outcomes[key] for key in [asked, *others]})
    assert found == at_once


def test_verdicts_of_a_search_share_the_error_rate() -> None:
    """Each has 0.4 of a third, and less with more looks than three, whose errors would add up."""
    assert InterimLooks(counts=(3,)).shared_by(MAX_FAILED).alpha == pytest.approx(0.4 * 0.05 / 3)
    assert InterimLooks(counts=COUNTS).shared_by(MAX_FAILED).alpha == pytest.approx(0.4 * 0.02 / 3)
    assert InterimLooks(counts=(3, 4, 5, 6, 7, 8)).shared_by(MAX_FAILED).alpha == pytest.approx(0.4 * 0.01 / 3)
    assert InterimLooks(counts=(3, 4, 5, 6, 7, 8)).alpha == pytest.approx(0.02)
