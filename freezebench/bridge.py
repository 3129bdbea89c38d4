"""The adapter to pytest-benchmark: recorded seconds in, figures in ``extra_info``, saved runs compared."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezebench.records.run_record import RunRecord
    from freezebench.session import FreezeSession
    from freezebench.verdicts.judge import ConfigurationResult

EXTRA_INFO = "freezebench"
EXTRA_INFO_SCHEMA = 1


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


def record_benchmark(benchmark: Any, item: pytest.Item, clock: Clock, result: ConfigurationResult) -> dict[str, Any]:
    """Hand a configuration's train times to pytest-benchmark, one round per seed; return the figures saved with them.

    Args:
        benchmark: The ``benchmark`` fixture.
        item: The test, whose ``user_properties`` reach JUnit XML.
        clock: The clock that the fixture times with.
        result: The configuration's result.
    """
    records = [record for record in result.records if record.is_valid]
    seconds = [value for value in (record.value("train_s") for record in records) if value is not None]
    recorded = iter(seconds)
    info = extra_info(result)
    benchmark.extra_info[EXTRA_INFO] = info
    item.user_properties += [
        (f"{EXTRA_INFO}_{name}", value) for name, value in info.items() if isinstance(value, (str, int, float))
    ]
    if result.broken or not seconds:
        # Nothing to time; a fixture that was never used would be warned about, a zero would be a lie.
        benchmark.disabled = True
        benchmark.has_error = bool(result.broken)
        benchmark.pedantic(lambda: None)
        return info
    rounds = 1 if benchmark.disabled else len(seconds)
    benchmark.pedantic(lambda: clock.add(next(recorded)), rounds=rounds, iterations=1)
    return info


def extra_info(result: ConfigurationResult) -> dict[str, Any]:
    """Return what travels with a saved benchmark, in plain types: every row figure, and every run's outcomes."""
    from dataclasses import asdict

    from freezebench.report.rows import row

    first = result.records[0] if result.records else None
    return {
        "schema": EXTRA_INFO_SCHEMA,
        **asdict(row(result)),
        "model": first.spec.model if first else None,
        "experiment_id": first.spec.experiment_id if first else None,
        "device_name": first.device_name if first else None,
        "precision": first.precision if first else None,
        "test_sha256": first.data.test_sha256 if first and first.data else None,
        "runs": [_run_info(record) for record in result.records if record.is_valid],
    }


def _run_info(record: RunRecord) -> dict[str, Any]:
    """Return one run's readings and outcomes: one bit per test sentence, in order, the first one highest."""
    import numpy as np

    packed = np.packbits(np.array(record.test_correct, dtype=np.bool_)).tobytes()
    return {
        "run_id": record.spec.run_id,
        "seed": record.spec.seed,
        "accuracy": record.test.accuracy if record.test else None,
        "f1": record.test.f1 if record.test else None,
        "num_test": len(record.test_correct),
        "test_correct_base64": base64.b64encode(packed).decode("ascii"),
        "readings": {name: reading.value for name, reading in record.readings.items()},
    }


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
        self._saved: list[dict[str, Any]] = []
        self._other_machine = False

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
        """Keep the saved run for the comparison; level its machine info, which pytest-benchmark may stumble over."""
        saved = dict(compared_benchmark)
        saved.get("machine_info", {}).pop(EXTRA_INFO, None)
        self._saved.append(saved)
        # Clock rates vary from moment to moment, and saved tuples come back as lists: the model's name decides.
        names = [(info.get("cpu") or {}).get("brand_raw") for info in (saved.get("machine_info", {}), machine_info)]
        self._other_machine = names[0] != names[1]
        compared_benchmark["machine_info"] = machine_info

    def comparison_lines(self) -> list[str]:
        """Return old beside new for every configuration, and whatever found no partner."""
        session = self._find_session()
        if session is None:
            return []
        from freezebench.report.comparison import comparison_lines

        return [
            line
            for saved in self._saved
            for line in comparison_lines(saved, session.infos, other_machine=self._other_machine)
        ]
