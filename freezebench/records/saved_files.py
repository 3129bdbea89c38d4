"""Files of saved runs: JSON files of pytest-benchmark and freezebench's own reports."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NoReturn

from freezebench.errors import FreezebenchError, RecordError
from freezebench.records.consistency import read_record
from freezebench.records.files import read_bounded
from freezebench.records.saved import SavedConfiguration, SavedRun, from_records
from freezebench.records.saved_freeze import saved_freeze
from freezebench.records.saved_info import check, from_info, is_number
from freezebench.scoring.metrics import METRICS
from freezebench.specs.fields import brief

if TYPE_CHECKING:
    from pathlib import Path

    from freezebench.scoring.metric import Metric

EXTRA_INFO = "freezebench"
REPORT_FILE = "report.json"
REPORT_SCHEMA = 1
# Ten configurations of eight seeds on 100,000 sentences need a tenth of this.
_LARGEST_FILE = 500_000_000
# Entries of a benchmark's statistics that are no number.
_NO_TIMES = ("outliers", "data")
# Entries of a report that say why a configuration was not run.
_NOT_RUN = ("same_as", "left_out", "not_needed", "not_reached")
NO_FIGURES = (
    "holds no freezebench figures. Save a reference with: pytest TESTS --benchmark-save=NAME, or give a folder "
    "that --freeze-report wrote"
)


class NoFiguresError(RecordError):
    """A readable file of pytest-benchmark that holds ordinary benchmarks only."""


def read_saved_run(path: Path) -> SavedRun:
    """Return the saved run of a pytest-benchmark JSON file, a report folder, or a ``report.json``.

    Raises:
        NoFiguresError: If it holds ordinary benchmarks only.
        RecordError: If the file is missing, damaged, foreign, or of a schema that this version does not know.
    """
    file = report_file(path)
    try:
        content = read_content(file)
        if isinstance(content, dict) and isinstance(content.get("experiments"), list):
            return _from_report(str(path), content)
        if isinstance(content, dict) and isinstance(content.get("benchmarks"), list):
            return _from_benchmarks(str(path), content)
    except NoFiguresError as error:
        raise NoFiguresError(f"{file}: {error}.") from error
    except RecordError as error:
        raise RecordError(f"{file}: {str(error).rstrip('.')}. Name another file, or save the run again.") from error
    raise RecordError(f"{file}: is neither a pytest-benchmark file nor a report; it {NO_FIGURES}.")


def report_file(path: Path) -> Path:
    """Return the file of figures of a report folder; any other path is the file itself."""
    return path / REPORT_FILE if os.path.isdir(path) else path  # noqa: PTH112 - False for a name that no file can have


def read_content(file: Path) -> object:
    """Return the JSON of a file.

    Raises:
        RecordError: If the file is missing, too large, or not JSON.
    """

    # Python's parser accepts NaN and Infinity, which JSON does not have and no figure may be.
    def refuse(word: str) -> NoReturn:
        raise RecordError(f"holds {word}, which is no figure")

    try:
        return json.loads(read_bounded(file, _LARGEST_FILE).decode("utf-8"), parse_constant=refuse)
    except OSError as error:
        where = " in this folder" if file.name == REPORT_FILE else ""
        raise RecordError(f"cannot be read{where} ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"is damaged or no JSON ({error})") from error


def _from_benchmarks(source: str, content: dict[str, Any]) -> SavedRun:
    """Return the freeze tests among saved benchmarks."""
    configurations: dict[str, SavedConfiguration] = {}
    for bench in content["benchmarks"]:
        info = bench.get("extra_info") if isinstance(bench, dict) else None
        if not isinstance(info, dict) or EXTRA_INFO not in info:
            continue
        node_id = bench.get("fullname")
        # Runs are compared by their tests' names, so that two tests of one name could not be distinguished.
        if not isinstance(node_id, str) or node_id in configurations:
            raise RecordError(f"names a benchmark {str(node_id)[:80]!r}, twice or not at all")
        try:
            _check_times(bench.get("stats"))
            configurations[node_id] = from_info(info[EXTRA_INFO], node_id)
        except RecordError as error:
            raise RecordError(f"{node_id}: {error}") from error
    if not configurations:
        raise NoFiguresError(NO_FIGURES)
    date = content.get("datetime")
    return SavedRun(
        source=source,
        date=date if isinstance(date, str) else "unknown date",
        configurations=tuple(configurations.values()),
    )


def _check_times(stats: object) -> None:
    """Check the times of a benchmark, which pytest-benchmark shows beside those of this session.

    Raises:
        RecordError: If one is no number: pytest-benchmark would fail at the end of the session.
    """
    times = {name: value for name, value in stats.items() if name not in _NO_TIMES} if isinstance(stats, dict) else {}
    for name, value in times.items():
        if value is not None and not is_number(value):
            raise RecordError(f"its time {brief(name)} is no finite number: {brief(value)}")


def _from_report(source: str, content: dict[str, Any]) -> SavedRun:
    """Return the saved run of a report."""
    schema = content.get("schema")
    if schema != REPORT_SCHEMA:
        raise RecordError(f"report of schema {brief(schema)}, this version of freezebench reads {REPORT_SCHEMA}")
    saved: list[SavedConfiguration] = []
    dates: list[str] = []
    # Only the entries that a comparison needs are read: a report of a newer version may have others.
    try:
        for experiment in content["experiments"]:
            metric = _metric_of(experiment)
            # Nothing is compared with what was not run.
            run = [item for item in experiment["configurations"] if not any(map(item.get, _NOT_RUN))]
            for configuration in run:
                freeze, broken = saved_freeze(configuration["freeze"]), configuration["broken"]
                records = [read_record(run) for run in configuration["runs"]]
                dates += [str(record.started_at) for record in records if record.started_at]
                saved.append(from_records(freeze, records, broken=broken and str(broken), metric=metric))
                check(saved[-1])
    except RecordError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, FreezebenchError) as error:
        raise RecordError(f"is no report of freezebench: {brief(error)}") from error
    if not saved:
        raise RecordError("holds no configuration")
    return SavedRun(source=source, date=max(dates, default="unknown date"), configurations=tuple(saved))


def _metric_of(experiment: dict[str, Any]) -> Metric | None:
    """Return the metric that judges an experiment of a report; ``None``: the usual one of its task.

    Raises:
        RecordError: If it is a function of the project, which is not imported to read a report.
    """
    settings = experiment.get("settings")
    name = settings.get("metric") if isinstance(settings, dict) else None
    if name is not None and name not in METRICS:
        raise RecordError(
            f"it is judged by {brief(name)}, a function that is not imported to read a report: save a reference with "
            "--benchmark-save=NAME instead"
        )
    return None if name is None else METRICS[name]
