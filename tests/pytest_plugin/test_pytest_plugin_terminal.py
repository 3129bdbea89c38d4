"""The terminal: its width, its colours, and lines that replace each other."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest._io import TerminalWriter

from experiments import settings
from freezebench.pytest_plugin.terminal import Terminal, terminal_width
from freezebench.report.summary import summarize
from freezebench.report.terminal_table import Line
from freezebench.verdicts.judge import judge
from made_up import record


class _Reporter:
    """The methods of pytest's reporter that are used, on a terminal or not."""

    def __init__(self, *, isatty: bool = True) -> None:
        self.isatty = isatty
        self.file = io.StringIO()
        self.tw = TerminalWriter(self.file)

    def write(self, text: str, **markup: bool) -> None:
        self.tw.write(text, **markup)

    def write_line(self, text: str) -> None:
        self.tw.line(text)

    def rewrite(self, text: str, *, erase: bool = False) -> None:
        self.tw.write(f"\r{text}{'<' if erase else ''}")

    def flush(self) -> None:
        self.tw.flush()

    def ensure_newline(self) -> None:
        self.tw.write("|")

    def section(self, title: str, sep: str) -> None:
        self.tw.sep(sep, title, fullwidth=80)

    @property
    def written(self) -> str:
        """All that was written."""
        return self.file.getvalue()


def _terminal(reporter: _Reporter | None, *, verbose: int = 0) -> Terminal:
    plugins: dict[str, Any] = {"terminalreporter": reporter}
    manager = SimpleNamespace(get_plugin=plugins.get)
    option = SimpleNamespace(verbose=verbose)
    config: Any = SimpleNamespace(
        pluginmanager=manager, option=option, get_terminal_writer=lambda: reporter and reporter.tw
    )
    return Terminal(config)


LINE: Line = (("emb  ", ""), ("non-inferior", "good"), ("  INFERIOR", "bad"))


@pytest.mark.parametrize(
    ("environment", "is_coloured"), [({}, False), ({"PY_COLORS": "1"}, True), ({"NO_COLOR": "1"}, False)]
)
def test_colour_follows_pytest(environment: dict[str, str], is_coloured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Escape sequences if pytest's terminal has colour, plain text if not; NO_COLOR is respected."""
    for name in ("PY_COLORS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    reporter = _Reporter()
    _terminal(reporter).write([LINE])
    coloured = "|emb  \x1b[32mnon-inferior\x1b[0m\x1b[1m\x1b[31m  INFERIOR\x1b[0m\n"
    assert reporter.written in (
        (coloured, coloured.replace("\x1b[1m\x1b[31m", "\x1b[31m\x1b[1m"))
        if is_coloured
        else ("|emb  non-inferior  INFERIOR\n",)
    )


def test_the_width_is_the_terminals_or_a_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    """COLUMNS sets it; a log has 100."""
    monkeypatch.setenv("COLUMNS", "132")
    assert terminal_width() == 132
    monkeypatch.setenv("COLUMNS", "7")
    assert terminal_width() == 40
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr("sys.__stdout__", None)
    assert terminal_width() == 100


def test_a_line_of_progress_replaces_the_last_one_and_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal; permanent lines are written separately."""
    monkeypatch.setenv("COLUMNS", "40")
    reporter = _Reporter()
    terminal = _terminal(reporter)
    assert terminal.is_live
    terminal.progress(["x" * 60 + "\n"], True)
    assert reporter.written == "\r" + "x" * 19 + "…" + "x" * 17 + r"\n<"
    terminal.progress(["y" * 40, "z" * 39, "z"], True)
    assert reporter.written.endswith("\r" + "z" * 39 + "<")
    terminal.progress(["done"], False)
    assert reporter.written.endswith("<\r<\rfreezebench done\n")
    terminal.progress([""], True)
    assert reporter.written.endswith("\r<\r"), "what pytest writes next begins the line"


def test_in_a_log_no_line_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor under CI, even on a terminal; -p no:terminal writes nothing."""
    reporter = _Reporter(isatty=False)
    terminal = _terminal(reporter)
    assert not terminal.is_live
    terminal.progress(["done"], False)
    assert reporter.written == "|\nfreezebench done\n"
    terminal.progress(["done"], False)
    assert reporter.written.endswith("\nfreezebench done\n|\nfreezebench done\n"), "the line has the reporter's sign"
    monkeypatch.setenv("CI", "true")
    assert not _terminal(_Reporter()).is_live
    _terminal(None).progress(["done"], False)


@pytest.mark.parametrize(("verbose", "is_quiet"), [(-1, True), (0, False), (1, False)])
def test_q_is_quiet(verbose: int, is_quiet: bool) -> None:
    """What is left out then is decided by the progress."""
    assert _terminal(_Reporter(), verbose=verbose).is_quiet is is_quiet


def test_pytests_own_line_ends_before_the_summary() -> None:
    """Otherwise the reporter ends it within the summary, where a blank line would part a sentence."""
    reporter = _Reporter()
    results = [judge("none", [record()], [record()], margin_pp=2.0, limit_pp=None)]
    _terminal(reporter).summary(summarize(results, settings()))
    assert reporter.written.startswith("|=")
    # Once for the title and once for the lines: pytest's ends its own line at the first call.
    assert reporter.written.count("|") == 2
    warned = _Reporter()
    _terminal(warned).write([(("the budget of 1", "bad"),), (("  run is used up", "bad"),)])
    assert warned.written == "|the budget of 1\n  run is used up\n"
    silent = _Reporter()
    _terminal(silent).write([])
    assert not silent.written
