"""The search for the deepest safe prefix: which depths of a ladder are trained, with how many seeds, and the answer.

Depths are tried by bisection. A depth that is shown to be safe sends the search deeper, any other one less deep, until
the deepest depth that was shown to be safe and the next deeper one have both been trained:

    emb  L0  L0-1  L0-2  L0-3  L0-4  L0-5  L0-6
                    1 safe ─────────► 2 not shown
                          3 safe ─► 4 not shown           deepest safe prefix: L0-3, and L0-4 is not shown to be safe

That drops grow with depth only guides the search. Each verdict comes from the runs of its own depth.

The error rate. The answer is wrong if a depth passes whose true drop is above the margin. Suppose that true drops grow
with depth, and consider the search in which every safe depth passes and no other one does. Its depths follow from the
true drops alone. Until its first wrong verdict, the actual search tries no unsafe depth but those: it leaves that path
only where a safe depth does not pass, and all depths that it tries from there on are safe. So the answer is wrong at
most as often as some unsafe depth of that path passes. Each of these but the first follows on one that did not pass.
If at most ``MAX_FAILED`` depths may fail to pass, it suffices to judge each depth at this part of the error rate
(Bonferroni); depths that pass use up nothing (as in the fallback procedure of Wiens 2003). With ``t`` trials of which
``e`` may fail, ``C(t, 0) + … + C(t, e)`` answers can be told apart: 26 with five trials of which three may fail, which
are the answers of an encoder of 24 layers. Where drops do not grow with depth, nothing is proven:
``benchmarks/search_error_rates.py`` simulates both.

The number of runs. A depth gets the seeds of another look only if its drop is below the margin, since no other depth is
likely to pass, and only while the runs of the search remain within a third of those that the whole ladder would need.
On ladders of less than 17 prefixes a third would not suffice for the first looks; there, the limit is all of them.
Neither rule makes a wrong answer more likely.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from freezebench.specs.interim_looks import MAX_FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SHARE_OF_ALL = 3  # a third


@dataclass(frozen=True, kw_only=True)
class LookOutcome:
    """What one look at a depth shows.

    Attributes:
        is_safe: Whether the depth is shown to be safe.
        may_become_safe: Whether it is undecided with a drop below the margin, so that further seeds may show it.
        is_open_in_all: Whether it is undecided at the error rate of ``all``, which would train further seeds.
        has_baseline: Whether it could be compared; a baseline that broke ends the search.
    """

    is_safe: bool
    may_become_safe: bool = False
    is_open_in_all: bool = False
    has_baseline: bool = True


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A depth that the search has tried, or tries now.

    Attributes:
        freeze: Its canonical id.
        num_seeds: Number of seeds of its latest look.
        num_seeds_in_all: Number of seeds that it needs at least where the whole ladder is trained.
        outcome: What the look shows; ``None`` while runs of it are missing.
    """

    freeze: str
    num_seeds: int
    num_seeds_in_all: int
    outcome: LookOutcome | None = None


@dataclass(frozen=True, kw_only=True)
class Search:
    """How far a search has come.

    Attributes:
        ladder: The prefixes, least frozen first.
        trials: Those that were tried, in this order; the last one may lack runs.
        deepest_safe: The deepest of those that are shown to be safe; ``None``: none is so far.
        next_deeper: The least deep one above it that is not shown to be safe; ``None``: there is none so far.
    """

    ladder: tuple[str, ...]
    trials: tuple[Trial, ...]
    deepest_safe: str | None
    next_deeper: str | None

    @property
    def current(self) -> Trial | None:
        """The depth that lacks runs; ``None`` once the search has ended."""
        return self.trials[-1] if self.trials and self.trials[-1].outcome is None else None


def search(ladder: Sequence[str], counts: Sequence[int], look: Callable[[str, int], LookOutcome | None]) -> Search:
    """Return how far a search has come, which follows from the outcomes and not from the order of their arrival.

    Args:
        ladder: Canonical ids of the prefixes, least frozen first, without the baseline.
        counts: Numbers of seeds after which a depth is judged.
        look: Returns what a depth shows with a number of seeds; ``None`` if runs are missing.
    """
    trials: list[Trial] = []
    num_safe, num_possible, num_left = 0, len(ladder), MAX_FAILED
    while num_safe < num_possible:
        position = num_safe + _num_below(num_possible - num_safe + 1, num_left) - 1
        may_have = partial(_is_within_share, tuple(trials), len(ladder), counts[0])
        trials.append(_trial(ladder[position], counts, look, may_have))
        outcome = trials[-1].outcome
        if outcome is None:
            break
        if outcome.is_safe:
            num_safe = position + 1
        else:
            num_possible, num_left = position, num_left - 1
        if not outcome.has_baseline:
            break
    return Search(
        ladder=tuple(ladder),
        trials=tuple(trials),
        deepest_safe=ladder[num_safe - 1] if num_safe else None,
        next_deeper=ladder[num_possible] if num_possible < len(ladder) else None,
    )


