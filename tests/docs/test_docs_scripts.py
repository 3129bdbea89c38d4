"""Scripts that pages name take the arguments of the pages, and those that simulate run in their smallest form."""

from __future__ import annotations

from pathlib import Path

import pytest

from documented_scripts import parse_script, run_script
from snippets import COMMANDS, Command, program

SCRIPTS = [command for command in COMMANDS if program(command).startswith("benchmarks/")]
# Of an argument that is given twice, the last value counts: these stand behind those of the page.
SMALLEST = {
    "metric_error_rates.py": ("--replications=2",),
    "operating_characteristics.py": ("--replications=2",),
    "recommendation_error_rates.py": ("--replications=2", "--others=1", "--sentences=60", "--num-seeds=3"),
    "sampler.py": ("--pairs=2",),
    "search_error_rates.py": ("--replications=2", "--layers=2", "--sentences=60"),
}
MINUTES = "trains the embedded model for minutes, on data that has to be downloaded"
ONLY_PARSED = {
    "ablation.py": MINUTES,
    "batch_order.py": MINUTES,
    "contention.py": "loads all processors, which disturbs the other tests",
    "doc_pictures.py": "test_docs_pictures.py runs it",
    "gpu_record.py": "needs a GPU",
    "meter_overhead.py": MINUTES,
    "overview.py": MINUTES,
    "peers.py": MINUTES,
}


def arguments_of(command: Command) -> list[str]:
    """Return what stands behind the script."""
    return list(command.words[command.words.index(program(command)) + 1 :])


@pytest.mark.parametrize("command", SCRIPTS, ids=str)
def test_script_commands_are_understood(command: Command) -> None:
    """The script exists, and takes its arguments."""
    parse_script(program(command), arguments_of(command))


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [command for command in SCRIPTS if Path(program(command)).name in SMALLEST], ids=str
)
def test_scripts_run(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """To their end, and print figures."""
    run_script(program(command), [*arguments_of(command), *SMALLEST[Path(program(command)).name]])
    assert any(character.isdigit() for character in capsys.readouterr().out)


def test_every_script_runs_or_has_a_reason() -> None:
    """A script in neither table would be one that nothing runs."""
    named = {Path(program(command)).name for command in SCRIPTS}
    assert named - set(SMALLEST) - set(ONLY_PARSED) == set()
    assert not set(SMALLEST) & set(ONLY_PARSED)
