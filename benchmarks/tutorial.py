"""Record the outputs of the tutorial: run its commands in a new folder, and put what they print into the page.

    python benchmarks/tutorial.py build/tutorial

A comment above each recorded block names the lines that it shows: ``<!-- lines: Freeze | Setting -->`` is from the
first line that begins with "Freeze" to the one before a line that begins with "Setting". The commands run in the
environment of this script; those that install are left out. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import torch

from freezebench.training.device import device_name

PAGE = Path(__file__).parents[1] / "docs/tutorial/first-hour.md"
_PARTS = re.compile(
    r"```python\n# (?P<file>[\w.]+)\n(?P<source>.*?)```"
    r"|```sh\n(?P<command>.*?)```"
    r"|<!-- lines: (?P<lines>.*?) -->\n\n```text title=\"Recorded output.*?```",
    re.DOTALL,
)
_COLUMNS = "96"


def main() -> None:
    """Run the commands in their order, and replace each recorded block by what the command before it printed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="new folder to work in")
    parser.add_argument("--page", type=Path, default=PAGE, help="page whose recorded outputs are replaced")
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    today = dt.datetime.now().astimezone().date()
    title = f"Recorded output: {device_name(torch.device('cpu'))}, {os.cpu_count()} cores, {today}"
    printed = ""

    def recorded(part: re.Match[str]) -> str:
        """Return a part of the page, its recorded output replaced."""
        nonlocal printed
        if part["file"]:
            (options.folder / part["file"]).write_text(f"# {part['file']}\n{part['source']}", encoding="utf-8")
        elif part["command"]:
            for command in part["command"].splitlines():
                printed = run(command, options.folder) or printed
        else:
            shown = selected(printed, part["lines"])
            return f'<!-- lines: {part["lines"]} -->\n\n```text title="{title}"\n{shown}\n```'
        return part[0]

    text = _PARTS.sub(recorded, options.page.read_text(encoding="utf-8"))
    options.page.write_text(text, encoding="utf-8")


def run(command: str, folder: Path) -> str:
    """Return what a command of pytest or freezebench prints; others install, and are not run."""
    words = shlex.split(command)
    if words[0] == "pytest":
        words = [sys.executable, "-m", *words]
    elif words[:3] == ["python", "-m", "freezebench"]:
        words[0] = sys.executable
    else:
        return ""
    print(f"$ {command}", flush=True)
    environment = {**os.environ, "COLUMNS": _COLUMNS, "NO_COLOR": "1"}
    process = subprocess.run(  # noqa: S603 - the commands of the page
        words, cwd=folder, env=environment, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    print(process.stdout, flush=True)
    return process.stdout.replace(f"{folder.resolve()}/", "").replace(str(Path.home()), "~")


def selected(output: str, ranges: str) -> str:
    """Return the lines between the beginnings that the ranges name, with "…" in the place of others."""
    lines = [line.rstrip() for line in output.splitlines()]
    shown: list[str] = []
    for text in ranges.split(" ; "):
        first, _, last = (part.strip() for part in text.partition("|"))
        # The signs around a heading of pytest depend on its width.
        start = next((number for number, line in enumerate(lines) if line.lstrip("= ").startswith(first)), None)
        if start is None:
            raise SystemExit(f"no line begins with {first!r}: correct the comment above the block.\n{output}")
        ends = (number for number, line in enumerate(lines) if number > start and last and line.startswith(last))
        part = lines[start : next(ends, len(lines))]
        shown += [*(["…"] if shown else []), *part]
    return "\n".join(shown).strip("\n")


if __name__ == "__main__":
    main()
