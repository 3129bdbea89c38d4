"""Data as people have them: each fault ends with file, line and exit code 4, or is left out, counted and reported."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import tiny

Project = Callable[..., pytest.Pytester]

TEXTS = ("dull film", "bright film", "cold and empty", "warm and clever", "a chore to watch", "a joy to watch")


def _rows(pattern: str, num: int = 60) -> list[str]:
    return [pattern.format(text=f"{TEXTS[row % 6]} number {row}", label=row % 2) for row in range(num)]


def _replaced(rows: list[str], changes: dict[int, str]) -> str:
    """Return lines of which some are others; the first row has number 1."""
    return "".join(f"{changes.get(number, row)}\n" for number, row in enumerate(rows, start=1))


def _objects(labels: list[object]) -> str:
    rows = ({"text": f"{TEXTS[row % 6]} number {row}", "label": labels[row % len(labels)]} for row in range(60))
    return "".join(json.dumps(row) + "\n" for row in rows)


_CSV, _TSV = _rows("{text},{label}"), _rows("{text}\t{label}")
_NAMED = [f"{row[:-1]}{('neutral', 'entailment', 'contradiction')[number % 3]}" for number, row in enumerate(_CSV)]
_JSONL = _rows('{{"text": "{text}", "label": {label}}}')
DROP = "or leave * out with --freeze-bad-rows=drop."

# Name and content of a file, and the message.
REFUSED = {
    "unbalanced quotes": (
        "a.csv",
        "label,text\n" + _replaced(_rows("{label},{text}"), {4: '1,"the film was bright', 10: '0,dull cast"'}),
        "a.csv, line 5: the quote that opens a value here closes on line 11, a later row; *" + DROP,
    ),
    "withheld labels": (
        "a.csv",
        "text,label\n" + _replaced(_NAMED, {8: "x,-", 24: "x,-", 42: "x,-"}),
        "a.csv, line 9: the label is missing: '-' is none of the classes; line 25: *; line 43: * 3 of 60 rows *" + DROP,
    ),
    "missing labels": (
        "a.jsonl",
        _replaced(_JSONL, {5: '{"text": "x", "label": null}', 31: '{"text": "x", "label": NaN}'}),
        "a.jsonl, line 5: the label is missing; line 31: the label is missing. 2 of 60 rows cannot be used: *" + DROP,
    ),
    "an invisible text": (
        "a.jsonl",
        _replaced(_JSONL, {12: '{"text": "\\u200b", "label": 1}'}),
        "a.jsonl, line 12: the text in column 'text' has no visible character. *" + DROP,
    ),
    "what pandas writes": (
        "a.json",
        json.dumps({"text": {"0": "x", "1": "y"}, "label": {"0": 0, "1": 1}}),
        'a.json is an object of objects, as pandas writes with orient=columns *orient="records"*',
    ),
}

# Name and content of a file, further options, the number of classes.
READ = {
    "leading zeros": ("a.jsonl", _objects(["007", "7", "10", "010"]), [], 4),
    "numbers in quotes": ("a.jsonl", _objects(["1.1", "1.2"]), [], 2),
    "unquoted tabs": ("a.tsv", "text\tlabel\n" + _replaced(_TSV, {6: '"a joy to watch\t1'}), [], 2),
    "semicolons": ("a.csv", "text;label\n" + _replaced(_rows("{text};{label}"), {}), [], 2),
    "empty headers": (
        "a.csv",
        "v1,v2,,,\n" + _replaced(_rows("{label},{text},,,"), {}),
        ["--freeze-text-column=v2", "--freeze-label-column=v1"],
        2,
    ),
    "a long value": ("a.csv", "text,label\n" + _replaced(_CSV, {3: "x" * 140_000 + ",0"}), [], 2),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_rows_end_the_session(project: Project, name: str) -> None:
    """Before a model is loaded, every bad row is named by file and line."""
    file, content, message = REFUSED[name]
    session = project()
    (session.path / file).write_text(content, encoding="utf-8")
    result = session.runpytest_inprocess(f"--freeze-data={file}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


@pytest.mark.parametrize("name", READ)
def test_no_row_disappears_and_no_class_merges(project: Project, name: str) -> None:
    """The plan has all 60 sentences and all classes."""
    file, content, options, num_classes = READ[name]
    session = project()
    (session.path / file).write_text(content, encoding="utf-8")
    result = session.runpytest_inprocess(f"--freeze-data={file}", "--freeze-plan", *options)
    assert result.ret == 0
    sizes = f"freezebench: 48 training, 6 validation and 6 test sentences of {num_classes} classes (*)"
    result.stdout.fnmatch_lines([sizes])


@pytest.mark.usefixtures("without_matplotlib")
@pytest.mark.parametrize("source", ["flag", "marker"])
def test_dropped_rows_are_counted_in_summary_and_report(project: Project, tiny_data: Path, source: str) -> None:
    """A session and a test may ask for it; a line says how many and why, and the record has the counts."""
    session = project("bad_rows='drop'" if source == "marker" else "")
    data = shutil.copytree(tiny_data, session.path / "data")
    bad = ('{"text": "film"}', '{"text": "film", "label"', '{"text": " ", "label": 0}', '{"text": null, "label": 1}')
    with (data / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n".join(bad))
    options = ["--freeze-data=data", "--freeze-grid=none", "--freeze-num-seeds=1", "--freeze-report=report"]
    result = session.runpytest_inprocess(*options, *(["--freeze-bad-rows=drop"] if source == "flag" else []))
    assert result.ret == 0
    counts = "1 without a label, 2 without a text, 1 not readable as a row"
    result.stdout.fnmatch_lines(
        [f"Bad rows: 4 of 52 rows of data/train.jsonl were left out (--freeze-bad-rows=drop): {counts}."]
    )
    report = json.loads((session.path / "report" / "report.json").read_text(encoding="utf-8"))
    experiment = report["experiments"][0]
    assert experiment["settings"]["data"]["bad_rows"] == "drop"
    facts = experiment["configurations"][0]["runs"][0]["data"]
    assert facts["dropped_rows"] == {"train": {"no_label": 1, "no_text": 2, "unreadable": 1}}
    assert facts["num_train"] == 48


@pytest.mark.parametrize("engine", ["standard", "cached"])
def test_a_text_without_tokens_ends_the_session(
    project: Project, tiny_model: Path, tiny_data: Path, engine: str
) -> None:
    """Both engines refuse it before training, by file and line."""
    session = project(f"engine={engine!r}")
    shutil.copytree(tiny_model, session.path / "model")
    tiny.write_letters_tokenizer(session.path / "model")
    data = shutil.copytree(tiny_data, session.path / "data")
    with (data / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"text": "2001", "label": 1}\n')
    result = session.runpytest_inprocess("--freeze-model=./model", "--freeze-data=data")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: data/train.jsonl, line 49: the text has no token in the model's tokenizer. *"])
