"""The last lines of invalid runs: on the page, in Markdown, and in the terminal with -v."""

from __future__ import annotations

from dataclasses import replace

import pytest

import made_up
from experiments import settings
from freezebench.records.run_record import RunRecord
from freezebench.report.experiment import Experiment
from freezebench.report.markdown import markdown_report
from freezebench.report.page.page import page
from freezebench.report.summary import Summary, summarize
from freezebench.report.terminal_summary import summary_lines
from freezebench.verdicts.judge import judge

_LOG = """Traceback (most recent call last):
  File "model.py", line 3, in forward
    raise ValueError("<b>```</b>")

ValueError: <b>```</b> ::error::x \x1b[31m"""


def _summary(*broken: RunRecord) -> Summary:
    """Return the summary of a valid baseline and a configuration with these runs."""
    baseline = made_up.seeds("none")
    candidate = judge("emb", list(broken), baseline, margin_pp=2.0, limit_pp=None)
    return summarize([judge("none", baseline, baseline, margin_pp=2.0, limit_pp=None), candidate], settings())


def _broken(seed: int, log: str = _LOG) -> RunRecord:
    return replace(made_up.broken("emb", seed), cause="crash", reason="ValueError: <b>", log=log)


def _terminal(summary: Summary, *, verbose: bool, width: int = 100) -> list[str]:
    return ["".join(text for text, _ in line) for line in summary_lines(summary, width, verbose=verbose)]


def test_runs_with_the_same_log_share_it() -> None:
    """Seeds mostly break for one reason."""
    shown = _summary(_broken(42), _broken(43), _broken(44, "another")).tracebacks
    assert [traceback.title for traceback in shown] == [
        "The last lines of emb seed 42, emb seed 43:",
        "The last lines of emb seed 44:",
    ]
    assert shown[1].lines == ("another",)


def test_valid_runs_and_empty_logs_have_none() -> None:
    """Nothing is said of them."""
    assert _summary(_broken(42, " \n")).tracebacks == []


@pytest.mark.parametrize("width", [40, 100])
def test_the_terminal_shows_it_with_v(width: int) -> None:
    """Every line fits, keeps its indentation and is made safe; without -v a hint leads there."""
    summary = _summary(_broken(42))
    lines = _terminal(summary, verbose=True, width=width)
    begin = lines.index("The last lines of emb seed 42:")
    assert lines[begin + 1 : begin + 3] == [
        "  Traceback (most recent call last):",
        '    File "model.py", line 3, in forward',
    ]
    assert all(len(line) <= width for line in lines)
    assert not any("\x1b" in line or line.lstrip().startswith("::") for line in lines)
    short = _terminal(summary, verbose=False)
    assert "The last lines of emb seed 42:" not in short
    assert short[-1] == (
        "For further notes and the last lines of invalid runs, use -v or the page of --freeze-report=DIR."
    )


def test_the_page_shows_it_as_text() -> None:
    """Its lines stay lines, and none is markup."""
    html = page([Experiment.of(settings(), _summary(_broken(42)))], "no pictures")
    assert "<h2>Invalid runs</h2>" in html
    assert "Traceback (most recent call last):\n  File &quot;model.py&quot;" in html
    assert "<b>`" not in html
    assert "Invalid runs" not in page([Experiment.of(settings(), _summary(_broken(42, "")))], "no pictures")


def test_markdown_shows_it_as_a_block_of_code() -> None:
    """Each line is indented, so that none ends the block or is markup."""
    report = markdown_report([_summary(_broken(42))])
    block = report.partition("The last lines of emb seed 42:\n\n")[2].rstrip("\n")
    assert block.split("\n")[:2] == [
        "    Traceback (most recent call last):",
        '      File "model.py", line 3, in forward',
    ]
    assert all(not line or line.startswith("    ") for line in block.split("\n"))
    assert "\x1b" not in report
