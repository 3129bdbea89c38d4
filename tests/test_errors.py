"""Errors as text: of bounded size, whatever they are."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from freezebench.errors import first_line, last_lines, named, one_line, traceback_end


class _SilentError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def _from_cause() -> None:
    try:
        int("the cause")
    except ValueError as error:
        raise RuntimeError("the consequence") from error


def _group() -> None:
    raise ExceptionGroup("several", [ValueError("the first"), TypeError("the second")])


def _deep_group() -> None:
    error: Exception = ValueError("inside")
    for _ in range(3000):
        error = ExceptionGroup("outside", [error])
    raise error


def _recursion() -> None:
    _recursion()


def _silent() -> None:
    raise _SilentError


def _long_line() -> None:
    raise ValueError("x" * 10**6)


def _many_lines() -> None:
    raise ValueError("line\n" * 10**5)


def _surrogate() -> None:
    raise ValueError("\udcff")


def _exit() -> None:
    sys.exit(3)


def _bare() -> None:
    raise AssertionError


def _raised(by: Callable[[], None]) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any
        by()
    return caught.value


@pytest.mark.parametrize(
    ("by", "line", "parts"),
    [
        (_from_cause, "the consequence", ["direct cause", "RuntimeError: the consequence"]),
        (_group, "several (2 sub-exceptions)", ["ValueError: the first", "TypeError: the second"]),
        (_deep_group, "outside (1 sub-exception)", ["outside"]),
        (_recursion, "maximum recursion depth exceeded", ["in _recursion", "RecursionError"]),
        (
            _silent,
            "the message cannot be shown, since str() of this _SilentError fails",
            ["in _silent", "_SilentError"],
        ),
        (_long_line, "x" * 400 + "…", ["in _long_line", "ValueError: xxx"]),
        (_many_lines, "line", ["in _many_lines", "ValueError: line\nline"]),
        (_surrogate, "\\udcff", ["ValueError: \\udcff"]),
        (_exit, "3", ["in _exit", "SystemExit: 3"]),
        (_bare, "no message", ["in _bare", "AssertionError"]),
    ],
)
def test_any_error_has_a_line_and_a_traceback_of_bounded_size(
    by: Callable[[], None], line: str, parts: list[str]
) -> None:
    """Frames are kept where a message is long, and no message or text of a class keeps a fault from the record."""
    error = _raised(by)
    log = traceback_end(error)
    assert first_line(error) == line
    assert len(one_line(error)) <= 200
    assert [part for part in parts if part not in log] == []
    assert len(log.splitlines()) <= 40
    assert len(log) < 20_000
    assert log.encode()


def test_an_error_by_name() -> None:
    """An error without a message is its class alone."""
    assert named(ValueError("x\ny")) == "ValueError: x"
    assert named(MemoryError()) == "MemoryError"
    assert named(_SilentError()).startswith("_SilentError: the message cannot be shown")


def test_memory_that_is_short_leaves_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of code cannot be read then."""

    def short(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("traceback.format_exception", short)
    assert traceback_end(ValueError("the message")) == "ValueError: the message"


def test_the_last_lines_of_a_text() -> None:
    """As many as are wanted, none too long."""
    assert last_lines("a\nb\n" + "c" * 500, most=2) == "b\n" + "c" * 400 + "…"
    assert last_lines("") == ""
