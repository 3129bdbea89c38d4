"""Parsers with arbitrary input: they return a value or raise a FreezebenchError, and no other error.

``FREEZEBENCH_FUZZ_EXAMPLES=10000`` sets the number of inputs per test; the default is 100.
"""

from __future__ import annotations

import copy
import json
import math
import os
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import made_up
from freezebench.config.option import Option
from freezebench.config.options import OPTIONS
from freezebench.data.load import load_data
from freezebench.errors import FreezebenchError
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.records.saved import from_info, from_records, to_info
from freezebench.report.experiment import read_experiments
from freezebench.session import FreezeSession
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.grid import parse_grid
from freezebench.specs.run import BadRowPolicy, DataSpec, RunSpec

EXAMPLES = int(os.environ.get("FREEZEBENCH_FUZZ_EXAMPLES", "100"))
MANY = hypothesis_settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

# Parts of valid values, in any order, mixed with arbitrary characters.
_BITS = [
    "emb",
    "L0",
    "L3",
    "-",
    "+",
    ",",
    ":",
    "head",
    "none",
    "all",
    "5e-5",
    "0",
    "-1",
    "nan",
    "inf",
    "1e999",
    "%",
    " ",
]
_BITS += ["10", "3,5,8", "yes", "no", "90s", "2h", "GiB", "MiB", "cuda", "cpu", "skip", "\x00", "é", "٣", "²", "_"]
WORDS = st.lists(st.sampled_from(_BITS) | st.text(max_size=3), max_size=8).map("".join)
VALUES: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([]) | st.just({})
)
JSON = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


@given(WORDS)
@MANY
def test_freeze_specs(text: str) -> None:
    """A spec that parses is printed in a form that parses to the same spec."""
    with suppress(FreezebenchError):
        spec = FreezeSpec.parse(text)
        assert FreezeSpec.parse(str(spec)) == spec


@given(WORDS, st.integers(-1, 40))
@MANY
def test_grids(text: str, num_layers: int) -> None:
    """A grid has each configuration once."""
    with suppress(FreezebenchError):
        grid = parse_grid(text, num_layers, "model")
        assert len(set(map(str, grid))) == len(grid)


@given(st.sampled_from(OPTIONS), WORDS | VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(WORDS, VALUES))
@MANY
def test_options(option: Option, value: object) -> None:
    """Flags are texts, markers may have any Python value."""
    with suppress(FreezebenchError):
        option.parse(value, "somewhere")


@given(st.dictionaries(st.sampled_from([option.name for option in OPTIONS]), WORDS, max_size=4))
@MANY
def test_settings_of_many_options(flags: dict[str, str]) -> None:
    """Options that are valid alone may contradict each other."""
    with suppress(FreezebenchError):
        FreezeSession({**flags, "preset": "embedded"}, {}).options.settings()


def _damaged(value: Any, draw: random.Random, replacement: object) -> Any:
    """Return JSON with one entry replaced or removed."""
    value = copy.deepcopy(value)
    parents: list[tuple[Any, Any]] = []
    entry = value
    while isinstance(entry, (dict, list)) and entry and (not parents or draw.random() < 0.8):
        key = draw.choice(list(entry) if isinstance(entry, dict) else range(len(entry)))
        parents.append((entry, key))
        entry = entry[key]
    if not parents:
        return replacement
    parent, key = parents[-1]
    if draw.random() < 0.3:
        del parent[key]
    else:
        parent[key] = replacement
    return value


_RECORD = made_up.record("emb", num_test=4)
_INFO = to_info(from_records("emb", [_RECORD, made_up.record("emb", 43, num_test=4)], broken=None, node_id="test_it"))


@given(st.randoms(use_true_random=False), JSON)
@MANY
def test_run_specs(draw: random.Random, replacement: object) -> None:
    """A run spec with one entry changed."""
    with suppress(FreezebenchError):
        RunSpec.from_json(_damaged(_RECORD.spec.to_json(), draw, replacement))


@given(st.randoms(use_true_random=False), JSON)
@MANY
def test_run_records(draw: random.Random, replacement: object) -> None:
    """A run record with one entry changed."""
    with suppress(FreezebenchError):
        RunRecord.from_json(_damaged(_RECORD.to_json(), draw, replacement))


@given(JSON)
@MANY
def test_readings(value: object) -> None:
    """A measured value is a finite number."""
    with suppress(FreezebenchError):
        reading = Reading.from_json(value if isinstance(value, dict) else {"value": value})
        assert reading.value is None or math.isfinite(reading.value)


@given(st.randoms(use_true_random=False), JSON)
@MANY
def test_saved_benchmarks(draw: random.Random, replacement: object) -> None:
    """A file of pytest-benchmark with one entry changed."""
    with suppress(FreezebenchError):
        from_info(_damaged(_INFO, draw, replacement), "test_it")


@given(st.randoms(use_true_random=False), JSON)
@MANY
def test_saved_reports(tmp_path: Path, draw: random.Random, replacement: object) -> None:
    """A report.json with one entry changed."""
    report = {"schema": 1, "experiments": [{"settings": {}, "rows": [], "lines": [], "runs": [_RECORD.to_json()]}]}
    path = tmp_path / "report.json"
    path.write_text(json.dumps(_damaged(report, draw, replacement)), encoding="utf-8")
    with suppress(FreezebenchError):
        read_experiments(path)


_LINES = [
    b'{"text": "a good film", "label": 1}',
    b'{"text": "a bad film", "label": 0}',
    b"text,label",
    b"fine,1",
    b"dull,0",
    b"text\tlabel",
    b"label;text",
    b'"fine,1',
    b'1;"dull\r',
    b'0;dull";',
    b"\xe2\x80\x8b,-1,,",
    b'{"text": "\\u200b", "label": "-"}',
    b'[{"text": "a film", "label": NaN},',
]
_FILES = st.lists(st.sampled_from(_LINES) | st.binary(max_size=12), max_size=8).map(b"\n".join)


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "tsv", "parquet"])
@given(train=_FILES, test=_FILES, policy=st.sampled_from(["error", "drop"]))
@hypothesis_settings(MANY, max_examples=max(20, EXAMPLES // 5))
def test_data_files(tmp_path: Path, suffix: str, train: bytes, test: bytes, policy: BadRowPolicy) -> None:
    """Files of every format, valid, mixed or binary."""
    for split, content in (("train", train), ("validation", train), ("test", test)):
        (tmp_path / f"{split}.{suffix}").write_bytes(content)
    with suppress(FreezebenchError):
        load_data(DataSpec(source=str(tmp_path), bad_rows=policy))
