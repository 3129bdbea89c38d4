"""The summary on a terminal of a given width: the answer first, then the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.escaping import terminal_line
from freezebench.report.terminal_table import figure_tables, text_tables
from freezebench.report.terminal_text import cut, wrap
from freezebench.report.verdict_text import unasserted_sentence
from freezebench.verdicts.vocabulary import EXCEEDED, STANDINGS

if TYPE_CHECKING:
    from freezebench.report.answer import Outcome
    from freezebench.report.overview.overview import Overview
    from freezebench.report.summary import Summary
    from freezebench.report.terminal_table import Line, Style

# How the headline of an answer is shown.
_HEADLINES: dict[Outcome, Style] = {
    "safe": "strong",
    "nothing_safe": "strong",
    "failed": "bad",
    "no_candidate": "strong",
}
# How the beginning of a line, up to its colon, is shown.
_LABELS: dict[str, Style] = {
    **{f"Limit {term.word}": term.tone for term in (*STANDINGS.values(), EXCEEDED) if term.tone in ("unsure", "bad")},
    "Invalid": "bad",
    "Class lost": "bad",
    "Label lost": "bad",
    "Sentences ignored": "bad",
    "Classes": "unsure",
    "Labels": "unsure",
    "Classes to check": "unsure",
    "Labels to check": "unsure",
    "Contended": "unsure",
    "Leakage": "unsure",
    "Leakage of groups": "unsure",
    "Bad rows": "unsure",
    "Not run": "unsure",
    "Left out": "unsure",
    "Warning": "unsure",
    "Undertrained": "unsure",
}
_MORE = "For further notes and {what}, use {flag} or the page of --freeze-report=DIR."


def title_line(summary: Summary, width: int) -> str:
    """Return what was trained on what, in one short line."""
    return cut(terminal_line(f"freezebench: {_name(summary)}"), width)


def closing_lines(summaries: list[Summary], width: int, overview: Overview | None = None) -> list[Line]:
    """Return the answers once more, for the end of a session.

    Those are each headline, of a failure without its cause, and, of several experiments, the sentence on all of them;
    of a single one what to do next, and what is inferior where no test has a limit.

    Args:
        summaries: The summaries of the experiments.
        width: Columns of the terminal.
        overview: The overview of several experiments.
    """
    lines: list[Line] = []
    for summary in summaries:
        # Several answers need the names of their experiments.
        name = f"{_name(summary)}: " if len(summaries) > 1 else ""
        style = _HEADLINES[summary.answer.outcome]
        lines += [((line, style),) for line in wrap(name + summary.answer.short_headline, width)]
    if len(summaries) == 1:
        for sentence in summaries[0].answer.next_steps[:1]:
            lines += _sentence(sentence, width)
        for sentence in filter(None, [unasserted_sentence(summaries[0].results)]):
            lines += _sentence(sentence, width)
    if overview is not None:
        lines += [((line, "strong"),) for line in wrap(overview.sentence, width)]
    return lines


def summary_lines(summary: Summary, width: int, *, verbose: bool = False, more: str = "-v") -> list[Line]:
    """Return the whole summary in lines of at most ``width`` columns, each made of texts with their styles.

    Args:
        summary: The summary.
        width: Columns of the terminal.
        verbose: Whether the tables of times and memory, the notes and the ends of logs are shown as well.
        more: The option that would show these.
    """
    headline, *rest = summary.answer_lines
    lines: list[Line] = [((line, _HEADLINES[summary.answer.outcome]),) for line in wrap(headline, width)]
    for sentence in rest:
        lines += _sentence(sentence, width)
    # Without a single figure the table would only repeat that everything is invalid.
    if any(row.num_seeds for row in summary.rows):
        for table in figure_tables(summary, width):
            lines += [(), *table]
    titled = {"How the time is spent": summary.breakdown, summary.memory_title: summary.memory}
    tables = [(title, *table) for title, table in titled.items() if table[0]]
    # A table that is split repeats its first column, which has to name the row.
    tables += [
        (
            "",
            (", ".join(table.headers[:2]), *table.headers[2:]),
            [[", ".join(row[:2]), *row[2:]] for row in table.cells],
        )
        for table in summary.subsets
    ]
    for title, headers, cells in tables if verbose else ():
        lines.append(())
        lines += [((line, "strong"),) for line in (wrap(f"{title}:", width) if title else ())]
        lines += [((line, ""),) for line in text_tables(headers, cells, width)]
    lines.append(())
    # The page has the sentences on smaller gaps between measured and counted speed-ups.
    notes = [note for note in summary.notes if note not in summary.gaps[1:]]
    what = "the last lines of invalid runs" if summary.tracebacks else "the time of every phase"
    hints = [_MORE.format(what=what, flag=more)] if summary.tracebacks or tables or notes else []
    for sentence in (f"Setting: {summary.title}.", *summary.lines, *(notes if verbose else hints)):
        lines += _sentence(sentence, width)
    for traceback in summary.tracebacks if verbose else ():
        lines += _sentence(traceback.title, width)
        lines += [((cut(terminal_line(f"  {line}"), width), ""),) for line in traceback.lines]
    return lines


def _name(summary: Summary) -> str:
    """Return the model and the data of an experiment."""
    return summary.title.split("; ")[0]


def _sentence(text: str, width: int) -> list[Line]:
    """Return a sentence in lines, its label coloured."""
    first, *rest = wrap(text, width)
    label, colon, remainder = first.partition(":")
    style = _LABELS.get(label, "")
    begin: Line = ((label + colon, style), (remainder, "")) if style else ((first, ""),)
    return [begin, *(((line, ""),) for line in rest)]