def max_trials(num_prefixes: int) -> int:
    """Return how many depths of a ladder a search tries at most."""
    return _num_trials(num_prefixes + 1, MAX_FAILED)


def run_bounds(num_prefixes: int, counts: Sequence[int]) -> tuple[int, int]:
    """Return how many runs a search takes at least and at most, the baseline's included.

    Args:
        num_prefixes: Number of prefixes of the ladder, at least one.
        counts: Numbers of seeds after which a depth is judged.
    """
    first, last, num_trials = counts[0], counts[-1], max_trials(num_prefixes)
    ladder = list(map(str, range(num_prefixes)))
    answers = [lambda freeze, _, num=num: LookOutcome(is_safe=int(freeze) < num) for num in range(num_prefixes + 1)]
    fewest = min(len(search(ladder, counts[:1], answer).trials) for answer in answers)
    # ``all`` would give each of these depths, and the baseline, all its looks, and every other one the first.
    of_all = (num_prefixes + 1) * first + (num_trials + 1) * (last - first)
    most = min((num_trials + 1) * last, of_all // _share_of_all(num_prefixes))
    return (fewest + 1) * first, max(most, (num_trials + 1) * first)


def _share_of_all(num_prefixes: int) -> int:
    """Return which part of the runs of the whole ladder a search may take: 3 for a third, 1 for all of them."""
    return _SHARE_OF_ALL if _SHARE_OF_ALL * (max_trials(num_prefixes) + 1) <= num_prefixes + 1 else 1


def _trial(
    freeze: str,
    counts: Sequence[int],
    look: Callable[[str, int], LookOutcome | None],
    may_have: Callable[[Trial], bool],
) -> Trial:
    """Return a depth after its latest look: the first that lacks runs, or the last that it needs and may have."""
    trial = Trial(freeze=freeze, num_seeds=counts[0], num_seeds_in_all=counts[0], outcome=look(freeze, counts[0]))
    for count in counts[1:]:
        outcome = trial.outcome
        if outcome is None:
            return trial
        if outcome.is_open_in_all and trial.num_seeds_in_all == trial.num_seeds:
            trial = replace(trial, num_seeds_in_all=count)
        further = replace(trial, num_seeds=count, outcome=None)
        if not outcome.may_become_safe or not may_have(further):
            return trial
        trial = replace(further, outcome=look(freeze, count))
    return trial


def _is_within_share(earlier: Sequence[Trial], num_prefixes: int, first: int, latest: Trial) -> bool:
    """Return whether trials, and the first looks of those that may follow, remain within a share of the ladder's runs.

    Args:
        earlier: The trials before the latest one.
        num_prefixes: Number of prefixes of the ladder.
        first: Number of seeds of the first look.
        latest: The latest trial with its next look.
    """
    trials = [*earlier, latest]
    # The baseline has as many seeds as the configuration with most of them.
    seeds, in_all = [trial.num_seeds for trial in trials], [trial.num_seeds_in_all for trial in trials]
    num_runs = sum(seeds) + max(seeds) + (max_trials(num_prefixes) - len(trials)) * first
    least_of_all = sum(in_all) + max(in_all) + (num_prefixes - len(trials)) * first
    return _share_of_all(num_prefixes) * num_runs <= least_of_all


def _num_below(num_answers: int, num_left: int) -> int:
    """Return how many of the possible answers remain if the next depth is not shown to be safe.

    About half of them, but no more than the remaining trials can tell apart on either side.

    Args:
        num_answers: Number of answers that are possible, at least two.
        num_left: How many further depths may fail to pass, at least one.
    """
    num_trials = _num_trials(num_answers, num_left)
    least = num_answers - _num_told_apart(num_trials - 1, num_left)
    most = _num_told_apart(num_trials - 1, num_left - 1)
    return min(max(num_answers // 2, least), most)


def _num_trials(num_answers: int, num_left: int) -> int:
    """Return the fewest trials that tell so many answers apart if at most some of them may fail to pass."""
    num_trials = 0
    while _num_told_apart(num_trials, num_left) < num_answers:
        num_trials += 1
    return num_trials


def _num_told_apart(num_trials: int, num_left: int) -> int:
    """Return how many answers trials tell apart: the number of ways in which at most some of them fail to pass."""
    return sum(math.comb(num_trials, number) for number in range(min(num_trials, num_left) + 1))
