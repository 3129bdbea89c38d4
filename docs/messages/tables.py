"""The tables of messages: each with what to do, which the message itself says in its last sentences.

Advice is a sentence, or the rest of one after a colon or semicolon, that begins with an imperative.
"""

from __future__ import annotations

import html
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from docs.messages.modules import PACKAGE, read_modules
from docs.messages.sites import OF_RUNS, PYTEST, WARNINGS, MessageSites, has_words
from docs.messages.templates import CLOSE, OPEN

if TYPE_CHECKING:
    from docs.messages.sites import Message

ROOT = Path(__file__).parents[2]
_VERBS = (
    "Accept Add Allow Build Change Check Choose Convert Correct Cut Deselect Double Download Draw End Fetch Free Give "
    "Install Judge Keep Leave Let Load Look Make Mark Measure Merge Move Name Pass Put Raise Read Remove Rename Resize "
    "Return Run Save Select Set Shorten Split Start Stop Submit Take Train Try Undo Update Use Wait Wrap Write"
)
_IMPERATIVE = rf"(?:{'|'.join(_VERBS.split())})\b"
_CONDITION = "(?:If|With|To|For|Without) [^.:;]*?, "
_SENTENCE = rf"(?<=[.!?…)`] )(?:{_CONDITION}(?i:{_IMPERATIVE})|{_IMPERATIVE}|Did you mean)"
_CLAUSE = rf"(?<=[:;] )(?i:(?:{_CONDITION})?{_IMPERATIVE})"
# Some messages are advice alone, since the option stands before them.
_ADVICE = re.compile(rf"{_SENTENCE}|{_CLAUSE}|^(?:choose|give|name)\b")
# The name of the table of a message: by its kind, else by the module, else by its class.
BY_KIND = dict.fromkeys([*WARNINGS, "warning"], "warnings") | dict.fromkeys([*OF_RUNS, "cause"], "runs")
BY_KIND |= dict.fromkeys([*PYTEST, "complaint"], "sessions") | {
    "UsageError": "options",
    "row": "data",
    "figure": "figures",
    "saving": "saving",
}
BY_MODULE = {
    "executors": "devices",
    "meters": "devices",
    "planning.reference": "records",
    "planning.results": "statistics",
    "pytest_plugin.benchmark": "records",
    "pytest_plugin.references": "records",
    "pytest_plugin.saving": "saving",
    "records.model_folder": "saving",
    "report.publish": "records",
    "runs.saving": "saving",
    "training.device": "devices",
    "training.engines": "devices",
    "verdicts": "statistics",
}
BY_CLASS = {
    "DataError": "data",
    "FreezebenchError": "options",
    "ModelError": "models",
    "OutcomesError": "statistics",
    "RecordError": "records",
    "ResourceFiguresError": "statistics",
    "SettingsError": "options",
    "SpecError": "grids",
}
TABLES = sorted({*BY_KIND.values(), *BY_MODULE.values(), *BY_CLASS.values()})
# Where code without blanks may be broken between two lines, so that tables fit narrow screens.
BREAK = "\N{ZERO WIDTH SPACE}"
_BREAK, _LONG_WORD = re.compile(r"[(=.,:/](?=[^.,:=)])|_(?=[^_])"), 14
# An underscore within a word is none of emphasis.
_MARKUP = re.compile(rf"[\\`*{{}}\[\]|~]|(?<!\w)_|_(?![\w{BREAK}])")
_SLOWER = (
    "Nothing needs to change: the results are the same, and training takes longer. [What may be "
    "cached](../explanation/prefix-cache.md#what-may-be-cached) describes which models are trained faster."
)
_TRAINED_AGAIN = "Nothing needs to be done: the run is trained again. If it happens often, check the disk."
_SAVED_RUNS = "Take one of the saved runs that the message lists, or save one as it says."
_DAMAGED = "Name another file, or save the run again: this one is damaged or was edited."
# What to do where the messages of a kind, or the reasons that a module gives for a longer message, do not say it.
ADVICE = {
    "NotCapturableError": _SLOWER,
    "SpliceError": _SLOWER,
    "_report": _TRAINED_AGAIN,
    "data.json_files": "Correct the file, or write one object per line (`.jsonl`).",
    "executors.start_errors": "Do what the message says at its end; it depends on what the system refuses.",
    "meters": "Run `python -m freezebench doctor`: it says what this machine can measure, and why not the rest.",
    "meters.cuda": "Nothing needs to be done, unless the memory of a GPU is to be measured: train on one.",
    "meters.gpu_readings": "Measure for longer, by more epochs or sentences, on a whole GPU that nobody else uses.",
    "meters.nvml": "Install the driver of NVIDIA and the package `nvidia-ml-py`.",
    "meters.processors": "Nothing needs to be done: the time in which the training thread did not run is used.",
    "meters.rapl": "Let your user read the counters in `/sys/class/powercap`, or measure on another machine.",
    "planning.reference_check": _SAVED_RUNS,
    "pytest_plugin.saving": "Run the same command again: finished runs are not trained again.",
    "records": _DAMAGED,
    "records.reference_search": _SAVED_RUNS,
    "records.store": _TRAINED_AGAIN,
    "row": "Correct or remove the row, or leave it out with `--freeze-bad-rows=drop`.",
    "report": _DAMAGED,
    "report.github": "Nothing needs to be done: the log and the report have the same.",
    "runs.costs": "Nothing needs to be done: the run that computed it has the figure.",
    "runs.evaluation_check": "Look in the model's own code for random numbers in eval mode, or for an attention mask "
    "that it does not use.",
    "runs.setup": _SLOWER,
    "runs.training_check": "Look for code that sets a seed of its own: a factory, a `conftest.py`, the model's code.",
    "runs.weights": "Nothing needs to change if this part is not meant to train; otherwise look for a detached graph "
    "in the model's code.",
    "specs.run": _DAMAGED,
    "specs.typed": _DAMAGED,
    "strategies.freeze": "Set `requires_grad` of these parameters in a factory if they are meant to train.",
    "training.capture.steps": _SLOWER,
    "training.engines.cached": _SLOWER,
    "verdicts.baseline": "Set a smaller `--freeze-margin`, or train until the baseline has learned more.",
    "with_warnings": _SLOWER,
}


