"""The schemas of ``report.json`` and of the files of a store.

``python -m docs.schemas.files`` writes them to ``docs/reference``, and a test holds that they are up to date. What the
code writes as dataclasses is described there; the objects around them are described here.

Further keys may follow in later versions, so that the published schemas allow any. ``strict`` allows none: the tests
validate reports by it, and so find a key that is not described.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args

from docs.schemas.overview import overview
from docs.schemas.types import Schema, SchemaOfTypes, array, number, object_, text
from freezebench.config.session_settings import SessionSettings
from freezebench.config.settings import Settings
from freezebench.records.run_record import RUN_RECORD_SCHEMA, RunRecord
from freezebench.records.saved_files import REPORT_SCHEMA
from freezebench.records.store import STORE_SCHEMA
from freezebench.report.answer import Answer
from freezebench.report.columns import figure_names
from freezebench.report.rows import Row
from freezebench.report.saved_model import SavingOutcome
from freezebench.scoring.metric import Unit
from freezebench.specs.budget import BudgetLimit
from freezebench.specs.data import DataSpec
from freezebench.specs.names import Isolation, TaskName
from freezebench.specs.run import RUN_SPEC_SCHEMA, SCHEMA_WITHOUT_STRATEGIES, Engine, Protocol
from freezebench.verdicts.gate import Part, Standing
from freezebench.verdicts.noninferiority import Outcome, Verdict
from freezebench.verdicts.speedup import SpeedupOutcome
from freezebench.verdicts.subsets import SubsetVerdict
from freezebench.verdicts.tuned_rate import TunedRate
from freezebench.verdicts.vocabulary import VerdictKey

FOLDER = Path(__file__).parents[1] / "reference"
REPORT, STORE = "report.schema.json", "store.schema.json"

_NAMES: dict[str, object] = {
    "Any": Any,
    "BudgetLimit": BudgetLimit,
    "DataSpec": DataSpec,
    "Engine": Engine,
    "Isolation": Isolation,
    "Json": object,
    "Mapping": Mapping,
    "Outcome": Outcome,
    "Protocol": Protocol,
    "RunRecord": RunRecord,
    "SpeedupOutcome": SpeedupOutcome,
    "Standing": Standing,
    "TaskName": TaskName,
    "Unit": Unit,
    "VerdictKey": VerdictKey,
}
_LATER_OF_DATA = ("bad_rows", "task", "slice_column", "group_column", "test_sets")
_LATER_OF_RECORDS = ("session", "files_sha256", "initial_sha256", "new_parameters", "num_added_params", "tests")
_LATER_OF_FACTS = (
    *("test_groups", "dropped_rows", "task", "test_values", "test_lengths", "test_slices", "slice_names"),
    "test_sets",
)
_LATER_OF_ROWS = (
    *("speedup_lower", "speedup_upper", "speedup_reason", "contended_share", "num_contended", "same_as", "left_out"),
    *("device_name", "not_needed", "not_reached", "metric", "metric_unit", "metric_value", "metric_sd"),
)
# Fields that files of version 0.1 lack. All others are in every file.
_LATER = {
    "DataFacts": _LATER_OF_FACTS,
    "DataSpec": _LATER_OF_DATA,
    "EpochRecord": ("contended_share",),
    "Evaluation": ("scores",),
    "InterimLooks": ("num_sharing",),
    "Protocol": ("batch_order",),
    "Row": _LATER_OF_ROWS,
    "RunRecord": _LATER_OF_RECORDS,
    "SessionSettings": (
        *("trackers", "save", "devices", "cluster", "cluster_resource", "budget"),
        *("anchor", "compare_across", "allow_unmatched"),
    ),
    "Settings": (
        *("tune_lr", "metric", "max_slice_drop", "max_test_drop", "max_regression", "claims", "wider_options"),
    ),
    "SplitFacts": ("constant_loss",),
    "Verdict": ("unit", "too_few"),
}
# Figures of a configuration that are no fields of its row: further columns.
_FIGURES: dict[str, Schema] = {
    "macro_f1": {"type": ["number", "null"], "description": "Macro F1 on the test set, where a class of it is rare."},
    "recall_rarest": {
        "type": ["number", "null"],
        "description": "Recall of the rarest class of the test set, 0 to 1, where a class of it is rare.",
    },
    "recall_second_rarest": {
        "type": ["number", "null"],
        "description": "Recall of the second rarest class, likewise; of two classes, of the other one.",
    },
    "recall_third_rarest": {"type": ["number", "null"], "description": "Recall of the third rarest class, likewise."},
    "num_added_params": {
        "type": ["integer", "null"],
        "description": "Number of parameters that strategies added to the model; `null` where they added none.",
    },
    "engine": {"type": "string", "description": "Engine that trained it; `–` without a valid run."},
}
# Of an experiment, in their order; those that version 0.1 did not write come last.
_LATER_OF_EXPERIMENTS = ("answer", "notes", "majority_accuracy", "tests", "saved_model")
_LATER_OF_CONFIGURATIONS = ("parts", "classes", "slices", "test_sets", "tuned_rate")


class FileSchemas:
    """Makes the schemas of the files."""

    def __init__(self) -> None:
        """Begin without any class."""
        self._types = SchemaOfTypes(_NAMES, _LATER)

    def report(self) -> Schema:
        """Return the schema of ``report.json``."""
        experiment = self._types.add("Experiment", self._experiment())
        glance = self._types.add("Overview", overview(self._types))
        properties = {
            "schema": {"const": REPORT_SCHEMA, "description": "Number of the format."},
            "experiments": array(experiment, "The experiments: one for each combination of settings."),
            "overview": glance | {"description": "All experiments at a glance; only where there are several."},
        }
        return self._file("The report of a session, as --freeze-report=DIR writes it to DIR/report.json.", properties)

    def store(self) -> Schema:
        """Return the schema of the files of a store."""
        properties = {
            "schema": {"const": STORE_SCHEMA, "description": "Number of the format."},
            "sha256": text("Checksum of the keys below, by which damage is noticed."),
            "record": self._record() | {"description": "The record of the run."},
            "files_sha256": text("Content hash of the model's configuration and tokenizer.", may_be_null=True),
        }
        return self._file("One finished run, as --freeze-store=DIR saves it.", properties)

    def _file(self, description: str, properties: Mapping[str, Schema]) -> Schema:
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **object_(description, properties, ("overview",)),
            "$defs": dict(sorted(self._types.definitions.items())),
        }

    def _record(self) -> Schema:
        """Return a reference to the schema of a record, which says its own format beside its fields."""
        reference = self._types.of(RunRecord)
        definitions = self._types.definitions
        for name, schemas in (
            ("RunRecord", [1, RUN_RECORD_SCHEMA]),
            ("RunSpec", [SCHEMA_WITHOUT_STRATEGIES, RUN_SPEC_SCHEMA]),
        ):
            own = {"schema": {"enum": schemas, "description": "Number of the format."}}
            if "schema" not in definitions[name]["properties"]:
                definitions[name]["properties"] = own | definitions[name]["properties"]
                definitions[name]["required"].insert(0, "schema")
        definitions["DataFacts"]["properties"]["generated"] = {
            "type": "boolean",
            "deprecated": True,
            "description": "Only in files of version 0.1: whether its built-in generator made the sentences.",
        }
        return reference

    def _experiment(self) -> Schema:
        configuration = self._types.add("Configuration", self._configuration())
        saved = self._types.of(SavingOutcome | None)
        strings: Schema = {"type": "string"}
        properties = {
            "settings": self._types.add("Settings", self._settings())
            | {"description": "The resolved options, those that hold for the whole session included."},
            "title": text("Title of the summary: model, data and device."),
            "lines": array(strings, "Sentences of the summary."),
            "saved_model": saved
            | {"description": "With `--freeze-save`: what became of the model; `null` without the option."},
            "configurations": array(configuration, "The configurations, least frozen first."),
            "answer": self._types.of(Answer) | {"description": "The answer of the experiment."},
            "notes": array(strings, "Further sentences, which the terminal shows with `-v`."),
            "majority_accuracy": number("Accuracy of always predicting the most frequent class of the test set."),
            "tests": array(
                strings, "Node ids of the tests that ran: a function, or single cases where only some of its grid ran."
            ),
        }
        return object_("One experiment: one combination of settings.", properties, _LATER_OF_EXPERIMENTS)

    def _settings(self) -> Schema:
        both = [self._types.of_class(kind) for kind in (Settings, SessionSettings)]
        properties = {name: schema for part in both for name, schema in part["properties"].items()}
        properties["isolate"] = {
            "enum": [*get_args(Isolation), None],
            "description": "Where runs train; `null` only in files of version 0.1.",
        }
        later = set(properties) - {name for part in both for name in part["required"]}
        return object_("The resolved options of an experiment.", properties, sorted(later))

    def _configuration(self) -> Schema:
        fields = self._types.properties(Row)
        figures = {name: _FIGURES[name] if name in _FIGURES else fields[name] for name in figure_names()}
        record, verdict = self._record(), self._types.of(Verdict | None)
        subset = self._types.of(SubsetVerdict)
        properties = figures | {
            "verdict_at_margin": verdict
            | {"description": "The verdict at the margin; `null` for the baseline and without runs."},
            "verdict_at_limit": verdict
            | {"description": "The verdict at the limit of the test; `null` where it asserts none."},
            "warnings": array({"type": "string"}, "Reasons to doubt the figures."),
            "parts": array(
                self._types.of(Part),
                "The limits of the test besides `--freeze-max-drop`: savings, saved runs, classes.",
            ),
            "classes": array(subset, "Drops in recall of every class, label or type of entities."),
            "slices": array(subset, "Drops of the metric on every slice of the test set."),
            "test_sets": array(subset, "Drops of the metric on every further test set."),
            "tuned_rate": self._types.of(TunedRate | None)
            | {"description": "The learning rates that were tried for it; `null` where none were."},
            "runs": array(record, "The record of every run; empty where nothing was run."),
        }
        later = (*_LATER_OF_ROWS, *_FIGURES, *_LATER_OF_CONFIGURATIONS)
        return object_("The figures of one configuration over its seeds.", properties, later)


def strict(schema: Schema) -> Schema:
    """Return a schema that allows no keys but those that it describes."""
    closed = deepcopy(schema)
    for part in (closed, *closed["$defs"].values()):
        part["additionalProperties"] = False
    return closed


def texts() -> dict[str, str]:
    """Return the content of the files by name."""
    schemas = {REPORT: FileSchemas().report(), STORE: FileSchemas().store()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def main() -> None:
    """Write the files."""
    for name, content in texts().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
        sys.stdout.write(f"{FOLDER / name}\n")


if __name__ == "__main__":
    main()
