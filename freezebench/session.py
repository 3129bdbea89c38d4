"""The session: what one pytest run asked for, trained and found, with no word of pytest in it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezebench.records.events import RunReused, RunWaiting
from freezebench.session_options import SessionOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from freezebench.config.settings import Settings
    from freezebench.executors.base import DataCacheOptions, Executor, OnEvent
    from freezebench.records.events import RunEvent
    from freezebench.records.run_record import RunRecord
    from freezebench.records.saved import SavedRun
    from freezebench.report.summary import Summary
    from freezebench.runner import Runner
    from freezebench.runs.data_cache import DataCache
    from freezebench.runs.reference import Reference
    from freezebench.runs.reuse import Reuse
    from freezebench.specs.run import RunSpec
    from freezebench.verdicts.gate import Part
    from freezebench.verdicts.judge import ConfigurationResult

_DEFAULT_TIMEOUT_S = 24 * 3600.0


class FreezeSession:
    """Settings, runs and results of one session; heavy imports wait until something is run.

    Attributes:
        asked: What was asked for.
        errors: What is wrong with a test's settings, in a sentence, by node id: it matters once the test is selected.
        num_test: Number of test sentences, once settings were checked.
        reference: The saved run beside this session's tests, if one is asked for.
        written: Files of the report.
        report_problem: Why the last report could not be written.
    """

    def __init__(
        self,
        flags: Mapping[str, Any],
        ini: Mapping[str, Any],
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
            default_store: Where finished runs are kept if nothing else is said; ``None``: nowhere.

        Raises:
            SettingsError: If a value is bad.
        """
        self.options = SessionOptions(flags, ini, has_reference=has_reference)
        self._with_times = with_times
        self._default_store = default_store
        self._grids: dict[Settings, list[str]] = {}
        self._executor: Executor | None = None
        self.on_event: OnEvent = lambda _: None
        self._results: dict[Settings, dict[str, ConfigurationResult]] = {}
        self._shown: dict[Settings, Settings] = {}
        self.errors: dict[str, str] = {}
        self.num_test: dict[Settings, int] = {}
        self.reference: Reference | None = None
        self._reference_parts: dict[tuple[Settings, str], tuple[Part, ...]] = {}
        self.written: list[Path] = []
        self.report_problem: str | None = None

    def check(self, settings: Settings) -> None:
        """Make sure that report folder, model and data can be used, before a model is loaded.

        Raises:
            FreezebenchError: If they cannot.
        """
        from freezebench.planning.design import check_num_sentences, refuse_undecidable
        from freezebench.report.files import prepare_folder

        if self.options.report_folder is not None:
            prepare_folder(self.options.report_folder)
        store = self.options.session_settings.store
        if store is not None and not Path(store).is_dir():  # one that can only be read still has runs to reuse
            prepare_folder(Path(store), "--freeze-store")
        self.data_cache.model_source(settings.model).check()
        num_test = len(self.data_cache.data(settings.experiment).test)
        check_num_sentences(settings, num_test)
        self.num_test[settings] = num_test
        refuse_undecidable(settings, [str(spec) for spec in self.options.grid(settings)], num_test)

    def result(self, settings: Settings, freeze: str) -> ConfigurationResult:
        """Return one configuration's result, training what is missing, the baseline included."""
        grid = self._grids.get(settings, ())
        key = _comparison(settings)
        self._shown.setdefault(key, settings)
        for spec in dict.fromkeys(("none", freeze)):
            result = self.runner.result(settings, spec, grid=grid, with_times=self._with_times)
            # Only now: an interrupted run leaves no empty table behind.
            self._results.setdefault(key, {})[spec] = result
        # Candidates that needed more seeds have extended the baseline since its own test reported.
        self._results[key]["none"] = self.runner.baseline(settings)
        return result

    def take_reference(self, saved: SavedRun | None, planned: Sequence[tuple[Settings, str, str]]) -> None:
        """Take the saved run (``None``: there is none) to hold the tests against: settings, freeze spec and node id.

        Raises:
            SettingsError: If a limit of some test cannot be judged against it.
        """
        if (
            saved is None
            and not self.options.has_reference
            and not any(one.costs.need_reference for one, _, _ in planned)
        ):
            return
        from freezebench.runs.reference import Reference

        self.reference = Reference(saved, planned, data_cache=self.data_cache, with_times=self._with_times)

    def judged_against_reference(
        self, node_id: str, settings: Settings, result: ConfigurationResult
    ) -> ConfigurationResult:
        """Return the result with what the saved run adds to its joint gate."""
        if self.reference is None:
            return result
        parts = self.reference.judge(node_id, settings, result)
        # Beside the results: those of the baseline are made anew when it is extended.
        self._reference_parts[_comparison(settings), result.freeze] = parts
        return replace(result, parts=result.parts + parts)

    def comparison_lines(self, width: int) -> list[str]:
        """Return old beside new for every configuration, and whatever was not compared; the table fits the width."""
        if self.reference is None or not self._results:
            return []
        from freezebench.report.comparison import comparison_lines

        comparison = self.reference.comparison()
        if comparison is None:
            return [f"freezebench: {note}" for note in self.reference.notes]
        return comparison_lines(comparison, with_parts=False, width=width)

    def summaries(self) -> list[tuple[Settings, Summary]]:
        """Return the summary of every comparison that has results."""
        from freezebench.report.summary import summarize

        judged = {
            key: [
                replace(result, parts=result.parts + self._reference_parts.get((key, freeze), ()))
                for freeze, result in found.items()
            ]
            for key, found in self._results.items()
        }
        return [(self._shown[key], summarize(results, self._shown[key])) for key, results in judged.items()]

    def preflight(self, planned: Iterable[tuple[Settings, str]]) -> None:
        """Load every model once and try every configuration on it, before anything is trained.

        Raises:
            FreezebenchError: If something cannot work.
        """
        grids: dict[RunSpec, list[str]] = {}
        for settings, freeze in planned:
            grids.setdefault(settings.experiment, []).append(freeze)
        for experiment, grid in grids.items():
            self.executor.machine(experiment)  # a device that does not exist is an error before a model is loaded
            self.executor.preflight(experiment, grid)

    def start_progress(
        self, write: Callable[[Sequence[str], bool], None], *, live: bool, planned: Iterable[tuple[Settings, str]]
    ) -> None:
        """Show progress from now on; ``planned`` are the tests to come, baselines count where they are implied."""
        from freezebench.planning.design import first_runs
        from freezebench.report.progress import Progress

        for settings, spec in planned:
            self._grids.setdefault(settings, []).append(spec)
        self.executor.expect(spec for grid in self._grids.values() for spec in grid)
        planned_runs = first_runs(self._grids, with_times=self._with_times)
        self.on_event = Progress(write, live=live, planned=planned_runs).on_event

    def plan_lines(self, settings: Settings, grid: Sequence[str]) -> list[str]:
        """Return how long one test's runs will take; with ``--freeze-plan`` also what they are.

        Raises:
            FreezebenchError: If there is no such device.
        """
        from freezebench.planning.design import first_runs
        from freezebench.report.durations import expected_durations, saved_durations
        from freezebench.report.plan import data_line, duration_line, run_table

        data = self.data_cache.data(settings.experiment)
        runs = first_runs({settings: grid}, with_times=self._with_times)
        # Times that are compared are always measured anew.
        is_timed = self._with_times and any(
            settings.costs.needs_paired_runs(freeze) for freeze in grid if freeze != "none"
        )
        finished = {} if is_timed else self._finished_earlier(runs)
        left = [run for run in runs if run.run_id not in finished]
        saved = saved_durations(self.reference.saved if self.reference else None, self.options.report_folder, finished)
        device_name = self.executor.machine(settings.experiment).device_name
        expected = expected_durations(left, saved, device_name) if left else None
        lines = [duration_line(len(runs), len(left), expected)]
        if not self.options.is_plan_only:
            return lines
        sizes = len(data.train), len(data.validation), len(data.test)
        table = run_table(settings, runs, finished, expected, num_train=sizes[0])
        return [data_line(*sizes, num_labels=data.num_labels), *table, *lines]

    def nothing_decided(self) -> str | None:
        """Return a complaint if candidates were trained and the evidence decides about none of them."""
        found = [result for results in self._results.values() for result in results.values()]
        if not any(not result.is_baseline for result in found):
            return None
        from freezebench.report.verdict_text import decided_sentence, is_decided
        from freezebench.verdicts.vocabulary import STANDINGS

        if any(is_decided(result) for result in found):
            return None
        word = STANDINGS["undecided"].word
        return f"{word} {decided_sentence(found)}: this session says nothing. Use more seeds or more test sentences."

    def write_report(self) -> None:
        """Write the report of everything so far, if one is asked for: what is finished survives what comes later.

        A full disk must not turn a good run red: the problem is kept for the summary.
        """
        if self.options.report_folder is None:
            return
        from freezebench.report.files import write_report

        try:
            self.written = write_report(self.options.report_folder, self.summaries(), self.options.session_settings)
            self.report_problem = None
        except OSError as error:
            self.report_problem = (
                f"the report could not be written to {self.options.report_folder} ({error.strerror or error}); "
                "what stands there is older than this summary"
            )

    def publish(self) -> None:
        """Write the page and its pictures, if a report is asked for and there is something to show.

        Once, at the end: drawing takes seconds, and until then ``python -m freezebench report`` can make the page.
        """
        if self.options.report_folder is None or not self._results or self.report_problem:
            return
        from freezebench.report.experiment import Experiment
        from freezebench.report.publish import publish

        try:
            experiments = [Experiment.of(settings, summary) for settings, summary in self.summaries()]
            self.written = [*self.written, *publish(self.options.report_folder, experiments)]
        except Exception as error:  # noqa: BLE001 - hours of training must not end in an error of a drawing
            self.report_problem = (
                f"the page could not be made ({error!r}); "
                f"python -m freezebench report {self.options.report_folder} tries again from report.json"
            )

    @cached_property
    def data_cache(self) -> DataCache:
        """The session's data sets; the first use imports what reads them."""
        from freezebench.runs.data_cache import DataCache

        return DataCache(**self._data_cache_options)

    @property
    def _data_cache_options(self) -> DataCacheOptions:
        settings = self.options.session_settings
        return {
            "cache_bytes": settings.cache_bytes,
            "prefix_folder": settings.prefix_cache,
            "prefix_folder_bytes": settings.prefix_cache_bytes,
        }

    @property
    def executor(self) -> Executor:
        """What trains runs; the first use may start a process."""
        if self._executor is None:
            from freezebench.executors.base import ExecutorOptions
            from freezebench.executors.registry import make_executor

            settings = self.options.session_settings
            options = ExecutorOptions(
                data_cache=self.data_cache,
                data_cache_options=self._data_cache_options,
                timeout_s=settings.timeout_s or _DEFAULT_TIMEOUT_S,
                on_event=self._report_event,
            )
            self._executor = make_executor(settings.isolate, options)
        return self._executor

    @cached_property
    def runner(self) -> Runner:
        """What does the runs that results need."""
        from freezebench.runner import Runner
        from freezebench.runs.inputs import InputCheck

        return Runner(self.executor, reuse=self.reuse, inputs=InputCheck(self.data_cache), on_event=self._report_event)

    @cached_property
    def reuse(self) -> Reuse | None:
        """The finished runs of earlier sessions; ``None`` without a store."""
        from freezebench.runs.reuse import Reuse

        settings = self.options.session_settings
        folder = self._default_store if settings.store is None else Path(settings.store)
        if folder is None:
            return None
        return Reuse(
            folder,
            self.data_cache,
            self.executor.machine,
            resume=settings.resume,
            on_reused=lambda record: self._report_event(RunReused(record=record)),
            on_wait=lambda spec: self._report_event(
                RunWaiting(spec=spec, reason=f"another session trains {spec.freeze} seed {spec.seed}")
            ),
        )

    def _report_event(self, event: RunEvent) -> None:
        self.on_event(event)

    def _finished_earlier(self, specs: Iterable[RunSpec]) -> dict[str, RunRecord]:
        """Return by run id those of some runs that earlier sessions have finished."""
        if self.reuse is None:
            return {}
        records = {spec.run_id: self.reuse.find_finished(spec) for spec in specs}
        return {run_id: record for run_id, record in records.items() if record is not None}

    def store_lines(self) -> list[str]:
        """Return what was reused, what was saved, and what went wrong with it."""
        return [] if self._executor is None or self.reuse is None else self.reuse.lines()

    def close(self) -> None:
        """End what was started, after the last test."""
        if self._executor is not None:
            self._executor.close()
            if self.reuse is not None:
                self.reuse.release_all()
            self._executor = None


def _comparison(settings: Settings) -> Settings:
    """Return what results have to share to stand in one table: grids of single tests and their names are left out."""
    limits_from = settings.limits_from and "some test"
    return replace(settings, grid="all", inconclusive="skip", named_specs=(), num_layers=None, limits_from=limits_from)
