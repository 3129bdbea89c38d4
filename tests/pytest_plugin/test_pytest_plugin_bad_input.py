"""Each kind of bad input ends with its own sentence and exit code 4, before a model is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Project = Callable[..., pytest.Pytester]


def _rows(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


GOOD = _rows(*({"text": f"film number {number}", "label": number % 2} for number in range(8)))
NEW = {"text": "another film", "label": 0}

# What train.jsonl (or another split) holds, and the message.
DATA: dict[str, tuple[dict[str, str | bytes | None], str]] = {
    "an empty split": ({"test": ""}, "test.jsonl has no rows. Put at least one example in it*"),
    "one class": (
        {"train": _rows(NEW, NEW)},
        "train.jsonl: every label * is 0. Add examples of another class, or set *.",
    ),
    "an unknown label": ({"test": _rows({**NEW, "label": 7}, NEW)}, "test.jsonl, line 1: label 7 never occurs in *"),
    "two kinds of labels": (
        {"train": _rows({**NEW, "label": "good"}, NEW)},
        "labels are of two kinds: *Use one *",
    ),
    "a label that is no number": ({"train": '{"text": "x", "label": NaN}\n' + GOOD}, "line 1: the label is missing. *"),
    "half a label": (
        {"train": _rows({**NEW, "label": 0.5}, NEW)},
        "line 1: sequence-classification * does not fit numbers with fractions as labels, such as 0.5. Use *",
    ),
    "no text": ({"train": _rows({**NEW, "text": None}, NEW)}, "line 1: the text in column 'text' is missing. *"),
    "an empty text": ({"train": _rows({**NEW, "text": ""}, NEW)}, "line 1: the text in column 'text' is empty. *"),
    "a number for a text": (
        {"train": _rows({**NEW, "text": 3}, NEW)},
        "line 1: the text * is not a string but *",
    ),
    "a list for a text": (
        {"train": _rows({**NEW, "text": ["x"]}, NEW)},
        "line 1: the text * is not a string but *",
    ),
    "another column": (
        {"train": _rows({"words": "x", "label": 1})},
        "train.jsonl has no column 'text': it has *",
    ),
    "Latin-1": ({"train": '{"text": "café", "label": 1}'.encode("latin-1")}, "line 1: byte 13 (0xe9) is not UTF-8. *"),
    "UTF-16": ({"train": GOOD.encode("utf-16")}, "line 1: byte 0 starts a UTF-16 file. Save the file as UTF-8."),
    "a NUL": ({"train": b'{"text": "a\x00b", "label": 1}\n'}, "line 1: byte 11 is NUL, so this is not a text file. *"),
    "half a line": ({"train": '{"text": "x", "la'}, "line 1: it is not JSON (*). Correct or remove the row, *"),
    "brackets without end": (
        {"train": "[" * 100_000},
        "train.jsonl: it is not usable JSON (*). Correct the file, or write one object per line (.jsonl).",
    ),
    "no train file": ({"train": None}, "data has no train file: it has *Put train, validation and test files in it*"),
}

# An option, its value, the message.
OPTIONS = [
    ("grid", "emb++L0", "--freeze-grid=emb++L0: cannot read '' in freeze spec*Write none, emb, L3, L0-3, head,*"),
    ("grid", "L9", "cannot freeze layer 9: * has layers 0 to 1. Choose from emb, L0 … L1, head."),
    ("grid", "L1-0", "--freeze-grid=L1-0: * runs backwards. Write L0-1."),
    ("grid", "none+emb", "--freeze-grid=none+emb: *"),
    ("grid", "", "--freeze-grid=: freeze grid '' has an empty entry. Write 'all', 'search', 'strategies', or a list*"),
    ("lr", "nan", "--freeze-lr=nan: 'nan' in 'nan' is not a finite number. Give a finite one."),
    (
        "margin",
        "inf",
        "--freeze-margin=inf: give a number above 0, in percentage points or in the unit of a metric*",
    ),
    (
        "max-drop",
        "-3",
        "--freeze-max-drop=-3: give a number above 0, in percentage points or in the unit of a metric*",
    ),
    ("epochs", "0", "--freeze-epochs=0: give the number of epochs, a whole number from 1 to *"),
    ("num-seeds", "0", "--freeze-num-seeds=0: give the number of seeds, from 1 to *"),
    ("max-length", "1", "--freeze-max-length=1: give the longest input in tokens, a whole number from 4 to 1,000,000."),
    ("timeout", "-1s", "--freeze-timeout=-1s: give a duration above 0 with its unit, such as 90s, 30min or 2h."),
    ("isolate", "fork", "--freeze-isolate=fork: choose from worker, run, none."),
    ("device", "cuda:7", "cannot use device cuda:7: torch * finds no CUDA device. Use cpu. If*"),
    ("data", "./nowhere", "there is no file or folder './nowhere' (looked in *). Give a folder with train, *"),
    ("data", "nowhere", "cannot load the data set 'nowhere': it is not a folder here, not in the local cache, and*"),
    ("data", "file", "cannot read file: a name without ending is not a known format. Give one of .jsonl, *"),
    ("data", "a" * 5000, "cannot look up 'aaa*"),
    ("model", "nowhere", "*nowhere*"),
    ("model", "./nowhere", "cannot load the model './nowhere': there is no such folder (seen from *). Give a *"),
    ("model", "./file", "cannot load the model './file': it is a file. Give the checkpoint folder that it is in."),
    ("model", ".", "cannot load the model '.': * has no config.json. Give the folder that save_pretrained wrote *"),
    ("model", "nomodule:make", "cannot load the model 'nomodule:make': there is no module 'nomodule' to import. *"),
    ("report", "file", "--freeze-report=file: cannot write there (it is no folder). Name another folder."),
    ("store", "file", "--freeze-store=file: cannot write there (it is no folder). Name another folder."),
]


@pytest.mark.parametrize("name", DATA)
def test_bad_data(project: Project, name: str) -> None:
    """The message names the file, the line, what is wrong and what to do."""
    files, message = DATA[name]
    session = project()
    folder = session.path / "data"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        content = files.get(split, GOOD)
        if content is not None:
            path = folder / f"{split}.jsonl"
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = session.runpytest_inprocess("--freeze-data=data")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *{message.replace('[', '[[]')}"])


@pytest.mark.parametrize(("option", "value", "message"), OPTIONS, ids=lambda text: text[:20])
def test_bad_options(project: Project, option: str, value: str, message: str) -> None:
    """The message names the option, its value, what is true and what to do."""
    session = project()
    (session.path / "file").write_text("x", encoding="utf-8")
    result = session.runpytest_inprocess(f"--freeze-{option}={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message.replace('[', '[[]')}"])


def test_sentences_in_both_train_and_test_are_counted(project: Project) -> None:
    """Leakage is no error, since published data sets have it; the summary counts it."""
    session = project("max_drop=90, grid='none', num_seeds=1")
    folder = session.path / "data"
    folder.mkdir()
    words = [
        {"text": text, "label": label} for text, label in (("bright film", 1), ("dull film", 0)) for _ in range(12)
    ]
    unique = [{**row, "text": f"{row['text']} {'the ' * number}"} for number, row in enumerate(words)]
    for split, rows in (("train", unique), ("validation", unique[:4]), ("test", [*unique[:3], *unique[-3:]])):
        (folder / f"{split}.jsonl").write_text(_rows(*rows), encoding="utf-8")
    result = session.runpytest_inprocess("--freeze-data=data", "--freeze-lr=1e-2")
    result.stdout.fnmatch_lines(["*6 of 6 * also occur in train*"])


@pytest.mark.usefixtures("without_matplotlib")
def test_hostile_text_is_shown_as_text(project: Project, tmp_path: Path) -> None:
    """The page escapes the names of classes."""
    session = project("max_drop=90, grid='none', num_seeds=1")
    folder = session.path / "data"
    folder.mkdir()
    hostile = "<script>alert(1)</script>"
    for split in ("train", "validation", "test"):
        rows = [
            {"text": f"{split} {word} {number}", "label": label}
            for number in range(6)
            for word, label in (("bright", hostile), ("dull", "b"))
        ]
        (folder / f"{split}.jsonl").write_text(_rows(*rows), encoding="utf-8")
    session.runpytest_inprocess("--freeze-data=data", f"--freeze-report={tmp_path / 'report'}")
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert hostile not in page
    assert "&lt;script&gt;alert(1)" in page
