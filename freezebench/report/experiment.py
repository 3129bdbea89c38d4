"""One experiment: its settings and its results, from this session or read from a report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from freezebench.errors import FreezebenchError, RecordError
from freezebench.records.consistency import read_record
from freezebench.records.device_models import of_model
from freezebench.records.files import plain
from freezebench.records.saved_files import REPORT_SCHEMA, read_content, report_file
from freezebench.records.saved_freeze import saved_freeze
from freezebench.report.rows import rows_of, table_model
from freezebench.report.summary import Summary
from freezebench.report.verdict_text import judged_ladder
from freezebench.scoring.metrics import ACCURACY
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.typed import typed_fields
from freezebench.verdicts.gate import Part
from freezebench.verdicts.judge import ConfigurationResult
from freezebench.verdicts.noninferiority import Verdict, deepest_safe
from freezebench.verdicts.subsets import SubsetVerdict
from freezebench.verdicts.tuned_rate import TunedRate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from freezebench.config.settings import Settings
    from freezebench.records.run_record import RunRecord
    from freezebench.report.rows import Row
    from freezebench.specs.json_types import Json

# An object of a report's JSON, whose values are checked where they are used.
_Saved: TypeAlias = Mapping[str, Any]
_GIVE = "Give another folder that --freeze-report wrote, or its report.json"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One experiment.

    Attributes:
        source: The file that it was read from; empty for this session's.
        settings: The settings in JSON types.
        summary: The results.
        tests: Node ids of the tests that ran; empty if they are not known.
    """

    source: str
    settings: Mapping[str, Json]
    summary: Summary
    tests: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings, summary: Summary, tests: Sequence[str] = ()) -> Experiment:
        """Return an experiment of this session."""
        return cls(source="", settings=plain(settings), summary=summary, tests=tuple(tests))

    @property
    def model(self) -> str:
        """Name of the model, a Hub name or a folder."""
        return str(self.settings.get("model"))

    @property
    def data_source(self) -> str:
        """Name of the data set, a Hub name or a folder."""
        return str(subsettings(self.settings, "data").get("source", "unknown"))

    @property
    def margin_pp(self) -> float:
        """Decision margin in percentage points."""
        return self.summary.margin_pp

    @property
    def rows(self) -> tuple[Row, ...]:
        """The figures of every configuration, least frozen first."""
        return self.summary.rows

    @property
    def results(self) -> tuple[ConfigurationResult, ...]:
        """The results of every configuration, in the same order."""
        return self.summary.results

    @property
    def records(self) -> list[RunRecord]:
        """Every valid run."""
        return [record for result in self.results for record in result.records if record.is_valid]

    @property
    def cost_records(self) -> list[RunRecord]:
        """Those of them on the device model that the costs are of."""
        return of_model(self.records, table_model(self.results))

    @property
    def baseline(self) -> Row | None:
        """The figures of the unfrozen baseline."""
        return next((row for row in self.rows if row.freeze == "none"), None)

    @property
    def deepest(self) -> Row | None:
        """The figures of the deepest safe prefix; ``None`` if no prefix is non-inferior."""
        ladder = judged_ladder(self.results)
        name = deepest_safe(ladder) if ladder else None
        return next((row for row in self.rows if row.freeze == name), None)


def subsettings(settings: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    """Return the settings under a name, such as those of the data; empty where there are none."""
    value = settings.get(name)
    return value if isinstance(value, Mapping) else {}


def read_experiments(path: Path) -> list[Experiment]:
    """Return the experiments of a report folder or of its ``report.json``.

    Raises:
        RecordError: If the file is missing, damaged, foreign, or of a schema that this version does not read.
    """
    file = report_file(path)
    try:
        return [_experiment(str(path), saved) for saved in _saved_experiments(read_content(file))]
    except RecordError as error:
        raise RecordError(f"{file}: {str(error).rstrip('.')}. {_GIVE}.") from error
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, IndexError, FreezebenchError) as error:
        # Many faults are possible inside a file; the message names the file and the fault.
        raise RecordError(f"{file}: is no report of freezebench: {error!r}. {_GIVE}.") from error


