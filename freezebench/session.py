"""The session: what one pytest run asked for, trained and found, with no word of pytest in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezebench.errors import DataError, SettingsError, SpecError
from freezebench.options import BY_NAME, in_ci
from freezebench.settings import Settings, Source, check_names, resolve
from freezebench.specs.grid import parse_grid
from freezebench.specs.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from freezebench.records.saved import SavedRun
    from freezebench.report.tables import Summary
    from freezebench.runs.reference import Reference
    from freezebench.runs.shelf import DataShelf
    from freezebench.runs.workshop import Workshop
    from freezebench.specs.freeze import FreezeSpec
    from freezebench.specs.names import Isolation
    from freezebench.verdicts.gate import Part
    from freezebench.verdicts.judge import ConfigurationResult

DEFAULT_ISOLATION: Isolation = "worker"
_FEWEST_TEST_SENTENCES = 2


class FreezeSession:
    """Settings, runs and results of one session; heavy imports wait until something is run.

    Attributes:
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
        self._flags = Source(place="{flag}", values=flags)
        self._ini = Source(place="ini key {ini}", values=ini)
        self._has_reference = has_reference
        self._with_times = with_times
        self._default_store = default_store
        self._grids: dict[Settings, list[str]] = {}
        self._default_preset: tuple[str, str] | None = None
        self._workshop: Workshop | None = None
        self._results: dict[Settings, dict[str, ConfigurationResult]] = {}
        self._shown: dict[Settings, Settings] = {}
        self.errors: dict[str, str] = {}
        self.num_test: dict[Settings, int] = {}
        self.reference: Reference | None = None
        self._reference_parts: dict[tuple[Settings, str], tuple[Part, ...]] = {}
        self.written: list[Path] = []
        self.report_problem: str | None = None
        for source in (self._flags, self._ini):
            for name, value in source.values.items():
                BY_NAME[name].parse(value, source.name_of(name))
        if self._once("isolate") == "none" and self._once("timeout") is not None:
            raise SettingsError(
                "--freeze-timeout ends the process that trains, and with --freeze-isolate=none that is pytest's own. "
                "Leave one of them out."
            )

    @property
    def is_asked_for(self) -> bool:
        """Whether any flag or ini key of ours was given."""
        return bool(self._flags.values or self._ini.values)

    @property
    def is_plan_only(self) -> bool:
        """Whether the plan is shown and nothing runs."""
        text = self._flags.values.get("plan", self._ini.values.get("plan", "no"))
        return bool(BY_NAME["plan"].parse(text, "--freeze-plan"))

    @property
    def report_folder(self) -> Path | None:
        """The folder that ``--freeze-report`` or its ini key names."""
        folder = self._flags.values.get("report", self._ini.values.get("report"))
        return None if folder is None else Path(folder)

    def settings(self, marker: Mapping[str, Any] | None = None, test: str = "") -> Settings:
        """Return the settings of a test.

        Args:
            marker: Arguments of its ``freeze`` marker.
            test: What error messages call the test.

        Raises:
            SettingsError: If a value is bad or no preset fits this machine.
        """
        marker = marker or {}
        check_names(marker, f"freeze marker of {test}")
        place = "freeze marker of " + test.replace("{", "{{").replace("}", "}}") + ", {name}"
        sources = [self._flags, Source(place=place, values=marker), self._ini]
        return resolve(sources, self._choose_preset)

    def grid(self, settings: Settings) -> list[FreezeSpec]:
        """Return the configurations of a test, least frozen first; the depth comes from the configuration file alone.

        Raises:
            FreezebenchError: If the model's depth cannot be read or something that was named does not fit it.
        """
        from freezebench.tasks.model_source import read_depth

        stated = settings.num_layers
        # Only a factory (module:function) has no configuration file to read the depth from.
        num_layers = stated if stated and ":" in settings.model else read_depth(settings.model)
        if stated and stated != num_layers:
            raise SettingsError(
                f"num_layers={stated} was given, but {settings.model} has {num_layers} layers. "
                "Leave it out: it is meant for factories."
            )
        for option, spec in settings.named_specs:
            try:
                parse_grid(spec, num_layers, settings.model)
            except SpecError as error:
                raise SpecError(f"{option}: {error}") from error
        return parse_grid(settings.grid, num_layers, settings.model)

    def check(self, settings: Settings) -> None:
        """Make sure that report folder, model and data can be used, before a model is loaded.

        Raises:
            FreezebenchError: If they cannot.
        """
        from freezebench.report.files import prepare_folder
        from freezebench.report.plan import refuse_undecidable
        from freezebench.tasks.model_source import check_model_source

        if self.report_folder is not None:
            prepare_folder(self.report_folder)
        store = self._once("store")
        if store is not None and not Path(store).is_dir():  # one that can only be read still has runs to reuse
            try:
                Path(store).mkdir(parents=True)
            except OSError as error:
                raise SettingsError(
                    f"--freeze-store={store}: cannot keep runs there ({error.strerror or error}). Name another folder."
                ) from error
        check_model_source(settings.model)
        num_test = len(self.shelf.data(settings.data, settings.model).test)
        if num_test < _FEWEST_TEST_SENTENCES:
            raise DataError(
                f"{settings.data.source} has {num_test} test sentence: an interval needs at least "
                f"{_FEWEST_TEST_SENTENCES}. Give a larger test split."
            )
        self.num_test[settings] = num_test
        refuse_undecidable(settings, [str(spec) for spec in self.grid(settings)], num_test)

    def result(self, settings: Settings, freeze: str) -> ConfigurationResult:
        """Return one configuration's result, training what is missing, the baseline included."""
        grid = self._grids.get(settings, ())
        key = _comparison(settings)
        self._shown.setdefault(key, settings)
        for spec in dict.fromkeys(("none", freeze)):
            result = self.workshop.executor.result(settings, spec, grid=grid, with_times=self._with_times)
            # Only now: an interrupted run leaves no empty table behind.
            self._results.setdefault(key, {})[spec] = result
        # Candidates that needed more seeds have extended the baseline since its own test reported.
        self._results[key]["none"] = self.workshop.executor.unfrozen(settings)
        return result

    def take_reference(self, saved: SavedRun | None, planned: Sequence[tuple[Settings, str, str]]) -> None:
        """Take the saved run (``None``: there is none) to hold the tests against: settings, freeze spec and node id.

        Raises:
            SettingsError: If a limit of some test cannot be judged against it.
        """
        if saved is None and not self._has_reference and not any(one.costs.need_reference for one, _, _ in planned):
            return
        from freezebench.runs.reference import Reference

        self.reference = Reference(saved, planned, shelf=self.shelf, with_times=self._with_times)

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
        from freezebench.report.tables import summarize

        judged = {
            key: [
                replace(result, parts=result.parts + self._reference_parts.get((key, freeze), ()))
                for freeze, result in found.items()
            ]
            for key, found in self._results.items()
        }
        return [(self._shown[key], summarize(results, self._shown[key])) for key, results in judged.items()]

    def rehearse(self, planned: Iterable[tuple[Settings, str]]) -> None:
        """Load every model once and try every configuration on it, before anything is trained.

        Raises:
            FreezebenchError: If something cannot work.
        """
        self.workshop.rehearse((settings.experiment, spec) for settings, spec in planned)

    def start_progress(
        self, write: Callable[[Sequence[str], bool], None], *, live: bool, planned: Iterable[tuple[Settings, str]]
    ) -> None:
        """Show progress from now on; ``planned`` are the tests to come, baselines count where they are implied."""
        from freezebench.report.plan import first_runs
        from freezebench.report.progress import Progress

        for settings, spec in planned:
            self._grids.setdefault(settings, []).append(spec)
        self.workshop.trains.expect(spec for grid in self._grids.values() for spec in grid)
        planned_runs = first_runs(self._grids, with_times=self._with_times)
        self.workshop.listener = Progress(write, live=live, planned=planned_runs)

    def plan_lines(self, settings: Settings, grid: Sequence[str]) -> list[str]:
        """Return how long one test's runs will take; with ``--freeze-plan`` also what they are."""
        from freezebench.report.plan import describe, saved_runs

        return describe(
            settings,
            grid,
            self.shelf.data(settings.data, settings.model),
            saved=saved_runs(self.reference.saved if self.reference else None, self.report_folder),
            with_times=self._with_times,
            in_full=self.is_plan_only,
        )

    def nothing_decided(self) -> str | None:
        """Return a complaint if candidates were trained and the evidence decides about none of them."""
        found = [result for results in self._results.values() for result in results.values()]
        if not any(not result.is_baseline for result in found):
            return None
        from freezebench.report.sentences import decided_sentence, is_decided

        if any(is_decided(result) for result in found):
            return None
        return f"UNDECIDED {decided_sentence(found)}: this session says nothing. Use more seeds or more test sentences."

    def write_report(self) -> None:
        """Write the report of everything so far, if one is asked for: what is finished survives what comes later.

        A full disk must not turn a good run red: the problem is kept for the summary.
        """
        if self.report_folder is None:
            return
        from freezebench.report.files import write_report

        try:
            self.written = write_report(self.report_folder, self.summaries())
            self.report_problem = None
        except OSError as error:
            self.report_problem = (
                f"the report could not be written to {self.report_folder} ({error.strerror or error}); "
                "what stands there is older than this summary"
            )

    def publish(self) -> None:
        """Write the page and its pictures, if a report is asked for and there is something to show.

        Once, at the end: drawing takes seconds, and until then ``python -m freezebench report`` can make the page.
        """
        if self.report_folder is None or not self._results or self.report_problem:
            return
        from freezebench.report.publish import publish
        from freezebench.report.study import Study

        try:
            studies = [Study.of(settings, summary) for settings, summary in self.summaries()]
            self.written = [*self.written, *publish(self.report_folder, studies)]
        except Exception as error:  # noqa: BLE001 - hours of training must not end in an error of a drawing
            self.report_problem = (
                f"the page could not be made ({error!r}); "
                f"python -m freezebench report {self.report_folder} tries again from report.json"
            )

    @property
    def workshop(self) -> Workshop:
        """What trains, with its data; the first use imports it."""
        if self._workshop is None:
            from freezebench.runs.workshop import Workshop

            store, resume = self._once("store") or self._default_store, self._once("resume")
            self._workshop = Workshop(
                isolation=self._once("isolate") or DEFAULT_ISOLATION,
                timeout_s=self._once("timeout"),
                store=None if store is None else Path(store),
                # Beside a saved run times of an earlier session would be compared with those of an even earlier one.
                resume=not self._has_reference if resume is None else resume,
                cache_bytes=self._once("cache_memory"),
                prefix_folder=self._once("prefix_cache"),
                prefix_folder_bytes=self._once("prefix_cache_size"),
            )
        return self._workshop

    @property
    def shelf(self) -> DataShelf:
        """The session's data sets."""
        return self.workshop.shelf

    def store_lines(self) -> list[str]:
        """Return what was reused, what was saved, and what went wrong with it."""
        return [] if self._workshop is None else self._workshop.store_lines()

    def close(self) -> None:
        """End what was started, after the last test."""
        if self._workshop is not None:
            self._workshop.close()

    def _once(self, name: str) -> Any:
        """Return an option that holds for the whole session, from flag or ini; ``None`` if it is not set."""
        text = self._flags.values.get(name, self._ini.values.get(name))
        return None if text is None else BY_NAME[name].parse(text, BY_NAME[name].flag)

    def _choose_preset(self) -> tuple[str, str]:
        """Return the default preset of this machine and the reason; looked up once.

        Raises:
            SettingsError: If there is a GPU but no data, where falling back would quietly compare something else.
        """
        if self._default_preset is None:
            self._default_preset = _default_preset(must_not_fall_back=in_ci() or self._has_reference)
        return self._default_preset


def _default_preset(*, must_not_fall_back: bool) -> tuple[str, str]:
    """Return ``distilbert-sst2`` where a GPU and its assets are, else ``embedded``, with the reason."""
    from freezebench.tasks.assets import cuda_visible, hub_state

    if not cuda_visible():
        return "embedded", "the default without a CUDA GPU"
    wanted = PRESETS["distilbert-sst2"]
    state = hub_state(wanted.model, wanted.data.source)
    if state.available:
        return wanted.name, f"the default with a CUDA GPU, {state.reason}"
    if must_not_fall_back:
        raise SettingsError(
            f"the default preset {wanted.name} needs {wanted.model} and {wanted.data.source}, but {state.reason}. "
            "Under CI and with a reference there is no falling back: download them once, or name "
            "--freeze-preset=embedded."
        )
    return "embedded", f"the fallback, since {state.reason}"


def _comparison(settings: Settings) -> Settings:
    """Return what results have to share to stand in one table: grids of single tests and their names are left out."""
    limits_from = settings.limits_from and "some test"
    return replace(settings, grid="all", inconclusive="skip", named_specs=(), num_layers=None, limits_from=limits_from)
