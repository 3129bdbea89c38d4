"""The comparison of a session's tests with a saved run.

The saved partner of every test is found before anything trains, so that a comparison or limit which no run could
decide is refused at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.planning.reference_check import (
    PlannedTest,
    enumerated,
    refuse_incomparable,
    refuse_single_seeds,
    refuse_unjudgeable,
    too_few_runs,
)
from freezebench.planning.searched import is_searched
from freezebench.records.saved import from_records
from freezebench.scoring.metrics import metric_named
from freezebench.specs.limits import CostLimits
from freezebench.specs.node_ids import function_of
from freezebench.verdicts.compare import SAVED_RUN, Comparison, compare_pair
from freezebench.verdicts.matching import match

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from freezebench.config.settings import Settings
    from freezebench.records.reference_search import RequestedRun
    from freezebench.records.saved import SavedConfiguration, SavedRun
    from freezebench.verdicts.compare import Pair
    from freezebench.verdicts.gate import Part
    from freezebench.verdicts.judge import ConfigurationResult

ANCHOR = "the anchor"


class Reference:
    """A saved run that the tests of this session are compared with.

    Attributes:
        notes: Sentences to show before training: what is not compared, and which limits cannot be judged.
    """

    def __init__(
        self,
        request: RequestedRun,
        planned: Sequence[PlannedTest],
        *,
        is_anchor: bool = False,
        with_times: bool = True,
        across: Container[str | None] = (),
        allowed: Container[str] = (),
    ) -> None:
        """Find the partner of every test, and refuse what could not be compared or judged.

        Args:
            request: The saved run.
            planned: The tests that are going to run.
            is_anchor: Whether this is ``--freeze-anchor``, which limits accuracy alone.
            with_times: Whether limits on time and energy count.
            across: Names of what may differ (``Difference.name``).
            allowed: Freeze specs that may have no partner; ``all`` admits every one.

        Raises:
            SettingsError: If a limit cannot be judged against this saved run, if undecided tests fail and it could
                only be undecided, or if a comparison is required and could not be made.
        """
        self._request, self._planned = request, planned
        self._is_anchor, self._with_times = is_anchor, with_times
        self._across, self._allowed = across, allowed
        self._name = ANCHOR if is_anchor else SAVED_RUN
        self._pairs: dict[str, Pair] = {}
        self._left_out: set[str] = set()
        # A search may choose other depths than it did in the saved run.
        self._searched = {
            str(test.configuration.node_id) for test in planned if is_searched(test.settings, test.configuration.freeze)
        }
        pairs = match(self._saved_configurations, [test.configuration for test in planned])
        self._partners = {str(new.node_id): old for old, new in pairs}
        self.notes = tuple(dict.fromkeys(note for note in (*request.notes, *self._check()) if note))

    @property
    def saved(self) -> SavedRun | None:
        """The saved run; ``None``: there is none."""
        return self._request.saved

    def judge(self, node_id: str, settings: Settings, result: ConfigurationResult) -> tuple[Part, ...]:
        """Return the limits of a test that are judged against its partner; none without a partner."""
        old = self._partners.get(node_id)
        if old is None:
            return ()
        metric = metric_named(result.metric)
        new = from_records(result.freeze, result.records, broken=result.broken, node_id=node_id, metric=metric)
        limit_pp = settings.max_regression.get(result.freeze)
        pair = compare_pair(
            old,
            new,
            margin_pp=settings.margin_pp if limit_pp is None else limit_pp,
            costs=self._costs(settings),
            across=self._across,
            reference=self._name,
        )
        self._pairs[node_id] = pair
        # A run that broke fails its test by itself, with its own cause.
        return () if new.broken else pair.parts

    def take_plan(self, is_run: Callable[[Settings, str], bool]) -> None:
        """Leave out the tests that are not run, and refuse limits of others that have no partner and need one.

        Args:
            is_run: Returns whether a configuration of a test's settings is run.

        Raises:
            SettingsError: If there is such a limit.
        """
        for test in self._planned:
            node_id = str(test.configuration.node_id)
            if not is_run(test.settings, test.configuration.freeze):
                self.leave_out(node_id)
            elif node_id not in self._partners and not self._is_allowed(test.configuration):
                refuse_unjudgeable(self._request, (test, None), self._costs(test.settings), self._across)

    def leave_out(self, node_id: str) -> None:
        """Take note that a test is not run, since its configuration trains what another one trains."""
        self._left_out.add(node_id)

    def comparison(self) -> Comparison | None:
        """Return what was compared so far, and what was not; ``None`` if there is no saved run."""
        if self.saved is None:
            return None
        matched = {id(partner) for partner in self._partners.values()}
        return Comparison(
            source=self.saved.source,
            date=self.saved.date,
            pairs=tuple(self._pairs.values()),
            only_old=tuple(old.name for old in self.saved.configurations if id(old) not in matched),
            only_new=tuple(new.name for new in self._without_partner),
            reference=self._name,
            not_run=tuple(node_id for node_id in self._partners if node_id not in {*self._pairs, *self._left_out}),
        )

    def complaints(self) -> list[str]:
        """Return why a session that was to be compared must not pass unattended.

        Nothing was decided, or a configuration has no partner and is not allowed to have none. What only the saved run
        has counts if its test ran with other configurations and no longer has this one: a test that was not selected
        was left out on purpose.
        """
        if self.saved is None:
            return list(self._request.notes)
        sentences = []
        pairs = list(self._pairs.values())
        if not any(pair.is_decided for pair in pairs):
            num = f"0 of {len(self._planned)}"
            sentences.append(
                f"INCONCLUSIVE: no verdict against {self._name}, {self.saved.source}, is conclusive ({num})"
                f"{_remedy(pairs)}"
            )
        only_new = [new for new in self._without_partner if not self._is_allowed(new)]
        only_old = [old for old in self._dropped() if not self._is_allowed(old)]
        parts = [
            f"{title}: {enumerated(side.name for side in sides)}"
            for title, sides in ((f"not in {self._name}", only_new), (f"only in {self._name}", only_old))
            if sides
        ]
        if parts:
            specs = ",".join(dict.fromkeys(side.freeze for side in (*only_new, *only_old)))
            sentences.append(
                f"INCONCLUSIVE: not compared with {self.saved.source}: {'; '.join(parts)}. Save a new run (one that "
                f"failed is not saved), or allow it with --freeze-allow-unmatched={specs}."
            )
        return sentences

    @property
    def _saved_configurations(self) -> tuple[SavedConfiguration, ...]:
        return self.saved.configurations if self.saved else ()

    @property
    def _without_partner(self) -> list[SavedConfiguration]:
        """The configurations of this session that the saved run lacks."""
        planned = [test.configuration for test in self._planned]
        return [new for new in planned if str(new.node_id) not in {*self._partners, *self._left_out}]

    def _dropped(self) -> list[SavedConfiguration]:
        """Return what the saved run has of tests that ran, and that these tests no longer have."""
        grids: dict[str | None, set[str]] = {}
        for test in self._planned:
            old = self._partners.get(str(test.configuration.node_id))
            for side in (test.configuration, *([] if old is None else [old])):
                grids.setdefault(_function(side), set()).update(test.grid)
                # A report has the baseline even where no test is its own.
                grids[_function(side)] |= set() if side.node_id else {"none"}
        return [
            old
            for old in self._saved_configurations
            if _function(old) in grids and old.freeze not in grids[_function(old)]
        ]

    def _is_allowed(self, configuration: SavedConfiguration) -> bool:
        may_lack = str(configuration.node_id) in self._searched
        return may_lack or "all" in self._allowed or configuration.freeze in self._allowed

    def _check(self) -> list[str]:
        """Return notes on what cannot be decided.

        Raises:
            SettingsError: If something is asserted or required that cannot be decided.
        """
        pairs = [(test, self._partners.get(str(test.configuration.node_id))) for test in self._planned]
        # A report keeps configurations that broke; pytest-benchmark's files lack them, which may be allowed, too.
        held = [(test, old) for test, old in pairs if not (old and old.broken and self._is_allowed(old))]
        notes = [refuse_incomparable(self._request, held, self._across), refuse_single_seeds(self._request, pairs)]
        for test, old in pairs:
            settings, freeze = test.settings, test.configuration.freeze
            # Without a partner it may be one that is not run, which only a loaded model tells.
            if old is not None or self.saved is None:
                refuse_unjudgeable(self._request, (test, old), self._costs(settings), self._across)
            if not self._is_anchor:
                notes.append(too_few_runs(settings, freeze, old, with_times=self._with_times))
        if self.saved is not None and self._partners and self._without_partner:
            names = enumerated(new.name for new in self._without_partner)
            notes.append(f"{self._request.option}: not in {self.saved.source}, so not compared: {names}.")
        return notes

    def _costs(self, settings: Settings) -> CostLimits:
        if self._is_anchor:
            return CostLimits()
        return settings.costs if self._with_times else settings.costs.memory_only


def _remedy(undecided: Sequence[Pair]) -> str:
    """Return what would decide some of these pairs, or why none was compared, as the end of a sentence."""
    refused = [pair.refused for pair in undecided if pair.refused]
    if len(refused) < len(undecided):
        return ". Use more seeds (--freeze-num-seeds), more test sentences or a larger --freeze-max-regression."
    if refused:
        return f": {refused[0].rstrip('.')}. Name another saved run, or save a new one."
    return ": none of them ran. Run at least one of them."


def _function(configuration: SavedConfiguration) -> str | None:
    """Return the test function of a configuration; in a report, which names no tests, its experiment."""
    return function_of(configuration.node_id) if configuration.node_id else configuration.experiment_id
