"""The README says what the code says."""

from __future__ import annotations

import os
from pathlib import Path

from freezebench.config.options import OPTIONS
from freezebench.specs.presets import PRESETS

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- options -->\n", "<!-- /options -->"


def options_table() -> str:
    """Return the README's table of options, made from the options themselves."""
    lines = ["| option | value | what it does |", "| --- | --- | --- |"]
    for option in OPTIONS:
        value = "" if option.is_switch else f"`{option.metavar}`"
        lines.append(f"| `{option.flag}` | {value} | {option.help.replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def test_the_table_of_options_is_made_from_the_options() -> None:
    """Set FREEZEBENCH_WRITE_README=1 to write it anew."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    table, _, after = rest.partition(END)
    if os.environ.get("FREEZEBENCH_WRITE_README"):
        README.write_text(f"{before}{BEGIN}{options_table()}{END}{after}", encoding="utf-8")
        table = options_table()
    assert table == options_table()


def test_every_preset_stands_in_the_readme() -> None:
    """With its model, data and number of epochs."""
    text = README.read_text(encoding="utf-8")
    for preset in PRESETS.values():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{preset.name}` |"))
        assert f"| {preset.protocol.num_epochs} |" in row