def _saved_experiments(content: object) -> list[_Saved]:
    """Return the experiments of a file's content.

    Raises:
        RecordError: If it is no report that this version reads.
    """
    if not isinstance(content, dict) or not isinstance(content.get("experiments"), list):
        raise RecordError(_foreign(content))
    if content.get("schema") != REPORT_SCHEMA:
        raise RecordError(
            f"report of schema {content.get('schema')!r}, this version of freezebench reads {REPORT_SCHEMA}"
        )
    if not content["experiments"]:
        raise RecordError("holds no experiment, since no configuration was finished")
    return list(content["experiments"])


def _foreign(content: object) -> str:
    """Return what is wrong with a file that is no report."""
    if isinstance(content, dict) and isinstance(content.get("benchmarks"), list):
        return (
            "is a pytest-benchmark file, which has no losses, epochs or power of the runs, so it gives no page "
            "(python -m freezebench compare reads it)"
        )
    return "is no report of freezebench"


def _experiment(source: str, saved: _Saved) -> Experiment:
    """Return one experiment of a report."""
    configurations = saved["configurations"]
    for item in configurations:
        saved_freeze(item["freeze"])  # a strategy that is missing here is named before its runs are read
    runs = {item["freeze"]: [read_record(run) for run in item["runs"]] for item in configurations}
    # The file has every run once; candidates are paired again with the unfrozen run of the same seed.
    unfrozen = {record.spec.seed: record for record in runs.get("none", [])}
    results = [_result(item, runs[item["freeze"]], unfrozen) for item in configurations]
    results.sort(key=lambda result: FreezeSpec.parse(result.freeze).frozen_order)
    settings = saved["settings"]
    if not isinstance(settings, dict) or not _is_figure(settings["margin_pp"]) or not results:
        raise RecordError("holds an experiment without settings or results")
    return Experiment(
        source=source,
        settings=settings,
        # Reports of version 0.1 do not name them.
        tests=tuple(str(test) for test in saved.get("tests", ())),
        summary=Summary(
            title=str(saved["title"]),
            results=tuple(results),
            rows=tuple(rows_of(results)),
            margin_pp=float(settings["margin_pp"]),
            lines=tuple(str(line) for line in saved["lines"]),
            # Reports of version 0.1 have all sentences in one list.
            notes=tuple(str(line) for line in saved.get("notes", ())),
            is_saving=saved.get("saved_model") is not None,
        ),
    )


def _result(saved: _Saved, records: Sequence[RunRecord], unfrozen: Mapping[int, RunRecord]) -> ConfigurationResult:
    """Return one configuration's result with the verdicts that were saved."""
    freeze = saved_freeze(saved["freeze"])
    return ConfigurationResult(
        freeze=freeze,
        records=tuple(records),
        baseline=tuple(unfrozen[record.spec.seed] for record in records if record.spec.seed in unfrozen),
        verdict=_verdict(saved, "verdict_at_margin"),
        gate=_verdict(saved, "verdict_at_limit"),
        broken=None if saved["broken"] is None else str(saved["broken"]),
        warnings=tuple(str(warning) for warning in saved["warnings"]),
        # Reports of the first versions have no parts.
        parts=tuple(Part(**part) for part in saved.get("parts", ())),
        # Reports of earlier versions have no configurations that were not run.
        same_as=None if saved.get("same_as") is None else saved_freeze(saved["same_as"]),
        left_out=_text(saved, "left_out"),
        not_needed=_text(saved, "not_needed"),
        not_reached=_text(saved, "not_reached"),
        metric=str(saved.get("metric", ACCURACY.name)),
        classes=_subsets(saved, "classes"),
        slices=_subsets(saved, "slices"),
        test_sets=_subsets(saved, "test_sets"),
        tuned_rate=None
        if saved.get("tuned_rate") is None
        else typed_fields(TunedRate, saved["tuned_rate"], "tuned_rate"),
    )


def _text(saved: _Saved, name: str) -> str | None:
    return None if saved.get(name) is None else str(saved[name])


def _verdict(saved: _Saved, name: str) -> Verdict | None:
    """Return a verdict from its JSON form."""
    return None if saved[name] is None else typed_fields(Verdict, saved[name], name)


def _subsets(saved: _Saved, name: str) -> tuple[SubsetVerdict, ...]:
    """Return verdicts on classes, slices or test sets, which reports of earlier versions do not have."""
    return tuple(
        typed_fields(SubsetVerdict, item, f"{name}[{number}]") for number, item in enumerate(saved.get(name, ()))
    )


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
