"""Values from JSON, checked against annotations: every field of every class that files hold, with every wrong value."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields
from typing import Any

import pytest

from freezebench.errors import RecordError
from freezebench.records.consistency import read_record
from freezebench.records.data_facts import DataFacts, SetFacts, SplitFacts
from freezebench.records.reading import Reading
from freezebench.records.run_record import EpochRecord, Evaluation, RunRecord
from freezebench.records.saved import from_records
from freezebench.records.saved_info import to_info
from freezebench.records.store import decode, encode, record_key
from freezebench.specs.data import DataSpec, NamedSource
from freezebench.specs.run import Protocol, RunSpec
from full_record import full_record

CLASSES = (
    *(RunRecord, RunSpec, DataSpec, NamedSource, Protocol, DataFacts, SplitFacts, SetFacts, Evaluation, EpochRecord),
    Reading,
)

# Values of every JSON type, and extreme ones of the right type.
WRONG: list[object] = [
    None,
    True,
    0,
    -1,
    3,
    10**30,
    10**4000,
    -(10**400),
    1.5,
    -1e308,
    math.nan,
    math.inf,
    "",
    "x",
    "\ud800",
    "x\0\n\x1b[31m",
    [],
    [1],
    [None] * 3,
    ["x"],
    [[[[]]]],
    [10**400],
    [math.nan, math.inf],
    {},
    {"x": 1},
    {"x": {"y": []}},
    {"\ud800": None},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every entry of a JSON value, of lists only the first entry."""
    entries = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, entry in entries:
        yield (*path, key)
        yield from places(entry, (*path, key))


def changed(value: Any, path: tuple[Any, ...], replacement: object) -> Any:
    """Return a copy of a JSON value with another entry at a path."""
    copy = json.loads(json.dumps(value))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = replacement
    return copy


PLACES = list(places(full_record()))


def test_the_record_has_every_field_of_every_class() -> None:
    """A field that is added to a class is tested from then on."""
    run = full_record()
    objects = {
        RunRecord: run,
        RunSpec: run["spec"],
        DataSpec: {"bad_rows": "error", **run["spec"]["data"]},
        Protocol: run["spec"]["protocol"],
        DataFacts: run["data"],
        SplitFacts: run["data"]["splits"]["test"],
        Evaluation: run["test"],
        SetFacts: run["data"]["test_sets"][0],
        NamedSource: run["spec"]["data"]["test_sets"][0],
        EpochRecord: run["epochs"][0],
        Reading: run["readings"]["train_s"],
    }
    for kind in CLASSES:
        assert {field.name for field in fields(kind)} <= objects[kind].keys(), kind


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_a_wrong_value_is_a_record_error(path: tuple[Any, ...]) -> None:
    """It is refused in one sentence, or it is a possible value, and the record can then be used."""
    run = full_record()
    for wrong in WRONG:
        try:
            record = read_record(changed(run, path, wrong))
        except RecordError as error:
            assert len(str(error)) < 600  # noqa: PT017 - not raised for every value
            continue
        use(record)


def use(record: RunRecord) -> None:
    """Use a record as verdicts, stores and reports do."""
    record_key(record)
    assert (record.undertrained, record.is_contended) is not None
    assert len(record.test_correct) == (len(record.test.predictions) if record.test else 0)
    to_info(from_records("emb", [record]))
    assert decode(encode(record)) == record or any(map(math.isnan, record.step_losses))


@pytest.mark.parametrize(
    ("path", "wrong", "message"),
    [
        (
            ("readings", "train_s", "value"),
            "x",
            "it is no run record: readings.train_s: value: 'x' is no finite number",
        ),
        (("data", "num_test"), -1, "it is no run record: data: num_test: -1 is negative"),
        (("data", "test_labels", 0), True, "it is no run record: data: test_labels[0]: True is no whole number"),
        (("data", "splits", "test", "class_counts", 0), -1, "splits.test.class_counts: [-1, 20] is negative"),
        (("device",), 5, "it is no run record: device: 5 is no text"),
        (("status",), "done", "it is no run record: status: 'done' is none of completed, invalid"),
        (("initial_sha256",), ["a"], "it is no run record: initial_sha256: 1 entries, where there are 2"),
        (("spec", "protocol", "num_epochs"), 10**30, "spec: protocol.num_epochs: 1000"),
        (("trace", "stretches", 0, "series", 0, "values", 0), "x", "trace.stretches[0].series[0].values[0]: 'x' is no"),
        (("colour",), 1, "it is no run record: a RunRecord has an unknown field 'colour'"),
    ],
    ids=str,
)
def test_the_message_names_the_field(path: tuple[Any, ...], wrong: object, message: str) -> None:
    """By its path from the record."""
    with pytest.raises(RecordError) as caught:
        read_record(changed(full_record(), path, wrong))
    assert message in str(caught.value)


DEEP: list[Callable[[], Any]] = [
    lambda: json.loads("[" * 900 + "]" * 900),
    lambda: json.loads('{"a":' * 900 + "1" + "}" * 900),
]


@pytest.mark.parametrize("make", DEEP)
@pytest.mark.parametrize(
    "path", [("devices",), ("devices", 0, "name"), ("trace",), ("environment",), ("spec",)], ids=str
)
def test_deep_nesting_is_refused(path: tuple[Any, ...], make: Callable[[], Any]) -> None:
    """Python's own limit would be met somewhere far from the file."""
    run = full_record()
    place = run
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = make()
    with pytest.raises(RecordError):
        read_record(run)


def test_a_missing_field_is_named() -> None:
    """A field with a default may be missing."""
    run = full_record()
    del run["data"]["num_test"], run["readings"]["train_s"]["coverage"]
    with suppress(RecordError):
        read_record(run)
        raise AssertionError
    with pytest.raises(RecordError, match="data: a DataFacts has no field 'num_test'"):
        read_record(run)
