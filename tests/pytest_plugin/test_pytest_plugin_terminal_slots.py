"""Several lines of progress below pytest's own, on a screen: nothing that pytest writes is overwritten or moved."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from freezebench.pytest_plugin.terminal import Terminal
from screen import Screen

_ROWS, _COLUMNS = 12, 60
Parts = tuple[Screen, TerminalReporter, Terminal]
Show = Callable[..., Parts]


@pytest.fixture
def show(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Show:
    """Return a function that starts pytest's reporter on a screen; its first call sets the arguments of pytest."""
    monkeypatch.setenv("TERM", "xterm")
    configs: list[pytest.Config] = []

    def start(*arguments: str, rows: int = _ROWS, columns: int = _COLUMNS) -> Parts:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("LINES", str(rows))
        if not configs:
            configs.append(pytester.parseconfigure("-p", "no:cacheprovider", *arguments))
        screen, plugins = Screen(rows=rows, columns=columns), configs[0].pluginmanager
        reporter = TerminalReporter(configs[0], screen)  # type: ignore[arg-type]  # it has what is used of a file
        reporter._session = SimpleNamespace(testscollected=4)  # type: ignore[assignment]
        plugins.unregister(name="terminalreporter")
        plugins.register(reporter, "terminalreporter")
        monkeypatch.setattr("sys.stdout", screen)
        return screen, reporter, Terminal(configs[0])

    return start


def _start(reporter: TerminalReporter, name: str) -> None:
    """Start a test."""
    reporter.pytest_runtest_logstart(f"test_it.py::{name}", ("test_it.py", 1, name))


def _pass(reporter: TerminalReporter, name: str) -> None:
    """Report that a test passed."""
    report = pytest.TestReport(f"test_it.py::{name}", ("test_it.py", 1, name), {}, "passed", None, "call")
    reporter.pytest_runtest_logreport(report)


TWO = [["cuda:0 one"], ["cuda:1 two"]]


def test_lines_are_replaced_in_place(show: Show) -> None:
    """They are below pytest's line, which goes on where it was once they are gone."""
    screen, reporter, terminal = show()
    _start(reporter, "test_a")
    terminal.show(TWO)
    assert screen.text == ["", "test_it.py", "cuda:0 one", "cuda:1 two"]
    terminal.show([["cuda:0 1"], ["cuda:1 2"]])
    assert screen.text == ["", "test_it.py", "cuda:0 1", "cuda:1 2"]
    terminal.show([["cuda:1 only"]])
    assert screen.text == ["", "test_it.py", "cuda:1 only"]
    terminal.show([])
    _pass(reporter, "test_a")
    terminal.show(TWO)
    terminal.show([])
    _start(reporter, "test_b")
    _pass(reporter, "test_b")
    assert screen.text == ["", "test_it.py .."]


def test_names_of_verbose_tests_stay(show: Show) -> None:
    """With ``-v`` the outcome follows the name, on the same line, with pytest's share of tests at its end."""
    screen, reporter, terminal = show("-v")
    for name in ("test_a", "test_b"):
        _start(reporter, name)
        terminal.show(TWO)
        terminal.show([])
        _pass(reporter, name)
    assert screen.text == [
        "",
        "test_it.py::test_a PASSED".ljust(_COLUMNS - 7) + "[ 25%]",
        "test_it.py::test_b PASSED".ljust(_COLUMNS - 7) + "[ 50%]",
    ]


def test_a_name_that_was_wrapped_stays(show: Show) -> None:
    """The cursor goes back to the last of the rows that the name takes."""
    screen, reporter, terminal = show("-v")
    name = "test_" + "long" * 15
    _start(reporter, name)
    terminal.show(TWO)
    assert screen.text[-2:] == ["cuda:0 one", "cuda:1 two"]
    terminal.show([])
    _pass(reporter, name)
    assert (screen.text[1] + screen.text[2]).startswith(f"test_it.py::{name} PASSED")


