"""The adapter to pytest-benchmark: recorded seconds in, figures in ``extra_info``, the files of saved runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from freezebench.errors import RecordError
from freezebench.escaping import terminal_line, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping, Sequence

    from freezebench.records.reference_search import Storage
    from freezebench.records.run_record import RunRecord
    from freezebench.session import FreezeSession
    from freezebench.specs.json_types import Json
    from freezebench.verdicts.judge import ConfigurationResult

EXTRA_INFO = "freezebench"


class Benchmark(Protocol):
    """The part of pytest-benchmark's ``benchmark`` fixture that freeze tests use."""

    name: str
    extra_info: dict[str, Json]
    has_error: bool
    skipped: bool
    disabled: bool

    def pedantic(self, target: Callable[[], object], *, rounds: int = 1, iterations: int = 1) -> object:
        """Call the target once per round, timed by the ``timer`` of the test's benchmark marker."""


_CONTENDED = " (contended)"


class RecordedClock:
    """A clock that advances only when a recorded time is added, so that pytest-benchmark reports that time."""

    __name__ = "freezebench.train_s"  # pytest-benchmark shows and saves it as the name of the timer

    def __init__(self) -> None:
        self._seconds = 0.0

    def __call__(self) -> float:
        """Return the seconds that have been added so far."""
        return self._seconds

    def add(self, seconds: float) -> None:
        """Advance by recorded seconds."""
        self._seconds += seconds


_CLOCK = pytest.StashKey[RecordedClock]()
_RECORDED = pytest.StashKey["Benchmark"]()
_FILES = {
    "benchmark_save": "--benchmark-save",
    "benchmark_autosave": "--benchmark-autosave",
    "benchmark_json": "--benchmark-json",
}
_UNSAVED = pytest.StashKey[dict[str, tuple[str, str]]]()  # by test: its configuration, and why no file has it


def add_clock(item: pytest.Item) -> None:
    """Give a test a clock of its own, by which pytest-benchmark times it."""
    clock = item.stash[_CLOCK] = RecordedClock()
    if not item.config.pluginmanager.hasplugin("benchmark"):
        return  # its marker would be unknown, which is an error with --strict-markers
    own = item.get_closest_marker("benchmark")
    options: dict[str, object] = {**(own.kwargs if own else {}), "timer": clock}
    item.add_marker(pytest.mark.benchmark(**options), append=False)


def refuse_profiling(config: pytest.Config) -> None:
    """Refuse ``--benchmark-cprofile``, which would call every benchmark a second time.

    Raises:
        pytest.UsageError: If it is set.
    """
    if config.getoption("benchmark_cprofile", None):
        raise pytest.UsageError(
            "--benchmark-cprofile would replay recorded times, not training. Leave it out; "
            "to profile, run one configuration under a profiler of your choice."
        )


def refuse_saving_without_times(config: pytest.Config, devices: Sequence[str]) -> None:
    """Refuse files of pytest-benchmark that would lack every configuration, since no time is measured.

    Args:
        config: pytest's configuration.
        devices: The value of ``--freeze-devices``.

    Raises:
        pytest.UsageError: If such a file is to be written.
    """
    given = _requested_files(config)
    if given and devices.count("cpu") > 1:
        raise pytest.UsageError(
            f"{given[0]} saves benchmarks, and with --freeze-devices={','.join(devices)} there are none: runs that "
            "share a processor have no times. Leave --freeze-devices out, or save the outcomes by "
            "--freeze-report=DIR, which a later session takes as --freeze-anchor=DIR."
        )


def _requested_files(config: pytest.Config) -> list[str]:
    """Return the options by which files of pytest-benchmark are requested."""
    return [flag for name, flag in _FILES.items() if config.getoption(name, None)]


def note_unsaved(item: pytest.Item, freeze: str, why: str) -> None:
    """Note that pytest-benchmark will not save a configuration.

    Args:
        item: Its test.
        freeze: Its id.
        why: The reason as a clause, such as ``its test failed``.
    """
    item.config.stash.setdefault(_UNSAVED, {})[item.nodeid] = freeze, why


