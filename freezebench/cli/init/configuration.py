"""The file of pytest's configuration, found as pytest finds it, and its text with further keys.

Keys are added as lines at the end of pytest's section. All other lines, comments included, stay as they are.
"""

from __future__ import annotations

import configparser
import re
import tomllib
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_INI_SECTION = "[pytest]"
# The sections that pytest takes from each file, in the order in which it looks for files. A file with `None` is read by
# pytest even without the section.
_SECTIONS: dict[str, tuple[str | None, ...]] = {
    "pytest.toml": (_INI_SECTION, None),
    ".pytest.toml": (_INI_SECTION, None),
    "pytest.ini": (_INI_SECTION, None),
    ".pytest.ini": (_INI_SECTION, None),
    "pyproject.toml": ("[tool.pytest.ini_options]", "[tool.pytest]"),
    "tox.ini": (_INI_SECTION,),
    "setup.cfg": ("[tool:pytest]",),
}
# Since this version, pytest reads pytest.toml, and [tool.pytest] of pyproject.toml.
_WITH_TOML = 9
_ONLY_WITH_TOML = ("pytest.toml", ".pytest.toml")
_COMMENTS = ("#", ";")


@dataclass(frozen=True, kw_only=True)
class PytestConfiguration:
    """The file of pytest's configuration.

    Attributes:
        path: Where it is, or is to be written.
        text: What it holds; empty if there is no such file.
        section: The line that begins pytest's section, such as ``[pytest]``.
        keys: Keys and values of the section.
        has_section: Whether the file has that section.
    """

    path: Path
    text: str = field(default="", repr=False)
    section: str = _INI_SECTION
    keys: Mapping[str, object] = field(default_factory=dict)
    has_section: bool = False

    def values(self, key: str) -> list[str]:
        """Return a value that is a list, or a text with white space between its parts; empty if it is not set."""
        value = self.keys.get(key)
        return [str(part) for part in value] if isinstance(value, list) else str(value or "").split()

    def with_keys(self, keys: Mapping[str, str], comment: str) -> str | None:
        """Return the text with further keys at the end of the section, below a comment.

        ``None`` if they cannot be added by lines alone, as where the section has no line of its own.
        """
        lines = self.text.splitlines(keepends=True)
        newline = "\r\n" if self.text.partition("\n")[0].endswith("\r") else "\n"
        added = [f"{line}{newline}" for line in (f"# {comment}", *self.lines(keys))]
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += newline
        if self.has_section:
            end = self._end_of_section(lines)
            if end is None:
                return None
        else:
            end = len(lines)
            added = [*([newline] if lines else []), f"{self.section}{newline}", *added]
        text = "".join([*lines[:end], *added, *lines[end:]])
        try:
            before, after = _sections(self.path, self.text), _sections(self.path, text)
        except (ValueError, configparser.Error):
            return None
        # A line that only looks like the section's, as in a text of several lines, is noticed here.
        expected = {**before, self.section: {**before.get(self.section, {}), **keys}}
        return text if after == expected else None

    def lines(self, keys: Mapping[str, str]) -> list[str]:
        """Return keys as lines of this file."""
        quote = '"' if self.path.suffix == ".toml" else ""
        return [f"{key} = {quote}{value}{quote}" for key, value in keys.items()]

    def _end_of_section(self, lines: list[str]) -> int | None:
        """Return the number of lines up to the end of the section, without blank lines and comments at its end."""
        is_toml = self.path.suffix == ".toml"
        heads = [number for number, line in enumerate(lines) if _head(line) == self.section]
        if len(heads) != 1:
            return None
        start = heads[0] + 1
        # In an ini file, an indented line goes on with a value.
        head = re.compile(r"\s*\[" if is_toml else r"\[")
        end = next((number for number in range(start, len(lines)) if head.match(lines[number])), len(lines))
        while end > start and (not lines[end - 1].strip() or lines[end - 1].startswith(_COMMENTS)):
            end -= 1
        return end


def find_configuration(folder: Path) -> PytestConfiguration | None:
    """Return pytest's configuration in a folder; ``None`` if it has none.

    Raises:
        SettingsError: If a file that pytest reads is damaged.
    """
    has_toml = int(metadata.version("pytest").partition(".")[0]) >= _WITH_TOML
    for name, accepted in _SECTIONS.items():
        path = folder / name
        if not path.is_file() or (name in _ONLY_WITH_TOML and not has_toml):
            continue
        try:
            # Line ends stay as they are.
            text = path.read_bytes().decode()
            sections = _sections(path, text)
        except (ValueError, configparser.Error) as error:
            reason = str(error).partition("\n")[0]
            raise SettingsError(f"{path} cannot be read: {reason}. Correct it first, since pytest reads it.") from error
        section = next((name for name in _known(accepted, has_toml=has_toml) if sections.get(name)), None)
        section = section or next((name for name in _known(accepted, has_toml=has_toml) if name in sections), None)
        if section is not None:
            keys = sections[section]
            return PytestConfiguration(path=path, text=text, section=section, keys=keys, has_section=True)
        if None in accepted:
            return PytestConfiguration(path=path, text=text)
    return None


def _known(accepted: Iterable[str | None], *, has_toml: bool) -> list[str]:
    """Return the sections that this pytest reads."""
    return [name for name in accepted if name is not None and (has_toml or name != "[tool.pytest]")]


def _head(line: str) -> str:
    """Return the line that begins a section without white space and comment."""
    return re.sub(r"\s", "", line.partition("#")[0])


def _sections(path: Path, text: str) -> dict[str, dict[str, object]]:
    """Return the keys of all sections, by the line that begins each.

    Raises:
        ValueError: If the text is no TOML.
        configparser.Error: If it is no ini file.
    """
    if path.suffix == ".toml":
        return _tables(tomllib.loads(text))
    # Without a comment inside of a line, as pytest reads values.
    parser = configparser.RawConfigParser(allow_no_value=True, default_section="")
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
    parser.read_string(text)
    return {f"[{name}]": dict(parser[name]) for name in parser.sections()}


def _tables(document: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Return the tables of pytest in a TOML document, and all others as one."""
    tool = document.get("tool")
    own = tool.get("pytest") if isinstance(tool, dict) else None
    options = own.get("ini_options") if isinstance(own, dict) else None
    tables: dict[str, object] = {
        _INI_SECTION: document.get("pytest"),
        "[tool.pytest.ini_options]": options,
        "[tool.pytest]": {key: value for key, value in own.items() if key != "ini_options"}
        if isinstance(own, dict)
        else None,
    }
    known = {name: dict(table) for name, table in tables.items() if isinstance(table, dict)}
    if not known.get("[tool.pytest]"):
        known.pop("[tool.pytest]", None)
    others = {key: value for key, value in document.items() if key not in ("tool", "pytest")}
    tools = {key: value for key, value in tool.items() if key != "pytest"} if isinstance(tool, dict) else {}
    return {**known, "": {**others, "tool": tools}}
