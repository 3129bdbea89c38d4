"""The schemas of report and store: made from the code, valid, and true of old and new files."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from docs.option_groups import GROUPS
from docs.schemas.files import FOLDER, REPORT, STORE, strict, texts
from docs.schemas.tables import keys_table, sections, type_text
from docs.schemas.types import SchemaOfTypes
from docs.tables import on_page_markdown
from experiments import results, settings
from freezebench.config.options import BY_NAME
from freezebench.config.session_settings import SessionSettings
from freezebench.records.run_record import RunRecord
from freezebench.records.store import encode
from freezebench.report.files import report_files
from freezebench.report.saved_model import SavingOutcome
from freezebench.report.summary import summarize
from freezebench.specs.budget import BudgetLimit
from full_record import full_record
from report_schema import checked, read_report, read_stored, validator
from snippets import ROOT

OLD = ROOT / "tests/fixtures/v0.1"
EXAMPLES = {name: value for group in GROUPS.values() for name, value in group.items()}


@pytest.mark.parametrize("name", [REPORT, STORE])
def test_the_published_schemas_are_those_of_the_code(name: str) -> None:
    """After a change of a type or docstring, ``python -m docs.schemas.files`` writes them anew."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    if text != texts()[name]:
        pytest.fail("A type or its docstring has changed. Run: python -m docs.schemas.files", pytrace=False)
    Draft202012Validator.check_schema(json.loads(text))


def test_files_of_version_01_are_valid() -> None:
    """Keys that they lack are optional, and one that is written no more is described."""
    assert read_report(OLD)["schema"] == 1
    for path in (OLD / "store").glob("*.json"):
        assert read_stored(path)["record"]["status"] == "completed"


def test_a_record_with_every_field_is_valid() -> None:
    """Of all tasks, further test sets, slices and traces included."""
    assert checked(STORE, encode(RunRecord.from_json(full_record())))["record"]["tests"]


def test_a_report_of_every_option_is_valid() -> None:
    """The settings hold the values of all options, and a model was saved."""
    flags = {name: value for name, value in EXAMPLES.items() if not BY_NAME[name].session_wide}
    requested = settings(**flags | {"claims": "no"})  # they are about another metric than that of the example
    shared = SessionSettings(
        cache_bytes=2**20,
        prefix_cache="prefixes",
        prefix_cache_bytes=2**30,
        report="reports",
        save="model",
        store="store",
        devices=("cuda:0", "cuda:1"),
        cluster="auto",
        cluster_resource="A100",
        budget=BudgetLimit(text="2 h", max_s=7200.0),
        timeout_s=90.0,
        anchor="0001",
        compare_across=("lr",),
        allow_unmatched=("emb",),
        trackers=("mlflow",),
    )
    saved = SavingOutcome(sentence="saved.", folder="model", freeze="emb", seed=42, is_reproduced=True)
    summary = replace(summarize(results(), requested), saved=saved)
    content = checked(REPORT, report_files([(requested, summary)], shared, {})["report.json"])
    assert content["experiments"][0]["settings"]["budget"]["max_s"] == 7200


def test_a_wrong_file_is_found() -> None:
    """A missing key, a key that is not described, and a value of another type."""
    content = json.loads((OLD / "report.json").read_text(encoding="utf-8"))
    configuration = content["experiments"][0]["configurations"][0]
    for change in ({"freeze": 3}, {"surprise": 1}, {"verdict": "good"}):
        configuration_before = dict(configuration)
        configuration |= change
        with pytest.raises(ValidationError):
            validator(REPORT).validate(content)
        configuration.clear()
        configuration |= configuration_before
    del configuration["drop_pp"]
    with pytest.raises(ValidationError, match="'drop_pp' is a required property"):
        validator(REPORT).validate(content)


def test_programs_may_meet_keys_of_later_versions() -> None:
    """The published schema allows keys that it does not describe."""
    schema = json.loads((FOLDER / REPORT).read_text(encoding="utf-8"))
    content = json.loads((OLD / "report.json").read_text(encoding="utf-8")) | {"later": 1}
    Draft202012Validator(schema).validate(content)
    with pytest.raises(ValidationError):
        Draft202012Validator(strict(schema)).validate(content)


def test_every_key_is_explained() -> None:
    """In the schema, and in a table of the page, with a section for every object."""
    schema = json.loads((FOLDER / REPORT).read_text(encoding="utf-8"))
    page = on_page_markdown((ROOT / "docs/reference/report-json.md").read_text(encoding="utf-8"))
    for name, definition in {"": schema, **schema["$defs"]}.items():
        assert f"### {name} {{ #{name.lower()} }}" in page or not name
        assert definition["description"]
        for key, value in definition["properties"].items():
            assert value["description"].endswith("."), f"{name}.{key}"
            assert f"| `{key}`<br>" in page
    assert keys_table(REPORT) in page
    assert sections(REPORT) in page


@dataclass(frozen=True, kw_only=True)
class Undescribed:
    """A class.

    Attributes:
        known: A field,
            of two lines with ``None``.
    """

    known: tuple[str, int] | None
    unknown: int = 0


def test_a_field_without_description_is_noticed() -> None:
    """So that the schema explains every key."""
    with pytest.raises(ValueError, match="the docstring of Undescribed does not describe unknown"):
        SchemaOfTypes({}, {}).of_class(Undescribed)


def test_types_are_written_in_words() -> None:
    """As the tables of the page show them."""
    types = SchemaOfTypes({}, {})
    kinds = {
        "whole number or null": int | None,
        "number or null": float,
        "list of text": tuple[str, ...],
        "list of text and whole number": tuple[str, int],
        "object: list of true or false by name": dict[str, list[bool]],
    }
    assert {words: type_text(types.of(kind)) for words, kind in kinds.items()} == {words: words for words in kinds}
    assert type_text({"enum": ["a", "b", None]}) == "`a`, `b` or `null`"
    assert type_text({"anyOf": [{"$ref": "#/$defs/Verdict"}, {"type": "null"}]}) == "[Verdict](#verdict) or null"
