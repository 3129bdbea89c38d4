"""Texts that attack what they are written to, outputs made of them, and what must hold for each kind of output."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

import experiments
import made_up
import made_up_tasks
from freezebench.config.settings import Settings
from freezebench.records.data_facts import SetFacts
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.report.experiment import Experiment
from freezebench.report.summary import summarize
from freezebench.specs.data import DataSpec
from freezebench.verdicts.judge import ConfigurationResult, judge

HARMLESS = "a name"
HOSTILE = {
    "newline": "one\ntwo",
    "carriage return": "one\rtwo\r\nthree",
    "screen": "\x1b[2J\x1b[31mred\x1b[0m",
    "link of a terminal": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "right to left": "\u202egnp.exe",
    "direction marks": "\u061c\u200e\u200f\u2066x\u2069",
    "no width": "a\u200b\u200c\u200d\ufeffb",
    "zero byte": "a\0b",
    "C1": "a\x9b2Jb\x85c\x7f",
    "line separators": "a\u2028b\u2029c\x0bd\x0ce",
    "lone surrogates": "caf\udce9\ud83d",
    "noncharacters": "a\ufffeb\uffffc\U000e0001",
    "GitHub": "::error::x",
    "GitHub on its own line": "a\n  ::error file=x,line=1::y\n::stop-commands::z",
    "GitHub after wide blanks": "\u3000\u00a0::warning::x",
    "GitHub when wrapped": "word " * 30 + " ::error::x" * 9,
    "GitHub when broken": "x" * 61 + "::error::y" * 20,
    "GitHub, old": "##[error]x",
    "Azure": "a ##vso[task.setvariable variable=x]y",
    "TeamCity": "###teamcity[buildStop]",
    "formula": "=cmd|' /C calc'!A0",
    "formula with a plus": "+1+cmd",
    "formula with a minus": "-2+3",
    "formula with an at": "@SUM(1)",
    "formula after a tab": "\t=1",
    "wide formula": "＝1+1",  # noqa: RUF001
    "cells": "a|b\\|c\\",
    "backticks": "`a` ``` b",
    "link": "](javascript:alert(1)) [x](http://e.example) <http://e.example> ![i](x) https://e.example www.e.example",
    "reference": "[a][b] [b] [b]: http://e.example",
    "definition": "[b]: http://e.example 'x'",
    "check box": "[x] done",
    "footnote": "[^1] [^1]: x",
    "script": "<script>alert(1)</script>",
    "end of a script": "</script></style></title>--><!--",
    "attribute": "\" onload='alert(1)' x=\"",
    "entities": "&lt;b&gt; &#60; &amp",
    "formula of TeX": "$x$ $$\\frac{a}{b}$$ \\(x\\)",
    "template": "{{ 7*7 }} {% raw %} ${x} %s {0}",
    "rule": "---",
    "lists": "- a\n+ b\n1. c\n> d\n# e",
    "numbered": "1. a",
    "emphasis": "*a* **b** _c_ __d__ ~~e~~",
    "table": "a\n|-|\n|b|",
    "YAML": "a: [b, {c: !!python/object:os.system d}] # e\n...\n--- &x *y %z ? - 'q' \"r\"",
    "shell": "$(touch x) `touch y`; touch z & 'q' \"r\" \\ !",
    "long": "x" * 10_000,
    "emoji": "👩\u200d🔬 e\u0301 \u0600 模型 ﷽",
}

_VOID = {"br", "hr", "img", "meta"}
_OWN_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class _Elements(HTMLParser):
    """The elements of a page with the names of their attributes; each is closed in its turn."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.found: list[object] = []
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attrs]))
        self._open += [] if tag in _VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", data))

    def unknown_decl(self, data: str) -> None:
        self.found.append(("declaration", data))


def check_visible(text: str) -> None:
    """Check that every character can be seen, and that the text can be written to a file."""
    text.encode()
    assert [
        line for line in text.split("\n") if not re.sub(r"[\ue000-\uf8ff\u00a0\u3000]", " ", line).isprintable()
    ] == []


def check_terminal(text: str) -> None:
    """Check a terminal's text: nothing invisible but our own colours, and no line is a command of some service."""
    plain = _OWN_COLOURS.sub("", text)
    check_visible(plain)
    assert "##" not in plain
    assert [line for line in plain.split("\n") if line.strip().startswith("::")] == []


def check_annotations(lines: Iterable[str]) -> None:
    """Check that every line is a command of ours, and one only."""
    for line in lines:
        check_visible(line)
        assert "\n" not in line
        assert re.fullmatch(r"::(error|warning) (file=[^,:]*,)?(line=\d+,)?title=[^,:]*::.*", line)


def check_html(text: str, harmless: str) -> None:
    """Check that a page has the elements and attributes of the page of a harmless text."""
    check_visible(text)
    assert _Elements(text).found == _Elements(harmless).found


