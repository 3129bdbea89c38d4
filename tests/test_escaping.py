"""Every text from outside in every output: what escapes it, and what holds for the whole output."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import hostile
import made_up
import saved_runs
from freezebench.cli import main
from freezebench.config.session_settings import SessionSettings
from freezebench.errors import SettingsError
from freezebench.escaping import (
    csv_cell,
    html_text,
    json_text,
    markdown_code,
    markdown_text,
    shell_word,
    terminal_line,
    terminal_text,
    visible,
    yaml_text,
)
from freezebench.pytest_plugin.terminal import Terminal, fitted
from freezebench.records.events import RunFinished, RunReused, RunStarted, RunWaiting, SeedsFinished
from freezebench.report.comparison import comparison_lines
from freezebench.report.files import report_files
from freezebench.report.gate_text import gate_sentence
from freezebench.report.github import annotation_commands, step_summary
from freezebench.report.model_card import model_card
from freezebench.report.page.page import page
from freezebench.report.picture import Missing, Picture
from freezebench.report.plan import experiment_line, settings_lines
from freezebench.report.progress import Progress
from freezebench.report.saved_model import SavedModel
from freezebench.report.terminal_summary import closing_lines
from freezebench.verdicts.compare import compare
from hostile import HARMLESS, HOSTILE

MAX_PATH = 4000
# Marks of Markdown, HTML, CSV, logs and YAML between plain characters.
MARKS = "ab1 0.-+=*_~`[]()<>!|\\#:&;\"'$/{}^\n\t\r\x1b\u202e\u00a0w@,%?x"
EACH = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


class Reporter:
    """A stand-in for pytest's terminal reporter, which keeps what is written."""

    isatty = False

    def __init__(self) -> None:
        self.written = ""

    def write(self, text: str, **_: bool) -> None:
        """Write a piece of a line."""
        self.written += text

    def write_line(self, text: str, **_: bool) -> None:
        """Write a line."""
        self.written += f"{text}\n"

    def section(self, title: str, sep: str) -> None:
        """Write the title of a section."""
        self.written += f"{sep * 3} {title} {sep * 3}\n"

    def ensure_newline(self) -> None:
        """Do nothing: every line is whole."""

    def flush(self) -> None:
        """Do nothing: what is written is kept."""


def terminal() -> tuple[Terminal, Reporter]:
    """Return the terminal of a verbose session, and what is written to it."""
    reporter = Reporter()
    plugins = {"terminalreporter": reporter}
    config: Any = SimpleNamespace(
        pluginmanager=SimpleNamespace(get_plugin=plugins.get),
        option=SimpleNamespace(verbose=1),
        get_terminal_writer=lambda: SimpleNamespace(width_of_current_line=0),
    )
    return Terminal(config), reporter


def saved_model(text: str, experiment: Any) -> SavedModel:
    """Return the saved model of an experiment."""
    rows = experiment.rows
    record = rows[1].records[0]
    names: dict[str, Any] = {"model_name": text, "base_model": text, "class_name": text}
    return SavedModel(
        row=replace(rows[1], speedup=None, speedup_reason=text),
        baseline=rows[0],
        margin_pp=2.0,
        alpha=0.05,
        recorded=record,
        record=record,
        **names,
    )


@EACH
def test_files_of_a_report(text: str) -> None:
    """Structure of Markdown, cells of CSV, and JSON are those of a harmless name, with the name's visible form."""
    files, harmless = (
        report_files(
            [(hostile.settings(name), hostile.experiment(name).summary)],
            SessionSettings(),
            {hostile.settings(name): (name,)},
        )
        for name in (text, HARMLESS)
    )
    contents = {name: content.decode() for name, content in files.items()}
    hostile.check_markdown(contents["report.md"], harmless["report.md"].decode())
    hostile.check_csv(contents["report.csv"], {"model": visible(hostile.settings(text).model)})
    content = hostile.check_json(contents["report.json"])
    has_surrogates = any("\ud800" <= char <= "\udfff" for char in text)
    run = content["experiments"][0]["configurations"][0]["runs"][0]
    assert has_surrogates or run["device_name"] == text


