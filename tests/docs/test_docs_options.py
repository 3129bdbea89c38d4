"""The page of options: every option is in one group, with a default, and with examples that are understood."""

from __future__ import annotations

import re
from itertools import chain

import pytest

from docs.option_groups import GROUPS, example_argument, example_flag, option_groups, option_sections
from docs.tables import on_page_markdown
from freezebench.config.options import BY_NAME, OPTIONS
from snippets import ROOT

PAGE = ROOT / "docs/reference/options.md"
EXAMPLES = {name: value for group in GROUPS.values() for name, value in group.items()}


def section_of(name: str) -> str:
    """Return the section of an option."""
    heading = f"### `{BY_NAME[name].flag}` "
    return heading + option_sections().partition(heading)[2].partition("\n##")[0]


def test_every_option_is_in_one_group() -> None:
    """So that it is found by its purpose, and nowhere twice."""
    names = list(chain.from_iterable(GROUPS.values()))
    assert sorted(names) == sorted(BY_NAME)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_section_has_what_people_look_up(name: str) -> None:
    """What the option does, its default, its ini key and its argument of the marker."""
    option, section = BY_NAME[name], section_of(name)
    assert f"`{option.flag}" in section
    words = re.sub(r"['`]|\[|\]\([^)]*\)", "", section)
    assert re.sub(r"['\[]", "", option.help.split(" (default")[0]) in words
    assert re.search(r"^- default: \S", section, re.MULTILINE)
    assert f"- ini file: `{option.ini} = {EXAMPLES[name]}`" in section
    has_argument = f"`@pytest.mark.freeze({name}=" in section
    assert has_argument is not option.session_wide


@pytest.mark.parametrize("name", BY_NAME)
def test_examples_are_understood(name: str) -> None:
    """The values of command line, ini file and marker are the same."""
    option, value = BY_NAME[name], EXAMPLES[name]
    flag, _, given = example_flag(option, value).partition("=")
    assert flag == option.flag
    expected = option.parse(value, option.flag)
    assert option.parse(given.strip('"') or "yes", option.flag) == expected
    arguments: dict[str, object] = eval(f"dict({example_argument(option, value)})")  # noqa: S307 - our own example
    assert option.parse(arguments[name], name) == expected


def test_flags_in_texts_lead_to_their_sections() -> None:
    """Every link inside the page has a section, and the list at the top has all of them."""
    page = on_page_markdown(PAGE.read_text(encoding="utf-8"))
    anchors = re.findall(r"^### .* \{ #(\S+) \}$", page, re.MULTILINE)
    assert len(anchors) == len(set(anchors)) == len(OPTIONS)
    assert set(re.findall(r"\]\(#([\w-]+)\)", page)) == set(anchors)
    assert set(re.findall(r"\]\(#([\w-]+)\)", option_groups())) == set(anchors)


def test_the_page_names_what_adds_up() -> None:
    """The options of which all values count, and not the last one alone."""
    text = PAGE.read_text(encoding="utf-8").partition("Of an option that is given twice")[2].partition("\n\n")[0]
    expected = {option.flag for option in OPTIONS if option.is_list or option.takes_pairs}
    assert set(re.findall(r"`(--freeze-[a-z-]+)`", text)) == expected
