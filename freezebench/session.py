"""The session: options resolved, runs planned and trained, results kept; it writes no report and imports no pytest."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.config.session_options import SessionOptions
from freezebench.errors import FreezebenchError
from freezebench.executors.call_queue import CallQueue
from freezebench.records.events import RunReused
from freezebench.records.files import prepare_folder

# The rest is imported when the first test is checked or run: most pytest sessions have no freeze tests.
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from freezebench.config.settings import Settings
    from freezebench.data.load import TextData
    from freezebench.executors.base import DataCacheOptions, Executor, OnEvent
    from freezebench.planning.reference import Reference
    from freezebench.planning.session_plan import SessionPlan
    from freezebench.records.events import RunEvent
    from freezebench.records.run_record import RunRecord
    from freezebench.runner import Runner
    from freezebench.runs.data_cache import DataCache
    from freezebench.runs.environment import Machine
    from freezebench.runs.reuse import Reuse
    from freezebench.specs.run import RunSpec
    from freezebench.verdicts.gate import Part
    from freezebench.verdicts.judge import ConfigurationResult

_DEFAULT_TIMEOUT_S = 24 * 3600.0


class FreezeSession:
    """Settings, runs and results of one session.

    Attributes:
        options: The options, and the settings of tests.
        with_times: Whether limits on time and energy count.
        num_test: Number of test sentences, once settings were checked.
        references: The saved runs that tests are compared with; may be set while no run trains.
        retried: Broken runs in whose place others were trained, as their tests were rerun.
        on_event: Called with every event of a run; may be replaced while no run trains.
    """

    def __init__(
        self,
        flags: Mapping[str, object],
        ini: Mapping[str, object],
        *,
        has_reference: bool = False,
        with_times: bool = True,
        default_store: Path | None = None,
    ) -> None:
        """Take raw option values by name.

        Args:
            flags: Those of the command line.
            ini: Those of the ini file.
            has_reference: Whether results are going to be compared with a saved run.
            with_times: Whether limits on time and energy count.
            default_store: Where finished runs are kept if no option names a folder; ``None``: nowhere.

        Raises:
            SettingsError: If a value is bad.
        """
        self.options = SessionOptions(
            flags, ini, read_depth=self._read_depth, default_preset=_default_preset, has_reference=has_reference
        )
        self.with_times, self._default_store, self._calls = with_times, default_store, CallQueue()
        self._executor: Executor | None = None
        self._results: dict[Settings, dict[str, ConfigurationResult]] = {}
        self._shown: dict[Settings, Settings] = {}  # by settings of a table, the first of a test that ran
        self.num_test: dict[Settings, int] = {}
        self.references: tuple[Reference, ...] = ()
        self.retried: list[RunRecord] = []
        self._reference_parts: dict[tuple[Settings, str], tuple[Part, ...]] = {}
        self.on_event: OnEvent = lambda _: None

    # --- before anything is trained -------------------------------------------------------------------------------

    def check(self, settings: Settings) -> None:
        """Make sure that store, model, data and limits of a test can be used, before a model is loaded.

        Raises:
            FreezebenchError: If they cannot.
        """
        from freezebench.planning.design import check_design

        folders = self.options.session_settings
        for folder, option in ((folders.store, "--freeze-store"), (folders.prefix_cache, "--freeze-prefix-cache")):
            if folder is not None:
                prepare_folder(Path(folder), option, may_be_read_only=True)  # it may hold what can be reused
        self.data_cache.model_source(settings.model).check()
        self.data_cache.file_hashes(settings.experiment)
        facts = self.data(settings).facts
        check_design(settings, [str(spec) for spec in self.options.grid(settings)], facts)
        self.num_test[settings] = facts.num_test

    def expect(self, planned: Sequence[tuple[Settings, str]]) -> list[RunSpec]:
        """Take the configurations that will be requested, and return the runs that they need at least.

        Raises:
            SettingsError: If a limit against a saved run cannot be judged.
        """
        from freezebench.planning.finished import FinishedRuns

        self.plan.add(planned)
        self.executor.expect(freeze for settings, freeze in planned if self.plan.is_trained(settings, freeze))
        for reference in self.references:
            reference.take_plan(self.plan.is_run)
        return [needed.spec for needed in self.plan.runs_left(FinishedRuns())]

    def preflight(self, planned: Iterable[tuple[Settings, str]]) -> None:
        """Load every model once and try every configuration on it, before anything is trained.

        Raises:
            FreezebenchError: If any of this fails.
        """
        from freezebench.executors.base import machines_by_slot
        from freezebench.planning.not_run import preflight_grids
        from freezebench.runs.several_devices import check_equal_precision

        save = self.options.session_settings.save is not None
        for experiment, grid in preflight_grids(planned, self.options.left_out).items():
            # A device that does not exist is an error before a model is loaded.
            check_equal_precision(machines_by_slot(self.executor, experiment))
            trains = self.executor.preflight(experiment, grid.all, may_train_nothing=grid.unnamed, will_save=save)
            self.plan.add_trainable(experiment, trains)

    def data(self, settings: Settings) -> TextData:
        """Return the data set of a test.

        Raises:
            FreezebenchError: If it cannot be read.
        """
        return self.data_cache.data(settings.experiment)

    def machine(self, settings: Settings) -> Machine:
        """Return what the outcome of a test's runs depends on besides its settings.

        Raises:
            FreezebenchError: If there is no such device.
        """
        return self.executor.machine(settings.experiment)

    def finished_earlier(self, specs: Iterable[RunSpec]) -> dict[str, RunRecord]:
        """Return by run id those of some runs that earlier sessions have finished."""
        from freezebench.executors.base import machine_or_none

        if (reuse := self._reuse) is None:
            return {}
        slots = self.executor.slots
        records = {
            spec.run_id: reuse.find_finished(spec, *(machine_or_none(self.executor, spec, slot) for slot in slots))
            for spec in specs
        }
        return {run_id: record for run_id, record in records.items() if record is not None}

    # --- training and results -------------------------------------------------------------------------------------

    def result(self, settings: Settings, freeze: str) -> ConfigurationResult:
        """Return one configuration's result, training the runs that are missing, the baseline's included."""
        key = settings.of_table
        self._shown.setdefault(key, settings)
        if self.plan.trains(settings, freeze) is None:  # a test that requests freeze_run while it runs
            with suppress(FreezebenchError):  # the run has the same fault
                self.preflight([(settings, freeze)])
        # The baseline is needed where something is compared with it.
        specs = dict.fromkeys(("none", freeze) if self.plan.is_run(settings, freeze) else (freeze,))
        for spec in specs:
            result = self._runner.result(settings, spec)
            # After the run, so that an interrupted one leaves no empty table.
            self._results.setdefault(key, {})[spec] = result
        # Candidates that needed more seeds have extended the baseline since its own test reported.
        if "none" in specs and self._results[key]["none"].was_run:
            self._results[key]["none"] = self._runner.baseline(settings)
        return result

    def retry(self, settings: Settings, freeze: str) -> list[RunRecord]:
        """Return the broken runs that the next result of a configuration trains again, as its test is rerun."""
        retried = self._runner.retry(settings, freeze)
        self.retried += retried
        return retried

    def save_model(self, spec: RunSpec, folder: Path) -> RunRecord:
        """Train a run anew and save its model to an empty folder, an absolute path; the record joins no result."""
        return self._runner.save_model(spec, folder)

    def judged_against_reference(
        self, node_id: str, settings: Settings, result: ConfigurationResult
    ) -> ConfigurationResult:
        """Return the result with the limits that are judged against saved runs."""
        if not result.was_run:
            for reference in self.references:
                reference.leave_out(node_id)
            return result
        parts = tuple(part for reference in self.references for part in reference.judge(node_id, settings, result))
        # Not kept in the results themselves: the baseline's is made anew when candidates extend it.
        self._reference_parts[settings.of_table, result.freeze] = parts
        return self._with_reference(settings.of_table, result)

    def results(self) -> list[tuple[Settings, list[ConfigurationResult]]]:
        """Return the results so far, those that are compared with each other together."""
        return [
            (self._shown[key], [self._with_reference(key, result) for result in results.values()])
            for key, results in self._results.items()
        ]

    def _with_reference(self, key: Settings, result: ConfigurationResult) -> ConfigurationResult:
        parts = self._reference_parts.get((key, result.freeze), ())
        tried = () if self._reuse is None else self._reuse.at_other_rates(result)
        return replace(result, parts=result.parts + parts, is_compared=bool(parts), tried=result.tried + tried)

    @property
    def reused(self) -> set[str]:
        """Ids of the runs that were reused instead of trained."""
        return set() if self._reuse is None else self._reuse.reused

    def store_lines(self) -> list[str]:
        """Return the summary's lines on the store; none if nothing was trained or looked up."""
        return [] if self._reuse is None else self._reuse.lines()

    def close(self) -> None:
        """End the worker and give up claims, after the last test."""
        if self._executor is not None:
            self._executor.close()
            if self._reuse is not None:
                self._reuse.release_all()
            self._executor = None

    # --- what it is made of, each made at its first use -------------------------------------------------------------

    @cached_property
    def data_cache(self) -> DataCache:
        """The data sets of this process."""
        from freezebench.runs.data_cache import DataCache

        return DataCache(**self._data_cache_options)

    @property
    def executor(self) -> Executor:
        """The executor of ``--freeze-isolate`` and ``--freeze-devices``; the first use may start processes."""
        if self._executor is None:
            from freezebench.executors.base import ExecutorOptions
            from freezebench.executors.local_devices import local_slots
            from freezebench.executors.registry import make_executor

            settings = self.options.session_settings
            options = ExecutorOptions(
                data_cache=self.data_cache,
                data_cache_options=self._data_cache_options,
                timeout_s=settings.timeout_s or _DEFAULT_TIMEOUT_S,
                on_event=self._forward,
                slots=local_slots(settings.devices, os.environ),
                cluster=settings.cluster,
                cluster_resource=settings.cluster_resource,
            )
            self._executor = make_executor(settings.isolate, options)
        return self._executor

    @cached_property
    def _runner(self) -> Runner:
        from freezebench.runner import Runner
        from freezebench.runs.input_check import InputCheck

        inputs = InputCheck(self.data_cache)
        return Runner(
            self.executor, self.plan, calls=self._calls, reuse=self._reuse, inputs=inputs, on_event=self._forward
        )

    @cached_property
    def plan(self) -> SessionPlan:
        """The configurations that tests will request."""
        from freezebench.planning.session_plan import SessionPlan

        budget = self.options.session_settings.budget
        return SessionPlan(with_times=self.with_times, budget=budget, left_out=self.options.left_out)

    @cached_property
    def _reuse(self) -> Reuse | None:
        """The finished runs of earlier sessions; ``None`` without a store."""
        from freezebench.runs.reuse import Reuse

        settings = self.options.session_settings
        folder = self._default_store if settings.store is None else Path(settings.store)
        if folder is None:
            return None
        return Reuse(
            folder, self.data_cache, resume=settings.resume, on_reused=lambda run: self._forward(RunReused(record=run))
        )

    @property
    def _data_cache_options(self) -> DataCacheOptions:
        settings = self.options.session_settings
        return {
            "cache_bytes": settings.cache_bytes,
            "prefix_folder": settings.prefix_cache,
            "prefix_folder_bytes": settings.prefix_cache_bytes,
        }

    def _read_depth(self, model: str) -> int:
        """Return the number of layers of a model, from the source that everything after it uses."""
        return self.data_cache.model_source(model).num_layers

    def _forward(self, event: RunEvent) -> None:
        """Pass an event to the current callback in the thread of the tests."""
        self._calls.put(lambda: self.on_event(event))


def _default_preset(*, may_fall_back: bool) -> tuple[str, str]:
    from freezebench.models.availability import default_preset

    return default_preset(may_fall_back=may_fall_back)
