"""All faults, and their table in the documentation.

After a change, ``PYTHONPATH=.:tests python tests/mutations/catalogue.py`` writes the table.
"""

from __future__ import annotations

from pathlib import Path

import faults_evaluation
import faults_training
import faults_verdicts
from mutant import Fault

_ROOT = Path(__file__).resolve().parents[2]
FAULTS: tuple[Fault, ...] = (*faults_training.FAULTS, *faults_evaluation.FAULTS, *faults_verdicts.FAULTS)
PAGE = _ROOT / "docs" / "explanation" / "what-the-gate-catches.md"

_HEADER = "| what is wrong | ends as | the output says |\n| --- | --- | --- |\n"


def table() -> str:
    """Return the table of all faults as Markdown."""
    rows = (
        f"| {fault.change} | {fault.ending if fault.ending == 'warning' else f'`{fault.ending}`'} | "
        f"{fault.sentence.replace('*', '…')} |\n"
        for fault in FAULTS
    )
    return _HEADER + "".join(rows)


def table_in_the_page() -> str:
    """Return the table that the page has."""
    text = PAGE.read_text(encoding="utf-8")
    return _HEADER + text.partition(_HEADER)[2].partition("\n\n")[0] + "\n"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.replace(table_in_the_page(), table()), encoding="utf-8")
