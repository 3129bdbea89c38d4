"""Parsers with arbitrary input: each returns a value or raises an error of its own, in bounded time and memory.

``FREEZEBENCH_FUZZ_EXAMPLES=100000`` sets the number of inputs per parser; the default is 200. A failure names the
number of its input, and the test of that parser makes the same inputs again.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, get_args

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
import torch
from safetensors.torch import save

import made_up
from freezebench.config.option import Option
from freezebench.config.options import OPTIONS
from freezebench.config.parsers import parse_duration, parse_size
from freezebench.data.formats import read_table
from freezebench.data.load import load_data
from freezebench.errors import FreezebenchError
from freezebench.executors.requests import UnknownLineError, decode_line, encode_event
from freezebench.meters.stream import _decoded
from freezebench.models.checkpoint import check_folder, depth_of, label_names_of, read_config
from freezebench.models.weight_files import tensors_of
from freezebench.records.consistency import read_record
from freezebench.records.events import StepRecord, TrainingStarted
from freezebench.records.file_set import finish_replacement
from freezebench.records.packed import groups_of, packed, repeats_of, unpacked
from freezebench.records.reading import Reading
from freezebench.records.saved import from_records
from freezebench.records.saved_files import read_saved_run
from freezebench.records.saved_info import from_info, to_info
from freezebench.records.store import decode, encode
from freezebench.report.experiment import read_experiments
from freezebench.scoring.metrics import METRICS
from freezebench.session import FreezeSession
from freezebench.specs.data import BadRowPolicy, DataSpec
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.grid import PerSpec, parse_grid
from freezebench.specs.interim_looks import InterimLooks
from freezebench.specs.names import TaskName
from freezebench.specs.node_ids import function_of
from freezebench.specs.run import RunSpec
from full_record import full_record, signed
from fuzzed import NUMBER_BITS, SPEC_BITS, bounded, changed_bytes, changed_json, drawer, value, words

EXAMPLES = int(os.environ.get("FREEZEBENCH_FUZZ_EXAMPLES", "200"))
_EVERY = 20  # whole data sets take longer than single files

_RECORD = json.dumps(full_record())
_SPEC = json.dumps(made_up.record("emb").spec.to_json())
_INFO = to_info(from_records("emb", [made_up.record("emb", seed, num_test=8) for seed in (42, 43)], node_id="test_it"))
_INFO_TEXT = json.dumps({**_INFO, "test_repeats": [[3, 1]]})
_OTHER_METRIC = from_records("emb", [made_up.record("emb", 42, num_test=8)], metric=METRICS["macro-f1"])
_OTHER_TEXT = json.dumps(to_info(replace(_OTHER_METRIC, test_sets={"tweets": "ab"}, too_few="2 of class b")))
_BENCHMARKS = json.dumps({"datetime": "2026", "benchmarks": [{"fullname": "t", "extra_info": {"freezebench": _INFO}}]})
_REPORT = (Path(__file__).parent / "fixtures" / "v0.1" / "report.json").read_text(encoding="utf-8")
_CONFIG = json.dumps(
    {
        "model_type": "bert",
        "num_hidden_layers": 2,
        "architectures": ["B"],
        "id2label": {"0": "a", "1": "b"},
        "vocab_size": 9,
    }
)
_PLAN = json.dumps({"main_file": "index.html", "new": ["pictures/a.svg"], "old": ["index.html"]})
_ROWS = [("a good film", 1), ("a bad film", 0), ("plain", 1), ('it is "fine", so', 0)] * 3
_TABLE = pa.table({"text": [text for text, _ in _ROWS], "label": [label for _, label in _ROWS]})


def _small_report() -> str:
    """Return a report of one experiment with one configuration of one run."""
    report = json.loads(_REPORT)
    experiment = report["experiments"][0]
    experiment["configurations"] = experiment["configurations"][:1]
    experiment["configurations"][0]["runs"] = [made_up.record(num_test=4).to_json()]
    return json.dumps({**report, "experiments": [experiment]})


def _arrow(compression: str | None = None) -> bytes:
    file = io.BytesIO()
    with pa.ipc.new_stream(file, _TABLE.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as stream:
        stream.write_table(_TABLE)
    return file.getvalue()


def _parquet(**options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(_TABLE, file, **options)
    return file.getvalue()


_JSONL = "\n".join(json.dumps({"text": text, "label": label}) for text, label in _ROWS).encode()
_CSV = b"text,label\n" + b"".join(b'"%s",%d\n' % (text.replace('"', '""').encode(), label) for text, label in _ROWS)
SOUND = {
    "csv": [_CSV, b"label;text\r\n1;fine\r\n0;dull\r\n", b"v1,v2,,,\nham,hello,,,\nspam,win,,,\n"],
    "tsv": [b"sentence\tlabel\n" + b"".join(b"%s\t%d\n" % (text.encode(), label) for text, label in _ROWS)],
    "json": [b"[" + _JSONL.replace(b"\n", b",") + b"]", b'{"text": ["a", "b"], "label": [0, 1]}', _JSONL],
    "jsonl": [_JSONL, b'{"text": "\\u200b", "label": "-"}\n{"text": "a", "label": -1}'],
    "parquet": [_parquet(), _parquet(compression="zstd"), _parquet(use_dictionary=False, compression="gzip")],
    "arrow": [_arrow(), _arrow("zstd")],
    "conll": [b"-DOCSTART- -X- O\n\nAda NNP B-PER\nsings VBZ O\n\n# id 3\n# NN O\n", b"a\tO\n\nb\tB-X\n" * 3],
}  # fmt: skip
# Rows of the other tasks: several labels, and tags of words.
_SEVERAL = "\n".join(
    json.dumps({"text": f"t {number}", "label": ["a", "b", "c"][: number % 4]}) for number in range(20)
)
_TAGGED = "\n".join(
    json.dumps({"tokens": ["Ada", "sings"][: 1 + number % 2], "tags": ["B-PER", "O"][: 1 + number % 2]})
    for number in range(20)
)


@dataclass(frozen=True)
class Parser:
    """One parser: makes an input from chance and parses it; ``folder`` is empty at the beginning."""

    parse: Callable[[Random, Path], object]
    errors: tuple[type[Exception], ...] = (FreezebenchError,)


def _table(suffix: str) -> Parser:
    def parse(draw: Random, folder: Path) -> None:
        path = folder / f"train.{suffix}"
        path.write_bytes(changed_bytes(draw, SOUND[suffix]))
        policy: BadRowPolicy = draw.choice(["error", "drop"])
        if draw.randrange(_EVERY) == 0:
            if suffix == "arrow":
                (folder / "state.json").write_text('{"_data_files": [{"filename": "train.arrow"}]}', encoding="utf-8")
            load_data(DataSpec(source=str(folder if suffix == "arrow" else path), bad_rows=policy))
        else:
            read_table(path, ("text", "label", "tokens", "tags"))

    return Parser(parse)


def _rows(sound: str) -> Parser:
    """Return the parser of rows, one of which is changed, or whose bytes are."""
    lines = sound.split("\n")

    def parse(draw: Random, folder: Path) -> None:
        path = folder / "train.jsonl"
        if draw.random() < 0.7:
            row = draw.randrange(len(lines))
            changed = json.dumps(changed_json(draw, lines[row]))
            path.write_text("\n".join([*lines[:row], changed, *lines[row + 1 :]]), encoding="utf-8")
        else:
            path.write_bytes(changed_bytes(draw, [sound.encode()]))
        load_data(
            DataSpec(
                source=str(path), bad_rows=draw.choice(["error", "drop"]), task=draw.choice((None, *get_args(TaskName)))
            )
        )

    return Parser(parse)


def _file(name: str, sound: str, read: Callable[[Path], object]) -> Parser:
    """Return the parser of a JSON file, whose values or bytes are changed."""

    def parse(draw: Random, folder: Path) -> None:
        path = folder / name
        if draw.random() < 0.7:
            path.write_text(json.dumps(changed_json(draw, sound)), encoding="utf-8")
        else:
            path.write_bytes(changed_bytes(draw, [sound.encode()]))
        read(path)

    return Parser(parse)


def _freeze_spec(draw: Random, _: Path) -> None:
    spec = FreezeSpec.parse(words(draw, SPEC_BITS))
    assert FreezeSpec.parse(str(spec)) == spec


def _long_spec(draw: Random, _: Path) -> None:
    """Read 10 kB, whose brackets may be nested as deep."""
    text = (words(draw, SPEC_BITS) + draw.choice(["(", ")", "+", "a", "=,"])) * 10_000
    FreezeSpec.parse(draw.choice(["", "lora("]) + text[:10_000] + draw.choice(["", ")"]))


def _grid(draw: Random, _: Path) -> None:
    grid = parse_grid(words(draw, SPEC_BITS), draw.randint(-1, 40), "model")
    assert len(set(map(str, grid))) == len(grid)


def _marker(draw: Random, _: Path) -> None:
    option: Option = draw.choice(OPTIONS)
    option.parse(words(draw) if draw.random() < 0.5 else value(draw), "somewhere")


def _settings(draw: Random, _: Path) -> None:
    flags = {draw.choice(OPTIONS).name: words(draw) for _ in range(draw.randint(1, 3))}
    FreezeSession({**flags, "preset": "embedded"}, {}).options.settings({"num_layers": value(draw)})


def _reading(draw: Random, _: Path) -> None:
    sound = json.dumps(Reading(value=1.0, unit="s", source="clock").to_json())
    reading = Reading.from_json(changed_json(draw, sound))
    assert reading.value is None or math.isfinite(reading.value)


def _packed(draw: Random, _: Path) -> None:
    import numpy as np

    num_test = draw.choice([0, 1, 7, 8, 9, 200, -1, 2**40])
    text = packed(np.array([draw.random() < 0.5 for _ in range(draw.randint(0, 20))], dtype=np.bool_))
    unpacked(num_test, changed_bytes(draw, [text.encode()]).decode("latin-1"))


def _repeats(draw: Random, _: Path) -> None:
    num_test = draw.randint(0, 9)
    groups = groups_of(changed_json(draw, json.dumps(repeats_of([0, 0, 2, 2, 0]))), num_test)
    assert groups is None or len(groups) == num_test


def _store_file(draw: Random, _: Path) -> None:
    if draw.random() < 0.5:
        record = changed_json(draw, _RECORD)
        with suppress(ValueError):  # a value that the writer itself refuses
            decode(signed(record))
    else:
        decode(changed_bytes(draw, [encode(made_up.record(num_test=4))]))


def _event(draw: Random, _: Path) -> None:
    lines = [encode_event(TrainingStarted(epoch=1)), encode_event(StepRecord(step=1, epoch=1, num_steps=2, loss=0.5))]
    decode_line(changed_bytes(draw, [line.encode() for line in lines]))


def _config(path: Path) -> None:
    config = read_config(path.parent, "m")
    with suppress(FreezebenchError):
        depth_of(config, "m")
    label_names_of(config)
    check_folder(path.parent, "m")


def _weights(draw: Random, folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(changed_bytes(draw, [_WEIGHTS]))
    tensors_of(path, "m")


def _plan(path: Path) -> None:
    finish_replacement(path.parent.parent)
    assert sorted(entry.name for entry in path.parent.parent.iterdir()) == []


def _plan_parser() -> Parser:
    inner = _file("plan.json", _PLAN, _plan)

    def parse(draw: Random, folder: Path) -> None:
        pending = folder / draw.choice([".freezebench-pending", ".freezebench-undo"])
        pending.mkdir()
        inner.parse(draw, pending)

    return Parser(parse, (OSError,))


_WEIGHTS = save({"a": torch.zeros(2, 3), "b": torch.ones(4)})
PARSERS = {
    **{suffix: _table(suffix) for suffix in SOUND},
    "several labels": _rows(_SEVERAL),
    "tags of words": _rows(_TAGGED),
    "freeze specs": Parser(_freeze_spec),
    "long freeze specs": Parser(_long_spec),
    "grids": Parser(_grid),
    "numbers per configuration": Parser(lambda draw, _: PerSpec.parse(words(draw, SPEC_BITS + NUMBER_BITS))),
    "seed counts": Parser(lambda draw, _: InterimLooks.parse(words(draw, NUMBER_BITS))),
    "sizes": Parser(lambda draw, _: parse_size(words(draw, [*NUMBER_BITS, "MiB", "TiB", "B"]))),
    "durations": Parser(lambda draw, _: parse_duration(words(draw, [*NUMBER_BITS, "s", "h", "min"]))),
    "flags": Parser(lambda draw, _: draw.choice(OPTIONS).parse(words(draw), "somewhere")),
    "markers": Parser(_marker),
    "settings": Parser(_settings),
    "node ids": Parser(lambda draw, _: function_of(words(draw) + "::test_it[" + words(draw))),
    "run specs": Parser(lambda draw, _: RunSpec.from_json(changed_json(draw, _SPEC))),
    "records": Parser(lambda draw, _: read_record(changed_json(draw, _RECORD))),
    "readings": Parser(_reading),
    "packed outcomes": Parser(_packed),
    "repeated sentences": Parser(_repeats),
    "saved figures": Parser(lambda draw, _: from_info(changed_json(draw, _INFO_TEXT), "test_it")),
    "saved figures of another metric": Parser(lambda draw, _: from_info(changed_json(draw, _OTHER_TEXT), "test_it")),
    "saved benchmarks": _file("0001_a.json", _BENCHMARKS, read_saved_run),
    "saved reports": _file("report.json", _small_report(), read_saved_run),
    "shown reports": _file("report.json", _small_report(), read_experiments),
    "store files": Parser(_store_file),
    "plans of replacements": _plan_parser(),
    "lines of workers": Parser(_event, (UnknownLineError,)),
    "lines of samplers": Parser(lambda draw, _: _decoded(changed_bytes(draw, [b'["ready"]', b'["fatal", "x"]']))),
    "model configurations": _file("config.json", _CONFIG, _config),
    "model weights": Parser(_weights),
}  # fmt: skip


def _emptied(folder: Path) -> None:
    """Remove what the last input left."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.parametrize("name", PARSERS)
def test_any_input_gives_a_value_or_an_error_of_our_own(tmp_path: Path, name: str) -> None:
    """Whatever was changed, in bounded time and memory."""
    parser = PARSERS[name]
    for number in range(EXAMPLES):
        label = f"input {number} of {name}"
        with bounded(label):
            try:
                with suppress(*parser.errors):
                    parser.parse(drawer(name, number), tmp_path)
            except Exception as error:
                raise AssertionError(f"{label} ended in {error!r}") from error
        _emptied(tmp_path)