def test_lines_that_stay_follow_pytests_line(show: Show) -> None:
    """They begin a line of their own, and the lines of the slots come back below them."""
    screen, reporter, terminal = show()
    _start(reporter, "test_a")
    terminal.show(TWO)
    terminal.progress(["cuda:0 ended"], False)
    terminal.show([["cuda:1 two"]])
    assert screen.text == ["", "test_it.py", "freezebench cuda:0 ended", "", "cuda:1 two"]
    terminal.progress(["cuda:1 ended"], False)
    terminal.show([])
    _pass(reporter, "test_a")
    assert screen.text == ["", "test_it.py", "freezebench cuda:0 ended", "freezebench cuda:1 ended", "."]


def test_long_lines_have_a_short_form_and_are_cut(show: Show) -> None:
    """A line that wraps could not be written over; control characters cannot move the cursor."""
    screen, _, terminal = show()
    terminal.show([["x" * 60, "short"], ["y" * 60, "z" * 60], ["a\x1b[2Ab"]])
    terminal.show([["x" * 60, "short"], ["y" * 60, "z" * 60], ["a\x1b[2Ab"]])
    assert screen.text[1] == "short"
    assert len(screen.text[2]) == _COLUMNS - 1
    assert screen.text[3] == r"a\x1b[2Ab"
    assert len(screen.text) == 4


def test_short_windows_show_some_and_count_the_others(show: Show) -> None:
    """Lines that have left the window cannot be replaced."""
    screen, reporter, terminal = show(rows=6)
    _start(reporter, "test_a")
    for _ in range(2):
        terminal.show([[f"cuda:{number}"] for number in range(9)])
        assert screen.text == ["", "test_it.py", "cuda:0", "cuda:1", "cuda:2", "and 6 more"]


@pytest.mark.parametrize(("rows", "columns"), [(2, 60), (12, 39)])
def test_windows_without_room_show_no_line(show: Show, rows: int, columns: int) -> None:
    """Those that stay are written all the same."""
    screen, _, terminal = show(rows=rows, columns=columns)
    terminal.show(TWO)
    terminal.progress(["ended"], False)
    assert "\n".join(screen.text).strip() == "freezebench ended"


@pytest.mark.parametrize(("name", "moves"), [("xterm", True), ("dumb", False), ("", True)])
def test_terminals_that_move_their_cursor(
    show: Show, monkeypatch: pytest.MonkeyPatch, name: str, *, moves: bool
) -> None:
    """A terminal says by TERM=dumb, or by no TERM at all, that it does not; neither does a log of CI."""
    *_, terminal = show()
    monkeypatch.setenv("TERM", name)
    assert terminal.moves_cursor is moves
    monkeypatch.delenv("TERM")
    assert not terminal.moves_cursor
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("CI", "true")
    assert not terminal.moves_cursor


_ACTIONS = st.lists(st.one_of(st.sampled_from(["letter", "stay", "clear"]), st.integers(1, 5)), max_size=40)


def test_any_order(show: Show) -> None:
    """Whatever is shown, cleared and kept in whatever order, the screen has all that stays, then the lines of now."""

    @given(_ACTIONS)
    @hypothesis_settings(max_examples=60)
    def check(actions: list[str | int]) -> None:
        screen, reporter, terminal = show()
        kept, line = [""], "test_it.py "
        _start(reporter, "test_a")
        for number, action in enumerate(actions):
            shown: list[str] = []
            if isinstance(action, int):
                shown = [f"cuda:{slot} state {number}" for slot in range(action)]
                terminal.show([[text] for text in shown])
            elif action == "stay":
                terminal.show([])  # a first event
                terminal.progress([f"ended {number}"], False)
                kept, line = [*kept, *([line] if line else []), f"freezebench ended {number}"], ""
            else:
                terminal.show([])
            if action == "letter" and len(line) < _COLUMNS // 2:
                _pass(reporter, f"test_{number}")
                line += "."
            assert screen.text == [text.rstrip() for text in [*kept, line, *shown]]

    check()