def unsaved_lines(config: pytest.Config) -> list[str]:
    """Return a warning that names what a requested file of pytest-benchmark lacks; none if it lacks nothing."""
    given, unsaved = _requested_files(config), config.stash.get(_UNSAVED, {})
    if not given or not unsaved:
        return []
    named = "; ".join(dict.fromkeys(f"{freeze} ({why})" for freeze, why in unsaved.values()))
    advice = "A later comparison with it lacks the same, so save another run once the cause is removed."
    return [f"freezebench: warning: what {given[0]} saves lacks {named}. {advice}"]


def refuse_missing_file(config: pytest.Config) -> None:
    """Refuse a path of ``--benchmark-compare`` that leads to no file, with which pytest-benchmark ends in a traceback.

    Raises:
        pytest.UsageError: If it is one.
    """
    value = config.getoption("benchmark_compare", None)
    # Names of one or two parts are patterns of files in pytest-benchmark's storage.
    if isinstance(value, str) and len(Path(value).parts) > 2 and not Path(value).is_file():  # noqa: PLR2004
        raise pytest.UsageError(
            terminal_line(
                f"--benchmark-compare={value}: there is no such file (seen from {Path.cwd()}). Give a file, or the "
                "number of a run that --benchmark-save saved."
            )
        )


def record_benchmark(
    benchmark: Benchmark, item: pytest.Item, result: ConfigurationResult, *, retried: Sequence[RunRecord] = ()
) -> None:
    """Pass a configuration's train times to pytest-benchmark, one round per seed, and the figures to save with them.

    Args:
        benchmark: The ``benchmark`` fixture.
        item: The test, whose ``user_properties`` reach JUnit XML.
        result: The configuration's result.
        retried: Broken runs that were trained again, as the test was rerun.
    """
    item.config.stash.get(_UNSAVED, {}).pop(item.nodeid, None)
    earlier = item.stash.get(_RECORDED, None)
    if earlier is not None:
        earlier.has_error = True  # otherwise pytest-benchmark would save a test that is rerun twice
    item.stash[_RECORDED] = benchmark
    from freezebench.records.device_models import main_model, of_model
    from freezebench.records.run_record import values_of
    from freezebench.report.gate_text import gate_sentence, standing_word

    clock = item.stash[_CLOCK]
    # Its table ranks times, which those of another model of device have no part in.
    records = of_model(result.records, main_model(result.records))
    # The times of contended runs count only where there are no others.
    timed = [record for record in records if not record.is_contended] or records
    seconds = values_of(timed, "train_s")
    recorded = iter(seconds)
    info = extra_info(result, item.nodeid)
    benchmark.extra_info[EXTRA_INFO] = info
    figures = {name: value for name, value in info.items() if isinstance(value, (str, int, float))}
    figures |= _subset_figures(result)
    if retried:
        figures["retrained"] = "; ".join(map(retried_run, retried))
    _set_properties(item, {**figures, "standing": standing_word(result).lower(), "message": gate_sentence(result)})
    if result.broken or not seconds:
        if result.broken:
            note_unsaved(item, result.freeze, "its runs are invalid")
        elif result.was_run:
            why = "no time of its runs was measured on this device; --freeze-resume=no trains them anew"
            note_unsaved(item, result.freeze, why)
        # pytest-benchmark warns about a fixture that was never used, and a time of zero would be wrong.
        benchmark.disabled = True
        benchmark.has_error = bool(result.broken)
        benchmark.pedantic(lambda: None)
        return
    if all(record.is_contended for record in records):
        # Its table and its file show nothing else of a benchmark; comparisons go by the node id.
        benchmark.name += _CONTENDED
    rounds = 1 if benchmark.disabled else len(seconds)
    benchmark.pedantic(lambda: clock.add(next(recorded)), rounds=rounds, iterations=1)


def _subset_figures(result: ConfigurationResult) -> dict[str, str | float]:
    """Return drop and bounds of every slice and further test set, as flat figures: ``test_set_tweets_drop_pp``."""
    return {
        f"{subset.kind.replace(' ', '_')}_{subset.name}_{name}": value
        for subset in (*result.slices, *result.test_sets)
        for name in ("drop_pp", "lower_pp", "upper_pp")
        if subset.verdict is not None and (value := getattr(subset.verdict, name)) is not None
    }


