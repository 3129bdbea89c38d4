"""The pages of the command line and of exit codes: every command with all of its options."""

from __future__ import annotations

import argparse
import re

import pytest

from freezebench import cli
from snippets import ROOT

COMMANDS = next(action.choices for action in cli._parser()._actions if isinstance(action, argparse._SubParsersAction))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_described(command: str) -> None:
    """In a section with its options and the names of its arguments, and with its exit codes."""
    page = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    section = re.split(r"\n## ", page.partition(f"\n## {command}\n")[2])[0]
    for action in COMMANDS[command]._actions:
        name = max(action.option_strings, key=len, default="")
        names = (name, *(option for option in action.option_strings if len(option) == 2))
        assert name in ("", "--help") or any(f"`{option}" in section for option in names), name
    codes = (ROOT / "docs/reference/exit-codes.md").read_text(encoding="utf-8")
    assert {f"| `{command}` | {code} |" for code in (0, 4)} <= set(re.findall(r"\| `\w+` \| \d \|", codes))
