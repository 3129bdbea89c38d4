"""The page of messages: made from the source, complete, and with what to do."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from docs.messages.modules import Module
from docs.messages.sites import Message, MessageSites
from docs.messages.tables import ADVICE, BREAK, TABLES, advice, causes, messages_table, sites, split, table_of
from docs.messages.templates import TemplateReader
from docs.tables import on_page_markdown
from freezebench.config.metric_limits import check_points
from freezebench.data.read import read_tables
from freezebench.errors import FreezebenchError
from freezebench.records.run_record import InvalidCause
from freezebench.records.saved_files import read_saved_run
from freezebench.specs.data import DataSpec
from freezebench.specs.grid import parse_grid
from freezebench.verdicts.noninferiority import noninferiority
from snippets import ROOT

PAGE = ROOT / "docs/reference/messages.md"
ERRORS = "class FreezebenchError(Exception): ...\nclass DataError(FreezebenchError, ValueError): ...\n"


def problems(source: str) -> list[str]:
    """Return what is wrong with the messages of a module."""
    return MessageSites({"errors": Module("errors", ERRORS), "new": Module("new", source)}).problems()[:1]


def templates(source: str) -> list[str]:
    """Return the templates of the text that the last statement of a source has."""
    module = Module("new", source)
    calls = [node for node in module.of_type(ast.Call) if ast.unparse(node.func) == "DataError"]
    return TemplateReader({"new": module}).templates(calls[-1].args[0], module)


def test_every_message_can_be_read_from_the_source() -> None:
    """A new ``raise`` has an f-string in its place, or an error that the package catches."""
    assert sites().problems() == []


def test_every_message_says_what_to_do() -> None:
    """In its last sentence, or in the table of advice on messages that cannot say it."""
    assert [message for message in sites().messages if not advice(message)[0]] == []


def test_no_advice_is_out_of_date() -> None:
    """What the tables say in place of a message is used, and every cause of an invalid run has advice."""
    used = {advice(message)[1] for message in sites().messages}
    assert set(ADVICE) - used == set()
    assert set(causes()) >= set(get_args(InvalidCause))


def test_every_table_is_on_the_page() -> None:
    """Under a heading with an anchor of its own, which links and bookmarks name."""
    text = PAGE.read_text(encoding="utf-8")
    anchors = re.findall(r"^## .* \{ #(\w+) \}$", text, re.MULTILINE)
    assert sorted(anchors) == TABLES
    assert re.findall(r"<!-- table: messages-(\w+) -->", text) == anchors
    assert {table_of(message) for message in sites().messages} == set(TABLES)
    shown = on_page_markdown(text)
    assert shown.count("<!-- end of table -->") == len(TABLES)
    assert shown.count("\n| --- | --- |\n") == len(TABLES) + 1


@pytest.mark.parametrize(
    ("words", "table"),
    [
        ("cannot freeze layer", "grids"),
        ("is a web page, not data", "data"),
        ("there is no file or folder", "data"),
        ("accepted its terms", "models"),
        ("finds no CUDA device", "devices"),
        ("its checksum does not match", "records"),
        ("out of memory on", "runs"),
        ("freeze tests have no result", "sessions"),
        ("only the unfrozen baseline was selected", "sessions"),
        ("no candidate has a conclusive verdict", "sessions"),
        ("does not offer RAPL", "figures"),
        ("nothing is cached", "warnings"),
        ("freeze tests cannot run under pytest-xdist", "options"),
    ],
)
def test_people_find_what_they_search_for(words: str, table: str) -> None:
    """The words of a message that are not values stand on the page as they were shown."""
    rows = [row for row in messages_table(table).splitlines() if words in row]
    assert rows
    assert all(re.fullmatch(r"\| .+ \| .+ \|", row) for row in rows)


def test_names_can_be_searched_for_in_the_files() -> None:
    """Options, variables and functions stand there as a person types them; on the site, long ones may be broken."""
    text = PAGE.read_text(encoding="utf-8")
    for words in ("--freeze-num-seeds=3", "CUDA_VISIBLE_DEVICES", "save_pretrained", "(--freeze-task)", "emb+L0-3."):
        assert words in text
    assert "CUDA_<wbr>VISIBLE_<wbr>DEVICES" in on_page_markdown(text)
    options = (ROOT / "docs/reference/options.md").read_text(encoding="utf-8")
    assert not re.search("[\N{NON-BREAKING HYPHEN}\N{ZERO WIDTH SPACE}]|<wbr>|&#(40|41|43|45);", text + options)


def test_no_word_of_a_table_is_longer_than_a_column() -> None:
    """On a phone, a column is about 30 characters wide: longer words may be broken at signs of code."""
    for table in TABLES:
        for word in re.sub(r"</?var>|\]\([^)]*\)", "", messages_table(table).replace("<br>", " ")).split():
            parts = re.split(rf"{BREAK}|[-/](?=[a-z])", re.sub(r"&#\d+;|&\w+;", "x", word))
            assert max(map(len, parts)) <= 24, word


def test_shown_messages_are_those_of_the_page() -> None:
    """Errors that really occur are templates of the page with values in place of names."""
    shown = []
    for cause in (
        lambda: parse_grid("emb+L0-7", 6, "distilbert-base-uncased"),
        lambda: parse_grid("L5-2", 6),
        lambda: read_tables(DataSpec(source="/no/such/file.csv")),
        lambda: check_points(0.02, "--freeze-margin"),
        lambda: noninferiority([[True]], [[True, False]], margin_pp=2.0),
        lambda: read_saved_run(Path("/no/such/file.json")),
    ):
        with pytest.raises(FreezebenchError) as caught:
            cause()
        shown.append(str(caught.value))
    patterns = [re.escape(message.text).replace("⟨", "\0").replace("⟩", "\0") for message in sites().messages]
    for text in shown:
        assert any(re.fullmatch(re.sub("\0[^\0]*\0", ".*", pattern), text) for pattern in patterns), text


def test_advice_is_split_off() -> None:
    """It begins with an imperative, after a full stop, a colon or a semicolon."""
    assert split("cannot read ⟨path⟩. Check the path.") == ("cannot read ⟨path⟩.", "Check the path.")
    assert split("the limit is ⟨x⟩: give a ratio.") == ("the limit is ⟨x⟩", "Give a ratio.")
    assert split("no access. If you trust it, convert it.") == ("no access.", "If you trust it, convert it.")
    assert split("choose yes or no.") == ("", "Choose yes or no.")
    assert split("it has no rows.") == ("it has no rows.", "")
    assert split("the run was set aside. It is trained again.")[1] == ""


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("data.read", "⟨path⟩ has no rows."),
        ("data.read", "⟨path⟩ has no rows"),
        # A whole sentence has no advice of its module: only reasons have, which a longer message quotes.
        ("records.store", "⟨path⟩ has no rows."),
    ],
)
def test_a_message_without_advice_is_noticed(module: str, text: str) -> None:
    """Whether or not it is a whole sentence, unless its module gives reasons that another message completes."""
    assert advice(Message(module=module, line=1, kind="DataError", text=text)) == ("", "")
    reason = Message(module="records.store", line=1, kind="DataError", text="it has no rows")
    assert advice(reason) == (ADVICE["records.store"], "records.store")


def test_texts_are_put_together() -> None:
    """From constants, variables, conditions, functions and what callers give."""
    assert templates('N = 3\nraise DataError(f"at most {N} of {len(rows)}")') == ["at most 3 of ⟨number⟩"]
    assert templates("def f(a):\n    x = 'one' if a else 'two'\n    raise DataError(f'{x}: {a.b!r}')") == [
        "one: ⟨b⟩",
        "two: ⟨b⟩",
    ]
    assert templates("def g(why):\n    return DataError(why + '.')\ng('late')\ng('early')") == ["late.", "early."]
    assert templates("def h():\n    return 'Stop'\ndef f():\n    raise DataError(f'{path}: {error}. {h()}.')") == [
        "⟨path⟩: ⟨reason⟩. Stop."
    ]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("raise DataError(text)", "new:1: the text of DataError cannot be read"),
        ("raise DataError", "new:1: DataError is neither a message nor caught"),
        ("raise DataError(f'{a}: {b}')", "new:1: the text of DataError cannot be read"),
        ("raise ValueError('unknown')", "new:1: ValueError('unknown') is neither a message nor caught"),
        ("class OddError(Exception): ...\nraise OddError('x')", "new:2: OddError('x') is neither a message nor caught"),
        ("raise make(1)", "new:1: make(1) is neither a message nor caught"),
    ],
)
def test_what_cannot_be_listed_is_reported(source: str, problem: str) -> None:
    """So that no message escapes the page."""
    assert problems(source)[0].startswith(problem)


@pytest.mark.parametrize(
    "source",
    [
        "raise DataError(f'{path} is empty. Give another file.')",
        "def make():\n    return DataError('it is empty')\nraise make()",
        "try:\n    raise ValueError('x')\nexcept ValueError as error:\n    raise DataError(f'bad: {error}') from error",
        "class OddError(Exception): ...\ntry:\n    raise OddError('x')\nexcept OddError: ...",
        "try: ...\nexcept DataError as error:\n    raise DataError(f'{path}: {error}') from error",
    ],
)
def test_what_can_be_listed_is_not_reported(source: str) -> None:
    """Messages, functions that make them, errors that are caught, and errors that get more words."""
    assert [problem for problem in problems(source) if problem.startswith("new")] == []