def retried_run(record: RunRecord) -> str:
    """Return which run was trained again, and why."""
    return f"{record.spec.freeze} seed {record.spec.seed} ({record.reason})"


def _set_properties(item: pytest.Item, figures: Mapping[str, str | float]) -> None:
    """Let figures reach JUnit XML; those of an attempt before a rerun are replaced."""
    prefix = f"{EXTRA_INFO}_"
    item.user_properties[:] = [
        *(own for own in item.user_properties if not own[0].startswith(prefix)),
        *((prefix + name, visible(value) if isinstance(value, str) else value) for name, value in figures.items()),
    ]


def extra_info(result: ConfigurationResult, node_id: str | None = None) -> dict[str, Json]:
    """Return what is saved with a benchmark, in JSON types: every figure of its row, and every run's outcomes."""
    from freezebench.records.files import plain
    from freezebench.records.saved import from_records
    from freezebench.records.saved_info import to_info
    from freezebench.report.columns import figures
    from freezebench.report.rows import row
    from freezebench.scoring.metrics import metric_named

    if not result.was_run:  # pytest-benchmark saves nothing of it
        return dict(figures(row(result)))
    metric = metric_named(result.metric)
    saved = from_records(result.freeze, result.records, broken=result.broken, node_id=node_id, metric=metric)
    records = {record.spec.seed: record for record in result.records}
    # Runs that are invalid, or whose metric has no value, are not saved.
    saved_records = [records[run.seed] for run in saved.runs]
    extras = [{"run_id": record.spec.run_id, "f1": record.test.f1 if record.test else None} for record in saved_records]
    subsets = [plain(subset) for subset in (*result.classes, *result.slices, *result.test_sets)]
    return {**figures(row(result)), **to_info(saved, run_extras=extras), **({"subsets": subsets} if subsets else {})}


def storage_of(config: pytest.Config, option: str) -> Storage:
    """Return pytest-benchmark's storage of saved runs.

    Args:
        config: pytest's configuration, with pytest-benchmark.
        option: The option that needs it, for the message.

    Raises:
        RecordError: If it saves no files.
    """
    # pytest-benchmark's own loader would skip a damaged file with a warning: only the search is left to it.
    storage: Storage = config._benchmarksession.storage  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way
    if not hasattr(storage, "query"):
        raise RecordError(
            f"{option}: freezebench reads references from files, not from {storage}. Use --benchmark-storage=file://…"
        )
    return storage


class FallbackBenchmark:
    """Registered if pytest-benchmark is switched off: it provides a ``benchmark`` fixture that records nothing."""

    class Fixture:
        """The part of the fixture that freeze tests use."""

        def __init__(self) -> None:
            self.name = ""
            self.extra_info: dict[str, Json] = {}
            self.has_error = False
            self.skipped = False
            self.disabled = True

        def pedantic(self, target: Callable[[], object], *, rounds: int = 1, iterations: int = 1) -> object:  # noqa: ARG002
            """Call the target once."""
            return target()

    @pytest.fixture
    def benchmark(self) -> FallbackBenchmark.Fixture:
        """Take the place of pytest-benchmark's fixture."""
        return self.Fixture()


class BenchmarkHooks:
    """Hooks of pytest-benchmark."""

    def __init__(self, find_session: Callable[[], FreezeSession | None]) -> None:
        self._find_session = find_session

    def pytest_benchmark_update_machine_info(self, machine_info: MutableMapping[str, object]) -> None:
        """Add what trained: the device, and the versions of the libraries."""
        session = self._find_session()
        for _, results in session.results() if session else ():
            record = next((record for result in results for record in result.records if record.is_valid), None)
            if record is not None:
                versions = {name: record.environment.get(name) for name in ("torch", "transformers", "freezebench")}
                machine_info[EXTRA_INFO] = {"device": record.device, "device_name": record.device_name, **versions}

    @pytest.hookimpl(tryfirst=True)
    def pytest_benchmark_compare_machine_info(
        self, machine_info: dict[str, object], compared_benchmark: MutableMapping[str, object]
    ) -> None:
        """Replace the saved machine info, on which pytest-benchmark may fail: freezebench compares devices itself."""
        compared_benchmark["machine_info"] = machine_info