@cache
def sites() -> MessageSites:
    """Return the places of the package that make messages."""
    return MessageSites(read_modules(ROOT / PACKAGE))


def table_of(message: Message) -> str:
    """Return the name of the table that shows a message."""
    by_module = [table for prefix, table in BY_MODULE.items() if message.module.startswith(prefix)]
    by_class = [BY_CLASS[name] for name in sites().base_classes(message.kind) if name in BY_CLASS]
    return BY_KIND.get(message.kind) or [*by_module, *by_class][0]


def split(text: str) -> tuple[str, str]:
    """Return a message without its advice, and the advice; empty if it has none."""
    match = _ADVICE.search(text)
    if match is None:
        return text, ""
    advice = text[match.start() :].strip()
    return text[: match.start()].rstrip(" :;"), advice[0].upper() + advice[1:]


def advice(message: Message) -> tuple[str, str]:
    """Return what to do about a message, and the key of ``ADVICE`` or the cause that says it; both may be empty.

    Only a reason, a text without full stop, is completed by the message that quotes it.
    """
    own = split(message.text)[1]
    if own:
        return own, ""
    if message.cause:
        return causes().get(message.cause, ""), message.cause
    is_reason = not message.text.endswith((".", "…", "?"))
    of_module = [key for key in ADVICE if is_reason and message.module.startswith(key)]
    key = message.kind if message.kind in ADVICE else max(of_module, key=len, default="")
    return ADVICE.get(key, ""), key


@cache
def causes() -> dict[str, str]:
    """Return what to do by cause of invalid runs, from the table on the page of troubleshooting."""
    page = (ROOT / "docs/how-to/first-run-failed.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", page, re.MULTILINE)
    # Links on that page begin in its folder, or lead to its own headings.
    rows = [(cause, todo.replace("](#", "](first-run-failed.md#")) for cause, todo in rows]
    texts = {cause: re.sub(r"\]\((?!\.\./|http)", "](../how-to/", todo) for cause, todo in rows}
    return {cause: f"{todo[0].upper()}{todo[1:]}." for cause, todo in texts.items()}


def messages_table(name: str) -> str:
    """Return a table of messages in Markdown."""
    rows: dict[str, dict[str, None]] = {}
    for message in sites().messages:
        if table_of(message) == name:
            todo, key = advice(message)
            # Advice of this module is Markdown, that of a message is text.
            text = split(message.text)[0] or f"{OPEN}option{CLOSE}={OPEN}value{CLOSE}: {message.text}"
            # Without words of its own, only what follows can be searched for.
            text = text if has_words(text) else message.text
            rows.setdefault(_cell(text), {})[todo if key else _cell(todo)] = None
    lines = ["| message | what to do |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {text} | {'<br>'.join(rows[text])} |" for text in sorted(rows, key=_sort_key))])


def _sort_key(text: str) -> str:
    """Return a message without signs and values at its beginning, by which people look it up."""
    return re.sub(r"<var>[^<]*</var>|[^a-z ]", "", text.lower()).strip()


def _cell(text: str) -> str:
    """Return a template for a cell of a table: with names of values in italics, and all else as it is.

    What Markdown takes as text stays as the message has it, so that a search of the file finds it.
    """
    words = (_BREAK.sub(rf"\g<0>{BREAK}", word) if len(word) > _LONG_WORD else word for word in text.split())
    escaped = html.escape(" ".join(words), quote=False)
    escaped = _MARKUP.sub(lambda match: f"&#{ord(match[0])};", escaped)
    return escaped.replace(OPEN, "<var>").replace(CLOSE, "</var>")
