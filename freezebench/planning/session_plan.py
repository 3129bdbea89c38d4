"""The runs of a whole session: what is left of them, and how far the seeds have gone through each grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.planning.blocks import blocks_of, trains_arms_together
from freezebench.planning.budget import Budget
from freezebench.planning.finished import NeededRun
from freezebench.planning.interleaving import needed_interleaved_runs
from freezebench.planning.looks import next_step, result_so_far
from freezebench.planning.not_run import not_run
from freezebench.planning.results import up_to_invalid
from freezebench.planning.rounds import groups, rounds
from freezebench.planning.searched import current_round, is_searched, search_of, searched_so_far, searched_step
from freezebench.planning.tuning import run_spec
from freezebench.records.events import SeedsFinished
from freezebench.specs.node_ids import experiment_names
from freezebench.verdicts.judge import ConfigurationResult
from freezebench.verdicts.resources import MIN_RUNS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from freezebench.config.settings import Settings
    from freezebench.planning.blocks import Block
    from freezebench.planning.finished import FinishedRuns
    from freezebench.planning.rounds import Group, Round
    from freezebench.planning.search import Search
    from freezebench.records.trainable_set import TrainableSet
    from freezebench.specs.budget import BudgetLimit
    from freezebench.specs.run import RunSpec
    from freezebench.specs.slots import Slot


class SessionPlan:
    """The configurations of a session, which its runs follow from; some are not run (see ``planning.not_run``).

    Attributes:
        with_times: Whether required savings of time and energy are checked.
        budget: What is left of the session's budget.
    """

    def __init__(
        self,
        planned: Iterable[tuple[Settings, str]] = (),
        *,
        with_times: bool = True,
        budget: BudgetLimit | None = None,
        left_out: Callable[[Settings], Mapping[str, str]] = lambda _: {},
    ) -> None:
        """Take what runs are planned from.

        Args:
            planned: Settings and configuration of every test that is going to run.
            with_times: Whether required savings of time and energy are checked.
            budget: The limit on runs; ``None`` for none.
            left_out: Returns why some configurations of a test cannot train, by canonical id.
        """
        self.with_times, self.budget = with_times, Budget(budget)
        # Tests that share a table share its rounds.
        self._grids: dict[Settings, dict[str, None]] = {}
        self._trainable: dict[RunSpec, dict[str, TrainableSet]] = {}
        self._why_left_out = left_out
        self._left_out: dict[Settings, dict[str, str]] = {}
        self._latest: dict[Settings, _Latest] = {}
        self.add(planned)

    def add(self, planned: Iterable[tuple[Settings, str]]) -> None:
        """Add settings and configuration of tests that are going to run."""
        for settings, freeze in planned:
            self._grids.setdefault(settings.of_table, {})[freeze] = None
            self._left_out.setdefault(settings.of_table, {}).update(self._why_left_out(settings))

    def add_trainable(self, experiment: RunSpec, trainable: Mapping[str, TrainableSet]) -> None:
        """Add what configurations of an experiment (``Settings.experiment``) train, by canonical id."""
        self._trainable.setdefault(experiment, {}).update(trainable)

    def trains(self, settings: Settings, freeze: str) -> TrainableSet | None:
        """Return what a configuration trains; ``None`` if that is not known."""
        return self._trainable.get(settings.experiment, {}).get(freeze)

    def is_run(self, settings: Settings, freeze: str) -> bool:
        """Return whether a configuration has something to train that no less frozen one of its table trains."""
        return freeze not in self._not_run(settings, freeze)

    def is_trained(self, settings: Settings, freeze: str) -> bool:
        """Return whether a configuration trains in any case: it is run, and no search may leave it out."""
        return freeze in self.grid(settings) and not is_searched(settings, freeze)

    def grid(self, settings: Settings) -> list[str]:
        """Return the configurations that are compared with each other in the table of a test, but those not run."""
        left_out = self._not_run(settings)
        return [freeze for freeze in self._grids.get(settings.of_table, {}) if freeze not in left_out]

    def not_run(self) -> list[tuple[Settings, list[ConfigurationResult]]]:
        """Return the results of planned configurations that are not run, those of one table together."""
        of_tables = [(settings, self._not_run(settings)) for settings in self._grids]
        return [
            (settings, [result for freeze, result in results.items() if freeze in self._grids[settings]])
            for settings, results in of_tables
        ]

    def _not_run(self, settings: Settings, *further: str) -> dict[str, ConfigurationResult]:
        """Return the results of a table's configurations that are not run, by canonical id."""
        grid = {*self._grids.get(settings.of_table, {}), *further}
        trainable, left_out = self._trainable.get(settings.experiment, {}), self._left_out.get(settings.of_table, {})
        return not_run(grid, trainable, settings.model, left_out)

    def next_step(
        self, settings: Settings, freeze: str, finished: FinishedRuns
    ) -> list[NeededRun] | ConfigurationResult:
        """Return the runs that are needed before one configuration has a result, in order, or its result."""
        left_out = self._not_run(settings, freeze).get(freeze)
        if left_out is not None:
            return left_out
        if is_searched(settings, freeze) and freeze in self.grid(settings):
            found = self._search(settings, finished)
            return searched_step(settings, freeze, found, finished, with_times=self.with_times)
        others = self._others(settings)
        return next_step(settings, freeze, finished, grid=others, with_times=self.with_times)

    def result_so_far(
        self, settings: Settings, freeze: str, finished: FinishedRuns, reason: str
    ) -> ConfigurationResult:
        """Return the result of a configuration's latest complete look, where no further run starts.

        Args:
            settings: The settings of the test.
            freeze: Canonical id of the configuration.
            finished: The runs that have ended.
            reason: Why no further run starts, as the end of a sentence.
        """
        if is_searched(settings, freeze) and freeze in self.grid(settings):
            found = self._search(settings, finished)
            result = searched_so_far(settings, freeze, found, finished, with_times=self.with_times)
        else:
            others = self._others(settings)
            result = result_so_far(settings, freeze, finished, grid=others, with_times=self.with_times)
        return ConfigurationResult.not_run(freeze, not_reached=reason) if result is None else result

    def budget_lines(self) -> list[str]:
        """Return what the end of the budget left out, and how to go on; none while it lasts."""
        return self.budget.lines(experiment_names((settings.model, settings.data.source) for settings in self._grids))

    def _others(self, settings: Settings) -> list[str]:
        """Return the configurations of a table that train in any case."""
        return [freeze for freeze in self.grid(settings) if not is_searched(settings, freeze)]

    def _search(self, settings: Settings, finished: FinishedRuns) -> Search:
        """Return how far the search of a table has come; without prefixes it has ended."""
        return search_of(settings, self.grid(settings), finished, with_times=self.with_times)

    def blocks(
        self,
        step: Iterable[NeededRun],
        finished: FinishedRuns,
        *,
        under_way: Collection[tuple[str, str | None]],
        slots: Sequence[Slot],
    ) -> list[Block]:
        """Return the blocks of the runs that can train now, in the order in which they are needed.

        Args:
            step: The runs that the current test needs; on several slots, those of later tests follow.
            finished: The runs that have ended.
            under_way: Keys of the runs of blocks that train now.
            slots: The slots. Where each has a device of its own, all configurations of a seed train on one.
        """
        runs = [*step]
        if len(slots) > 1:
            runs += [run for _, _, current in self._current(finished) for run in current.missing]
        needed: dict[tuple[str, str | None], NeededRun] = {}
        for run in runs:
            # Tables may share a run of which only one of them needs the time.
            if run.key not in needed or run.is_timed:
                needed[run.key] = run
        waiting = [run for key, run in needed.items() if key not in under_way]
        return blocks_of(waiting, arms_together=trains_arms_together(slots))

    def runs_left(self, finished: FinishedRuns) -> list[NeededRun]:
        """Return all runs that have not ended and are known to be needed: rounds that have begun, and all series."""
        plain: dict[str, NeededRun] = {}
        repeated: dict[NeededRun, None] = {}
        for settings, group, current in self._current(finished):
            ordinary = [needed for needed in current.missing if needed.interleaved_with is None]
            if any(needed.is_trial for needed in ordinary):
                ordinary += _tentative(settings, group, current)
            for freeze in () if current.is_stopped else current.candidates:
                series = needed_interleaved_runs(settings, freeze, finished) if freeze in group.interleaved else []
                repeated |= dict.fromkeys(series)
                # The seeds of a series are the first ones of its configuration; a look may need more.
                later = settings.seeds[MIN_RUNS : current.num_seeds] if series else ()
                ordinary += [NeededRun(spec=run_spec(settings, freeze, seed, finished)) for seed in later]
            plain |= {
                needed.spec.run_id: needed
                for needed in ordinary
                if not (needed.is_tentative and needed.spec.run_id in plain)
            }
        return [*plain.values(), *repeated]

    def seeds_finished(self, settings: Settings, finished: FinishedRuns) -> SeedsFinished | None:
        """Return how far the seeds have gone through a table; ``None`` before the first one and after the last."""
        if settings.searches:
            return None  # its looks are at one depth each
        group = groups(settings, self.grid(settings), with_times=self.with_times)[0]
        *earlier, current = rounds(settings, group, finished)
        first = current.missing[0] if current.missing else None
        if first is None or first.is_trial or first.interleaved_with is not None or not group.candidates:
            return None
        num_ended = first.spec.seed - settings.seed
        if num_ended == 0 or current.is_stopped:
            return None
        if earlier and num_ended == earlier[-1].num_seeds:
            current = earlier[-1]  # its successor has not begun
        specs = ("none", *current.candidates)
        records = {freeze: up_to_invalid(settings, freeze, num_ended, finished) for freeze in specs}
        # Interleaved runs come after those of the round.
        begun = {freeze: tuple(runs) for freeze, runs in records.items() if runs}
        return SeedsFinished(num_ended=num_ended, num_seeds=current.num_seeds, records=begun, metric=settings.metric)

    def _current(self, finished: FinishedRuns) -> Iterator[tuple[Settings, Group, Round]]:
        """Yield the latest round of every group, with its settings."""
        for settings in self._grids:
            grid = self.grid(settings)
            if not grid:  # the baseline would have nothing to be compared with
                continue
            for group, current in self._latest_rounds(settings, grid, finished):
                yield settings, group, current

    def _latest_rounds(
        self, settings: Settings, grid: Sequence[str], finished: FinishedRuns
    ) -> Sequence[tuple[Group, Round]]:
        """Return the groups of a table with their latest rounds.

        A plan is made after every run, and a table changes with its own runs alone.
        """
        state: tuple[str | int, ...] = (*grid, finished.num_changes[settings.experiment.experiment_id])
        latest = self._latest.get(settings)
        if latest is None or latest.finished is not finished or latest.state != state:
            others = self._others(settings)
            planned = groups(settings, others, with_times=self.with_times) if others else ()
            current = [(group, list(rounds(settings, group, finished))[-1]) for group in planned]
            look = current_round(settings, self._search(settings, finished), finished, with_times=self.with_times)
            current += [] if look is None else [look]
            latest = self._latest[settings] = _Latest(finished=finished, state=state, rounds=tuple(current))
        return latest.rounds


def _tentative(settings: Settings, group: Group, current: Round) -> list[NeededRun]:
    """Return the runs of a look that follow the trials of learning rates, whatever these choose."""
    names = ["none", *(freeze for freeze in current.candidates if freeze not in group.interleaved)]
    specs = [settings.run_spec(freeze, seed) for seed in settings.seeds[: current.num_seeds] for freeze in names]
    return [NeededRun(spec=spec, is_tentative=True) for spec in specs]


@dataclass(frozen=True, kw_only=True)
class _Latest:
    """The latest rounds of a table.

    Attributes:
        finished: The runs that they follow from.
        state: Grid of the table and number of changes of its runs then.
        rounds: The latest round of each group.
    """

    finished: FinishedRuns
    state: tuple[str | int, ...]
    rounds: tuple[tuple[Group, Round], ...]
