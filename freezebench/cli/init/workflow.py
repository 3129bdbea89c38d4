"""The workflow of GitHub Actions: pull requests are compared with what the default branch saved."""

from __future__ import annotations

import re

from freezebench.escaping import shell_word, yaml_text

FILE_NAME = "freezing.yml"
REQUIREMENT = "freezebench[embedded]"
# The text that README and docs show, word for word. A project's own values take the places of main, "3.12",
# 'freezebench[embedded]' and tests/test_freezing.py.
WORKFLOW = """\
# .github/workflows/freezing.yml
name: freezing
on:
  push:
    branches: [main]
  pull_request:
  workflow_dispatch:
permissions:
  contents: read
concurrency: freezing-${{ github.ref }}
jobs:
  cpu:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: python -m pip install --extra-index-url https://download.pytorch.org/whl/cpu 'freezebench[embedded]'
      - if: github.event_name == 'pull_request'
        uses: actions/cache/restore@v4
        with: {path: .benchmarks, key: "freezing-${{ github.run_id }}", restore-keys: freezing-}
      - if: github.event_name == 'pull_request'
        run: pytest tests/test_freezing.py --freeze-precision=float32 --benchmark-compare --freeze-compare-across=model
      - if: github.event_name != 'pull_request'
        run: pytest tests/test_freezing.py --freeze-precision=float32 --benchmark-save=main
      - if: github.event_name != 'pull_request'
        uses: actions/cache/save@v4
        with: {path: .benchmarks, key: "freezing-${{ github.run_id }}-${{ github.run_attempt }}"}
"""
_PLAIN = re.compile(r"[A-Za-z][\w./-]*")


def workflow(
    *, branch: str, python: str, tests: str, requirement: str = REQUIREMENT, with_project: bool = False
) -> str:
    """Return the workflow of a project.

    Args:
        branch: Its default branch, whose pushes save the reference.
        python: Version of Python, such as ``3.12``.
        tests: Arguments of pytest that select the freeze tests, quoted for a shell.
        requirement: What pip installs.
        with_project: Whether the project itself is installed, too.
    """
    installed = shell_word(requirement) + (" ." if with_project else "")
    values = {
        "branches: [main]": f"branches: [{branch if _PLAIN.fullmatch(branch) else yaml_text(branch)}]",
        '"3.12"': yaml_text(python),
        f"'{REQUIREMENT}'": installed,
        "pytest tests/test_freezing.py": f"pytest {tests}",
    }
    text = WORKFLOW
    for usual, own in values.items():
        text = text.replace(usual, own)
    return text
