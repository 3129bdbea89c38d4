"""The terminal: progress and summary, written through pytest's own terminal reporter."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from typing import TYPE_CHECKING

from freezebench.config.session_settings import in_ci

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

    import pytest

    from freezebench.report.overview.overview import Overview
    from freezebench.report.summary import Summary
    from freezebench.report.terminal_table import Line

# A log or a pipe has no width of its own; COLUMNS sets one.
_USUAL_WIDTH = 100
_SMALLEST_WIDTH = 40
# Of pytest's own line, and of the one above it, which may be the beginning of a long one.
_ROWS_AROUND = 2
_MARKUP: dict[str, dict[str, bool]] = {
    "": {},
    "strong": {"bold": True},
    "good": {"green": True},
    "unsure": {"yellow": True},
    "bad": {"red": True, "bold": True},
    "faint": {"light": True},
}


def more_flag(verbosity: int) -> str:
    """Return the option that, added to a command, is ``-v`` all in all; each ``-q``, as of ``addopts``, undoes a v."""
    return f"-{'v' * max(1 - verbosity, 1)}"


def terminal_width() -> int:
    """Return how many columns lines may take: those of the terminal or of ``COLUMNS``, else 100."""
    return max(_SMALLEST_WIDTH, shutil.get_terminal_size((_USUAL_WIDTH, 24)).columns)


def fitted(lines: Iterable[str]) -> list[str]:
    """Return lines wrapped to the terminal's width, in which no name can move the cursor or be a command."""
    from freezebench.escaping import terminal_line
    from freezebench.report.terminal_text import columns_of, wrap

    width = terminal_width()
    return [
        piece
        for line in map(terminal_line, lines)
        for piece in ([line] if columns_of(line) <= width else wrap(line, width))
    ]


def _fitting(forms: Sequence[str], width: int) -> str:
    """Return the first form of a line that fits, or the last one, cut."""
    from freezebench.report.terminal_text import columns_of, cut

    return cut(next((form for form in forms if columns_of(form) <= width), forms[-1]), width)


