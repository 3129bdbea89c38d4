"""The adapter to pytest-benchmark: recorded seconds in, figures in ``extra_info``, saved runs compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from freezebench.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezebench.records.saved import SavedRun
    from freezebench.session import FreezeSession
    from freezebench.verdicts.judge import ConfigurationResult

EXTRA_INFO = "freezebench"


class Clock:
    """A clock that stands still but when a recorded time is added: pytest-benchmark times with it."""

    __name__ = "freezebench.train_s"

    def __init__(self) -> None:
        self._seconds = 0.0

    def __call__(self) -> float:
        """Return the seconds that have been added so far."""
        return self._seconds

    def add(self, seconds: float) -> None:
        """Let recorded seconds pass."""
        self._seconds += seconds


def refuse_profiling(config: pytest.Config) -> None:
    """Refuse ``--benchmark-cprofile``, which would call every benchmark a second time.

    Raises:
        pytest.UsageError: If it is set.
    """
    if config.getoption("benchmark_cprofile", None):
        raise pytest.UsageError(
            "--benchmark-cprofile was asked for, but it would replay recorded times, not training. Leave it out; "
            "to profile, run one configuration under a profiler of your choice."
        )


def record_benchmark(benchmark: Any, item: pytest.Item, clock: Clock, result: ConfigurationResult) -> None:
    """Hand a configuration's train times to pytest-benchmark, one round per seed, and the figures to save with them.

    Args:
        benchmark: The ``benchmark`` fixture.
        item: The test, whose ``user_properties`` reach JUnit XML.
        clock: The clock that the fixture times with.
        result: The configuration's result.
    """
    records = [record for record in result.records if record.is_valid]
    seconds = [value for value in (record.value("train_s") for record in records) if value is not None]
    recorded = iter(seconds)
    info = extra_info(result, item.nodeid)
    benchmark.extra_info[EXTRA_INFO] = info
    item.user_properties += [
        (f"{EXTRA_INFO}_{name}", value) for name, value in info.items() if isinstance(value, (str, int, float))
    ]
    if result.broken or not seconds:
        # Nothing to time; a fixture that was never used would be warned about, a zero would be a lie.
        benchmark.disabled = True
        benchmark.has_error = bool(result.broken)
        benchmark.pedantic(lambda: None)
        return
    rounds = 1 if benchmark.disabled else len(seconds)
    benchmark.pedantic(lambda: clock.add(next(recorded)), rounds=rounds, iterations=1)


def extra_info(result: ConfigurationResult, node_id: str | None = None) -> dict[str, Any]:
    """Return what travels with a saved benchmark, in plain types: every row figure, and every run's outcomes."""
    from freezebench.records.saved import from_records, to_info
    from freezebench.report.columns import figures
    from freezebench.report.rows import row

    saved = from_records(result.freeze, result.records, broken=result.broken, node_id=node_id)
    valid = [record for record in result.records if record.is_valid]
    extras = [{"run_id": record.spec.run_id, "f1": record.test.f1 if record.test else None} for record in valid]
    return {**figures(row(result)), **to_info(saved, run_extras=extras)}


def saved_run(config: pytest.Config) -> SavedRun | None:
    """Return the saved run that ``--benchmark-compare`` names, the latest one of several; ``None``: there is none.

    Raises:
        RecordError: If it is damaged, foreign, or of a schema that this version does not know.
    """
    wanted = config.getoption("benchmark_compare", None)
    if not wanted:
        return None
    from freezebench.records.saved_files import read_saved_run

    # pytest-benchmark's own loader would skip a damaged file with a warning: only the search is left to it.
    storage: Any = config._benchmarksession.storage  # type: ignore[attr-defined]  # noqa: SLF001 - it has no other way
    if not hasattr(storage, "query"):
        raise RecordError(
            f"--benchmark-compare: freezebench reads references from files, not from {storage}. "
            "Use --benchmark-storage=file://…"
        )
    found = storage.query("[0-9][0-9][0-9][0-9]_" if wanted is True else wanted)
    return read_saved_run(found[-1]) if found else None


class BenchmarkStandIn:
    """Registered in the place of pytest-benchmark when that is switched off: same fixture, nothing recorded."""

    class Fixture:
        """As much of the ``benchmark`` fixture as freeze tests use."""

        def __init__(self) -> None:
            self.extra_info: dict[str, Any] = {}
            self.has_error = False
            self.disabled = True

        def pedantic(self, target: Any, **_: Any) -> Any:
            """Call the target once."""
            return target()

    @pytest.fixture
    def benchmark(self) -> BenchmarkStandIn.Fixture:
        """Stand in for pytest-benchmark's fixture."""
        return self.Fixture()


class BenchmarkBridge:
    """Hooks of pytest-benchmark."""

    def __init__(self, find_session: Callable[[], FreezeSession | None]) -> None:
        self._find_session = find_session

    def pytest_benchmark_update_machine_info(self, machine_info: dict[str, Any]) -> None:
        """Add what trains: the device, and the versions of the libraries."""
        session = self._find_session()
        for _, summary in session.summaries() if session else ():
            record = next((run for result in summary.results for run in result.records if run.is_valid), None)
            if record is not None:
                versions = {name: record.environment.get(name) for name in ("torch", "transformers", "freezebench")}
                machine_info[EXTRA_INFO] = {"device": record.device, "device_name": record.device_name, **versions}

    @pytest.hookimpl(tryfirst=True)
    def pytest_benchmark_compare_machine_info(
        self, machine_info: dict[str, Any], compared_benchmark: dict[str, Any]
    ) -> None:
        """Level the saved machine info, which pytest-benchmark may stumble over: our comparison looks at devices."""
        compared_benchmark["machine_info"] = machine_info