@EACH
def test_page(text: str) -> None:
    """The page has the elements of the page of a harmless name, also where experiments are side by side."""

    def made(name: str) -> str:
        drawing = Picture(name="drop", title=name, caption=name, alt=name, svg="<svg/>", png=b"")
        shown = replace(hostile.experiment(name), source=name)
        return page([shown, shown], [[drawing, Missing(name="x", title=name, reason=name)]] * 2, [])

    hostile.check_html(made(text), made(HARMLESS))


@EACH
def test_terminal(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Summary, answers, progress, plan and comparison have no command and no invisible character, at any width."""
    experiment = hostile.experiment(text)
    record = experiment.rows[0].records[0]
    old = replace(saved_runs.configuration(), node_id=text, device_name=text, model=text)
    compared = compare(
        replace(saved_runs.saved(old), source=text, date=text),
        saved_runs.saved(saved_runs.configuration()),
        margin_pp=2,
    )
    for width in (40, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        shown, reporter = terminal()
        shown.summary(experiment.summary)
        shown.write(closing_lines([experiment.summary] * 2, width))
        progress = Progress(shown.progress, live=False, planned=[record.spec], label=text)
        broken = replace(made_up.broken("emb"), reason=text)
        seeds = SeedsFinished(num_ended=1, num_seeds=2, records={"none": (record,), "emb": (broken,)})
        for event in (
            RunStarted(spec=record.spec),
            RunWaiting(spec=record.spec, reason=text),
            RunFinished(record=broken),
            RunReused(record=record),
            seeds,
        ):
            progress.on_event(event)
        plan = [*settings_lines(hostile.settings(text)), experiment_line(hostile.settings(text), {"none", "emb"})]
        for line in fitted([*plan, *comparison_lines(compared, width=width), text]):
            reporter.write_line(line)
        hostile.check_terminal(reporter.written)


@EACH
def test_messages(text: str) -> None:
    """Errors and sentences of failed tests may be shown as they are; lines after the first are indented."""
    results = hostile.experiment(text).results
    for message in (
        str(SettingsError(f"{text}: no such file.")),
        str(SettingsError(text)),
        *map(gate_sentence, results),
    ):
        hostile.check_terminal(message)
        assert all(line.startswith(" ") for line in message.split("\n")[1:] if line)
        assert terminal_text(message) == message


@EACH
def test_github(text: str) -> None:
    """Annotations are single commands; the step summary has the structure of one of a harmless name."""
    # No path holds what the file system's encoding has not.
    path = text.replace("\0", "").replace("\ud83d", "")
    report: Any = SimpleNamespace(
        nodeid=text,
        location=(path, 3, text),
        when="call",
        failed=True,
        skipped=False,
        keywords={"freeze": 1},
        longreprtext=text,
        user_properties=[],
        longrepr=SimpleNamespace(reprcrash=SimpleNamespace(message=text)),
    )
    environment = {} if len(path) > MAX_PATH else {"GITHUB_WORKSPACE": path}
    commands = annotation_commands([report], Path(path), environment)
    hostile.check_annotations(commands)
    summaries = [
        step_summary([hostile.experiment(name).summary], [f"compared {name}", name], [name])
        for name in (text, HARMLESS)
    ]
    hostile.check_markdown(*summaries)


@EACH
def test_model_card(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The header has the same keys, and the text under it the same structure."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("freezebench.report.model_card._public_name", lambda source: source)
    hostile.check_card(*(model_card(saved_model(name, hostile.experiment(name))) for name in (text, HARMLESS)))


@EACH
def test_values_are_read_back(text: str) -> None:
    """JSON and YAML give the text itself back; lone surrogates, which they do not have, in their visible form."""
    expected = "".join(visible(char) if "\ud800" <= char <= "\udfff" else char for char in text)
    assert json.loads(json_text({"a": [text]})) == {"a": [expected]}
    assert json.loads(json_text({"a": [text]}, indent=1)) == {"a": [expected]}
    assert yaml.safe_load(yaml_text(text)) == expected


@EACH
def test_command_line(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the arguments and the files are, both streams are text for a terminal; bad input ends with 4."""
    old, new = (
        saved_runs.write(
            tmp_path / f"{name}.json",
            saved_runs.benchmark_json(replace(saved_runs.configuration(), device_name=text, model=text, node_id=text))
            | {"datetime": name},
        )
        for name in ("".join(char for char in text[:20] if char.isprintable() and char != "/"), "new")
    )
    assert main(["compare", str(old), str(new)]) == 0
    assert main(["compare", str(old), str(new), "--json"]) == 0
    assert main(["compare", text.replace("\0", "")[:200] or "x", str(new)]) == 4
    assert main(["compare", str(old), str(new), f"--margin={text}"]) == 4
    assert main([f"x{text}"]) == 4
    assert main(["compare", "a", "b", f"x{text}"]) == 4
    hostile.check_terminal("".join(capsys.readouterr()))


@given(st.text(st.sampled_from(MARKS), max_size=20).filter(lambda text: bool(visible(text).strip())))
def test_marks_in_any_order_stay_text(text: str) -> None:
    """In a heading, bold, a paragraph, a list and a table; as code; and in a log, JSON, YAML and CSV."""

    def written(name: str) -> str:
        shown = markdown_text(name)
        table = f"| a | {shown} |\n| --- | --- |\n| {shown} | b |"
        return f"## {shown}\n\n**{shown}**\n\n{shown}\n\n- {shown}\n\n{table}\n\nuse {markdown_code(name)} now\n"

    hostile.check_markdown(written(text), written(HARMLESS))
    line = terminal_line(text)
    hostile.check_terminal(line)
    assert terminal_line(line) == line
    assert json.loads(json_text([text])) == [text]
    assert yaml.safe_load(yaml_text(text)) == text
    assert not str(csv_cell(text)).lstrip().startswith(tuple("=+-@"))


def test_words_of_a_shell() -> None:
    """Bash reads every text back, byte by byte, and runs nothing."""
    texts = [text.replace("\0", "") for text in HOSTILE.values()]
    texts = [text for text in texts if "\ud83d" not in text] + ["caf\udce9"]
    words = " ".join(map(shell_word, texts))
    assert visible(words) == words
    read = subprocess.run(["bash", "-c", f"printf '%s\\0' {words}"], capture_output=True, check=True)  # noqa: S607
    assert read.stdout.split(b"\0")[:-1] == [text.encode("utf-8", "surrogateescape") for text in texts]


def test_forms() -> None:
    """One example of each form; letters of any script stay."""
    assert visible("a\nb\x1b[31m\u202e\ud800") == r"a\nb\x1b[31m\u202e\ud800"
    assert visible("模型/é×😀") == "模型/é×😀"
    assert terminal_line("  ::error::x") == r"  \x3a:error::x"
    assert terminal_line("t.py::test ##[group]") == r"t.py::test #\x23[group]"
    assert terminal_text("a\n::b\n  c\r\n") == "a\n  \\x3a:b\n  c\n"
    assert markdown_text("freeze_run of _a_ is < 1. See https://x") == r"freeze_run of \_a\_ is &lt; 1. See https\://x"
    assert [markdown_text(text) for text in ("-0.5", "- a", "1.5", "1. a")] == ["-0.5", r"\- a", "1.5", r"1\. a"]
    assert markdown_code("a`b``") == "``` a`b`` ```"
    assert html_text("<a\n\x1b") == "&lt;a\n\\x1b"
    assert [csv_cell(value) for value in ("=1", "-x", -0.5, None, True, "a-b")] == [
        "'=1",
        "'-x",
        -0.5,
        None,
        True,
        "a-b",
    ]
    assert shell_word("it's\x1b") == r"$'it\'s\x1b'"