class Terminal:
    """pytest's terminal; without one (``-p no:terminal``) nothing is shown but notices.

    Attributes:
        is_shown: Whether there is one.
        is_quiet: Whether ``-q`` was given.
    """

    def __init__(self, config: pytest.Config) -> None:
        """Take pytest's configuration."""
        self._config = config
        self._reporter = config.pluginmanager.get_plugin("terminalreporter")
        self._capture = config.pluginmanager.get_plugin("capturemanager")
        self.is_shown = self._reporter is not None
        verbosity = getattr(config.option, "verbose", 0)  # an option of the reporter
        self.is_quiet = verbosity < 0
        self._verbosity, self._is_verbose = verbosity, verbosity > 0
        self._keeps_line, self._num_shown = False, 0

    @property
    def is_live(self) -> bool:
        """Whether a line can replace the last one: a terminal, and not a log of continuous integration."""
        return bool(self._reporter and self._reporter.isatty and not in_ci())

    @property
    def moves_cursor(self) -> bool:
        """Whether several lines can be replaced, which needs a terminal that moves its cursor."""
        return self.is_live and os.environ.get("TERM", "dumb") != "dumb"

    def show(self, lines: Sequence[Sequence[str]]) -> None:
        """Show lines below pytest's own in place of those that were shown last; pytest's goes on once there are none.

        Args:
            lines: Lines, each from its full to its shortest form; the first form that fits is shown. Lines for which
                the window has no room are counted.
        """
        self._keeps_line = True
        if lines or self._num_shown:
            # Not through pytest's writer, which counts the columns of its line.
            self._config.get_terminal_writer().flush()
            with self._uncaptured():
                sys.stdout.write(self._replacing(lines))
                sys.stdout.flush()

    def _replacing(self, lines: Sequence[Sequence[str]]) -> str:
        """Return what shows lines in place of those that are shown now."""
        from freezebench.escaping import terminal_line

        columns, rows = shutil.get_terminal_size((_USUAL_WIDTH, 24))
        room = rows - _ROWS_AROUND if columns >= _SMALLEST_WIDTH else 0
        if len(lines) > room:
            lines = [*lines[: room - 1], [f"and {len(lines) - room + 1} more"]] if room > 0 else []
        fitting = [_fitting([terminal_line(form) for form in forms], columns - 1) for forms in lines]
        up = f"\x1b[{self._num_shown}A" if self._num_shown else ""
        self._num_shown = len(lines)
        if lines:
            return up + "".join(f"\n{line}\x1b[K" for line in fitting) + "\x1b[J"
        # The cursor has to be at the end of pytest's own line, which may have been wrapped.
        column = self._config.get_terminal_writer().width_of_current_line % columns
        return f"{up}\x1b[{column + 1}G\x1b[J"

    def _uncaptured(self) -> AbstractContextManager[None]:
        """Return what lets writing pass pytest's capturing."""
        return self._capture.global_and_fixture_disabled() if self._capture else contextlib.nullcontext()

    def progress(self, forms: Sequence[str], is_transient: bool) -> None:
        """Write a line of progress past pytest's capturing; the next one may replace it if it is transient.

        Args:
            forms: The line, from its full to its shortest form; the first that fits is shown. An empty one clears it.
            is_transient: Whether the next line may replace it.
        """
        if self._reporter is None:
            return
        from freezebench.escaping import terminal_line

        lines = [terminal_line(form) for form in forms]
        if self._num_shown:
            self.show([])
        with self._uncaptured():
            if is_transient:
                # A line that wraps could not be written over.
                shown = _fitting(lines, terminal_width() - 1)
                self._reporter.rewrite(shown, erase=True)
                if not shown:
                    self._reporter.rewrite("")  # what pytest writes next begins the line
                return
            # What was written over has to go, and pytest's own line must not be appended to.
            if self.is_live and not self._keeps_line:
                self._reporter.rewrite("", erase=True)
                self._reporter.rewrite("")
            else:
                self._reporter.ensure_newline()
                # Under -q, the reporter does not know that its own signs of outcomes are on the line.
                writer = self._config.get_terminal_writer()
                if writer.width_of_current_line:
                    writer.line()
            self._reporter.write_line(f"freezebench {lines[0]}")
            self._reporter.flush()  # with -s nothing else would, and a pipe would get the line at the end

    def notice(self, line: str) -> None:
        """Write a line to the standard error, past pytest's capturing, for sessions without a terminal."""
        from freezebench.escaping import terminal_line

        with self._uncaptured():
            sys.stderr.write(f"freezebench {terminal_line(line)}\n")
            sys.stderr.flush()

    def end_line(self) -> None:
        """End the line of pytest's own progress, after the last test."""
        if self._reporter is not None:
            self._reporter.write_line("")

    def summary(self, summary: Summary) -> None:
        """Write one experiment's summary: the answer, then the evidence; with ``-v`` all of it."""
        from freezebench.report.terminal_summary import summary_lines, title_line

        if self._reporter is not None:
            width = terminal_width()
            # Otherwise the reporter would end its own line later, in the middle of the summary.
            self._reporter.ensure_newline()
            # pytest's bar needs a blank and a sign at either end.
            self._reporter.section(title_line(summary, width - 4), sep="=")
            self.write(summary_lines(summary, width, verbose=self._is_verbose, more=more_flag(self._verbosity)))

    def overview(self, overview: Overview) -> None:
        """Write several experiments at a glance."""
        from freezebench.report.terminal_overview import overview_lines

        if self._reporter is not None:
            self._reporter.ensure_newline()
            self._reporter.section(f"freezebench: {overview.title}", sep="=")
            self.write(overview_lines(overview, terminal_width()))

    def write(self, lines: Iterable[Line]) -> None:
        """Write lines, coloured where pytest's terminal is: it follows ``NO_COLOR`` and ``--color``."""
        if self._reporter is None:
            return
        from freezebench.escaping import terminal_line

        shown = list(lines)
        if shown:  # otherwise the reporter would end its own line within the first of these
            self._reporter.ensure_newline()
        for line in shown:
            for text, style in line:
                self._reporter.write(terminal_line(text), **_MARKUP[style])
            self._reporter.write_line("")
