"""A terminal's screen in a few lines: what the characters and escape sequences of progress do to it."""

from __future__ import annotations

import io
import re

_TOKEN = re.compile(r"\x1b\[(\d*)([A-Za-z])|.", re.DOTALL)


class Screen(io.TextIOBase):
    """A stream whose text can be seen as on a terminal.

    Attributes:
        lines: All lines so far, those that have left the window at the top included.
        row: The line of the cursor.
        column: Its column; that of the width means that the next character goes to the next line.
    """

    def __init__(self, *, rows: int = 24, columns: int = 80) -> None:
        super().__init__()
        self._rows, self._columns = rows, columns
        self.lines = [""]
        self.row = self.column = 0

    def isatty(self) -> bool:
        """Say that this is a terminal."""
        return True

    def write(self, text: str) -> int:
        """Show text, and do what its escape sequences say."""
        for token in _TOKEN.finditer(text):
            self._do(token[0], token[2], int(token[1] or 1))
        return len(text)

    def _do(self, token: str, command: str | None, number: int) -> None:
        line = self.lines[self.row]
        match command or token:
            case "\r":
                self.column = 0
            case "\n":  # a terminal's driver puts a carriage return before it
                self._next_line()
            case "A" if command:
                top = max(0, len(self.lines) - self._rows)
                self.row, self.column = max(self.row - number, top), min(self.column, self._columns - 1)
            case "G" if command:
                self.column = min(number, self._columns) - 1
            case "K" if command:
                self.lines[self.row] = line[: self.column]
            case "J" if command:
                self.lines[self.row :] = [line[: self.column]]
            case "m" if command:
                pass
            case _:
                assert command is None, f"unknown sequence {token!r}"
                if self.column == self._columns:
                    self._next_line()
                    line = self.lines[self.row]
                self.lines[self.row] = line[: self.column].ljust(self.column) + token + line[self.column + 1 :]
                self.column += 1

    def _next_line(self) -> None:
        self.row, self.column = self.row + 1, 0
        if self.row == len(self.lines):
            self.lines.append("")

    @property
    def text(self) -> list[str]:
        """The lines without blanks at their ends."""
        return [line.rstrip() for line in self.lines]
