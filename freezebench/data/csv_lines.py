"""CsvLines: the lines of a file as the csv module takes them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from freezebench.data.lines import text_lines

if TYPE_CHECKING:
    from pathlib import Path

# The csv module takes a carriage return for the end of a line. Half of a surrogate pair, which UTF-8 cannot encode and
# a file therefore cannot hold, takes its place while a line is parsed.
_RETURN = "\udc0d"
# Lines that are given back are parsed again: a limit, so that a file made for it does not take hours.
_MAX_GIVEN_BACK = 1_000_000


class CsvLines:
    """An iterator over the lines of a file, in which carriage returns that end no line are kept.

    Attributes:
        taken: The lines of the current row.
        number: Number of the last line that was taken.
    """

    def __init__(self, path: Path) -> None:
        self._lines = text_lines(path)
        self._returned: deque[str] = deque()
        self._num_given_back = 0
        self._has_returns = False
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> CsvLines:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        if "\r" in line:
            body = line.rstrip("\r\n")
            if "\r" in body:
                line = body.replace("\r", _RETURN) + line[len(body) :]
                self._has_returns = True
        self.taken.append(line)
        self.number += 1
        return line

    def skip(self, num: int) -> None:
        """Skip the next lines."""
        for _ in range(num):
            next(self)

    def give_back(self) -> None:
        """Give back all lines of the current row but the first, unless too many were given back already."""
        again = self.taken[1:]
        self._num_given_back += len(again)
        if self._num_given_back <= _MAX_GIVEN_BACK:
            self.number -= len(again)
            self._returned.extendleft(reversed(again))

    def restored(self, cells: list[str]) -> list[str]:
        """Return the values of a row with their carriage returns."""
        return [cell.replace(_RETURN, "\r") for cell in cells] if self._has_returns else cells