def check_markdown(text: str, harmless: str) -> None:
    """Check that Markdown has the structure of that of a harmless text, and no address that GitHub makes a link."""
    check_visible(text)
    assert _structure(text) == _structure(harmless)
    prose = re.sub(r"(?ms)^```.*?^```$|^    .*?$|(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"https?://|www\.", prose)


def _structure(text: str) -> list[object]:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return [_node(token) for token in parser.parse(text)]


def _node(token: Token) -> object:
    children = [_node(child) for child in token.children or () if child.type not in ("text", "text_special")]
    return (token.type, token.tag, token.info, children)


def check_csv(text: str, texts: dict[str, str]) -> None:
    """Check that no cell is a formula, and that those of some columns are the given texts."""
    check_visible(text.replace("\r\n", "\n"))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert rows
    for row in rows:
        assert None not in row
        for name, cell in row.items():
            assert not cell.lstrip().startswith(tuple("=@\t\r＝＋－＠"))  # noqa: RUF001
            if cell.startswith(("+", "-")):
                float(cell)
            if name in texts:
                assert cell.removeprefix("'") == texts[name]


def check_json(text: str) -> Any:
    """Check that JSON is strict and can be shown; return its content."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    check_visible(text)
    assert not re.search(r"(?<!\\)(\\\\)*\\ud[89a-f][0-9a-f]{2}(?!\\ud[c-f])(?<!\\ud[c-f][0-9a-f]{2})", text)
    content = json.loads(text, parse_constant=refuse)
    json.dumps(content, ensure_ascii=False).encode()
    return content


def check_card(text: str, harmless: str) -> None:
    """Check that a model card has a header of the same keys, and the structure of the card of a harmless text."""
    header, body = text.removeprefix("---\n").split("\n---\n")
    harmless_header, harmless_body = harmless.removeprefix("---\n").split("\n---\n")
    assert list(yaml.safe_load(header)) == list(yaml.safe_load(harmless_header))
    check_markdown(body, harmless_body)


def settings(text: str) -> Settings:
    """Return settings whose model and data have a name, which may be one that no option takes, as in a saved file."""
    made = experiments.settings()
    return replace(made, model=text, data=_data_spec(made.data, text), metric=text)


def _data_spec(spec: DataSpec, text: str) -> DataSpec:
    """Return a spec of data whose source and columns have a name."""
    return replace(spec, source=text, text_columns=(text,), slice_column=text, group_column=text)


def experiment(text: str) -> Experiment:
    """Return an experiment in which every name, message and version is a text."""
    requested = settings(text)
    arms = {freeze: [_record(run, text) for run in made_up.seeds(freeze)] for freeze in ("none", "emb", "emb+L0")}
    arms["emb+L0-1"] = [replace(made_up.broken("emb+L0-1"), reason=text, log=text)]
    results = [
        _divided(judge(freeze, runs, arms["none"], margin_pp=2.0, limit_pp=5.0), text) for freeze, runs in arms.items()
    ]
    results += [ConfigurationResult.not_run("head", left_out=text)]
    return Experiment.of(requested, summarize(results, requested), [f"{text}.py::test_it", f"t.py::test_it[{text}]"])


def _divided(result: ConfigurationResult, text: str) -> ConfigurationResult:
    """Return a result by a metric of this name, with classes, slices and test sets of this name."""
    if result.is_baseline or result.broken:
        return replace(result, metric=text)
    return replace(
        result,
        metric=text,
        classes=(made_up_tasks.subset("class", text, 5.0), made_up_tasks.subset("class", f"{text} 2", 0.0)),
        slices=(replace(made_up_tasks.subset("slice", text, None), reason=text),),
        test_sets=(made_up_tasks.subset("test set", text, 0.0, too_few=text),),
    )


def _record(run: RunRecord, text: str) -> RunRecord:
    data = run.data
    assert data is not None
    facts = replace(
        data,
        label_names=(text, f"{text} 2"),
        notes=(f"Leakage: {text}", text),
        splits=experiments.SPLITS,
        dropped_rows={text: {text: 2}},
        test_slices=(0,) * data.num_test,
        slice_names=(text,),
        test_groups=tuple(range(data.num_test)),
        test_sets=(SetFacts(name=text, source=text, num_test=1, test_sha256=text, test_labels=(0,), notes=(text,)),),
    )
    assert run.test is not None
    return replace(
        run,
        tests={text: replace(run.test, predictions=(0,))},
        spec=replace(run.spec, model=text, data=_data_spec(run.spec.data, text)),
        data=facts,
        device_name=text,
        started_at=text,
        devices=({"name": text},),
        warnings=(text,),
        environment={"torch": text, "source_sha256": text, "git": text},
        readings={**run.readings, "cpu_energy_j": Reading.not_measured("J", "powercap", text)},
    )
