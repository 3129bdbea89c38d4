"""Where messages are made: calls of error classes and of functions that show a sentence, and complaints of a session.

Every ``raise`` of the package is looked at, so that no error escapes the list. What it raises is a message that can be
read from the source, the call of a function that makes one, or an error that the package catches.
"""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, get_args

from docs.messages.modules import called_name
from docs.messages.templates import CLOSE, OPEN, TemplateReader
from freezebench.data.bad_rows import Kind
from freezebench.records.run_record import InvalidCause

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from docs.messages.modules import Module

BASE = "FreezebenchError"
PYTEST = ("UsageError", "exit", "fail", "skip")
# Where the text is among the arguments of what is called; errors of freezebench have theirs first.
WARNINGS = {
    "NotCapturableError": 0,
    "OutOfSpaceError": 0,
    "SpliceError": 0,
    "_report": 0,
    "warnings.append": 0,
    "with_warnings": 0,
}
# What makes a run invalid: where its text is, and its cause where that is not the first argument.
OF_RUNS = {
    "NonFiniteLossError": (0, "non_finite_loss"),
    "PrefixMismatchError": (0, "prefix_mismatch"),
    "UnsoundRunError": (1, ""),
    "_died": (1, ""),
}
CAUSES, ROW_FAULTS = get_args(InvalidCause), get_args(Kind)
# How sentences begin that are not errors: complaints about a whole session, and what became of the model.
BEGINNINGS = {"INCONCLUSIVE: ": "complaint", f"{OPEN}word{CLOSE}: ": "complaint", "--freeze-save: the": "saving"}
BEGINNINGS["--freeze-save: nothing"] = "saving"
# What says that code calls a function in a wrong way, or that a person stopped a session.
WITHOUT_MESSAGE = {"AttributeError", "CancelledError", "IndexError", "SystemExit", "TypeError"}
# Calls that pass on a message of another place, and the value that they pass on.
PASSED_ON = {
    ("executors.worker_slot", "reason"),  # an error of the worker
    ("pytest_plugin.collection", "found"),
    ("pytest_plugin.fixtures", "result"),  # the verdict on a test
    ("pytest_plugin.options", "refusal"),  # an error of a worker of pytest-xdist
}
_VALUE = re.compile(f"{OPEN}[^{CLOSE}]*{CLOSE}")


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message.

    Attributes:
        module: Where it is made, such as ``data.read``.
        line: The line of the source.
        kind: The class of the error, or the function that receives the text.
        cause: Why a run is invalid, for messages about runs; otherwise empty.
        text: The template.
    """

    module: str
    line: int
    kind: str
    cause: str = ""
    text: str


class MessageSites:
    """The places of a package that make messages."""

    def __init__(self, modules: dict[str, Module]) -> None:
        self._modules = modules
        self._reader = TemplateReader(modules)
        self._bases = {
            node.name: [base.id for base in node.bases if isinstance(base, ast.Name)]
            for module in modules.values()
            for node in module.of_type(ast.ClassDef)
        }
        self._errors = _derived(self._bases, {BASE})
        self._private = _derived(self._bases, {name for name, value in vars(builtins).items() if _is_error(value)})
        self._makers = {
            function.name
            for module in modules.values()
            for call in module.of_type(ast.Call)
            if (function := module.function_of(call)) is not None and self._position(call) is not None
        }

    def base_classes(self, name: str) -> list[str]:
        """Return a class of the package and the classes that it is derived from, the nearest ones first."""
        bases = self._bases.get(name, [])
        return [name, *bases, *(further for base in bases for further in self.base_classes(base))]

    @cached_property
    def messages(self) -> list[Message]:
        """All messages with words of their own, in the order of modules and lines."""
        return [message for message in self._all if has_words(message.text)]

    def problems(self) -> list[str]:
        """Return the places that raise something else than a message, or whose message cannot be read."""
        problems = [
            f"{message.module}:{message.line}: the text of {message.kind} cannot be read; write an f-string there"
            for message in self._all
            if not has_words(message.text) and not self._passes_on(message)
        ]
        caught_in = {name: _caught(module) for name, module in self._modules.items()}
        for module in self._modules.values():
            # An error of Python may come from anywhere: those are to catch it that use the module. Of the system's
            # errors (OSError), and of the classes that only the package raises, it is enough that they are caught.
            users = [user for user in self._modules.values() if module in (user, *self._imported(user))]
            caught = {name for user in users for name in caught_in[user.name]}
            caught |= (self._private | {"OSError"}) & {name for names in caught_in.values() for name in names}
            problems += [
                f"{module.name}:{node.lineno}: {ast.unparse(node.exc)} is neither a message nor caught"
                for node in module.of_type(ast.Raise)
                if node.exc is not None and not self._is_listed(node.exc, module, caught)
            ]
        passed_on = {(message.module, message.text[1:-1]) for message in self._all}
        return problems + [f"{name} does not occur: delete it from PASSED_ON" for name in PASSED_ON - passed_on]

    @cached_property
    def _all(self) -> list[Message]:
        readers = (
            self._called,
            self._complaints,
            self._warnings,
            self._row_faults,
            self._missing_figures,
            self._causes,
        )
        found = [message for module in self._modules.values() for read in readers for message in read(module)]
        return sorted(dict.fromkeys(found), key=lambda message: (message.module, message.line))

    def _called(self, module: Module) -> Iterator[Message]:
        """Return the messages that are arguments of what makes messages."""
        for call in module.of_type(ast.Call):
            yield from self._of_call(call, module)

    def _of_call(self, call: ast.Call, module: Module) -> Iterator[Message]:
        position, kind = self._position(call), _kind(call)
        if position is None or len(call.args) <= position or isinstance(call.args[position], ast.Starred):
            return
        cause = ""
        if kind in OF_RUNS:
            cause = OF_RUNS[kind][1] or self._reader.templates(call.args[0], module)[0]
        for text in self._reader.templates(call.args[position], module):
            yield Message(module=module.name, line=call.lineno, kind=kind, cause=cause, text=text)

    def _complaints(self, module: Module) -> Iterator[Message]:
        """Return the sentences on a whole session, by their first word or that of functions that return some."""
        parts = self._sentences(_returned(module, "complaint"), "complaint", module)
        yield from (part for part in parts if not part.text.startswith("INCONCLUSIVE"))
        for text in (*module.of_type(ast.JoinedStr), *module.of_type(ast.Constant)):
            first = text.values[0] if isinstance(text, ast.JoinedStr) and text.values else text
            is_whole = not isinstance(module.parents.get(text), ast.JoinedStr)
            # Reading all texts of the package would take long.
            is_known = isinstance(first, ast.Constant) and str(first.value).startswith(tuple(BEGINNINGS))
            if is_whole and (is_known or isinstance(first, ast.FormattedValue)):
                yield from self._known_beginnings(text, module)

    def _known_beginnings(self, text: ast.expr, module: Module) -> Iterator[Message]:
        for template in self._reader.templates(text, module):
            for beginning, kind in BEGINNINGS.items():
                if template.startswith(beginning) and has_words(template.removeprefix(beginning)):
                    yield Message(module=module.name, line=text.lineno, kind=kind, text=template)

    def _warnings(self, module: Module) -> Iterator[Message]:
        """Return the warnings of functions that say that they return some, and those that results are given."""
        given = _returned(module, "warning")
        given += [keyword.value for keyword in module.of_type(ast.keyword) if keyword.arg == "warnings"]
        tuples = [node for value in given for node in ast.walk(value) if isinstance(node, ast.Tuple)]
        yield from self._sentences([text for node in tuples for text in node.elts], "warning", module)
        single = [keyword.value for keyword in module.of_type(ast.keyword) if keyword.arg == "warning"]
        single += [value for value in _returned(module, "warning") if isinstance(value, ast.JoinedStr)]
        yield from self._sentences([*single, *_assigned_problems(module)], "warning", module)

    def _row_faults(self, module: Module) -> Iterator[Message]:
        """Return what can be wrong with a row of a data set."""
        if module.name.startswith("data."):
            yield from self._sentences(_returned(module, "fault"), "row", module)
            pairs = [node.elts for node in module.of_type(ast.Tuple) if len(node.elts) == 2]  # noqa: PLR2004
            texts = [text for kind, text in pairs if isinstance(kind, ast.Constant) and kind.value in ROW_FAULTS]
            calls = (*module.calls.get("add_bad", []), *module.calls.get("add_line", []))
            yield from self._sentences([*texts, *(call.args[1] for call in calls)], "row", module)

    def _missing_figures(self, module: Module) -> Iterator[Message]:
        """Return why something was not measured."""
        calls = module.calls
        texts = [call.args[2] for call in calls.get("not_measured", []) if len(call.args) > 2]  # noqa: PLR2004
        texts += [call.args[0] for call in calls.get("NotCountedError", [])]
        failures = [keyword for call in calls.get("Failure", []) for keyword in call.keywords]
        texts += [keyword.value for keyword in failures if keyword.arg == "message"]
        yield from self._sentences(texts, "figure", module)

    def _sentences(self, texts: Iterable[ast.expr], kind: str, module: Module) -> Iterator[Message]:
        """Return the texts that have words of their own; single words are names of something."""
        for text in texts:
            for template in self._reader.templates(text, module):
                if has_words(template) and " " in template:
                    yield Message(module=module.name, line=text.lineno, kind=kind, text=template)

    def _causes(self, module: Module) -> Iterator[Message]:
        """Return the reasons that stand beside the cause of an invalid run."""
        pairs: list[list[ast.expr]] = [node.elts for node in module.of_type(ast.Tuple)]
        for call in module.of_type(ast.Call):
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            if {"cause", "reason"} <= given.keys():
                pairs.append([given["cause"], given["reason"]])
        for pair in pairs:
            if len(pair) == 2 and isinstance(pair[0], ast.Constant) and pair[0].value in CAUSES:  # noqa: PLR2004
                cause = str(pair[0].value)
                for text in filter(has_words, self._reader.templates(pair[1], module)):
                    yield Message(module=module.name, line=pair[1].lineno, kind="cause", cause=cause, text=text)

    def _position(self, call: ast.Call) -> int | None:
        """Return where the text is among the arguments of a call; ``None`` if it makes no message."""
        kind = _kind(call)
        if kind in OF_RUNS:
            return OF_RUNS[kind][0]
        return 0 if kind in self._errors or kind in PYTEST or kind in WARNINGS else None

    def _imported(self, module: Module) -> list[Module]:
        """Return the modules that a module imports from."""
        return [self._modules[name] for name, _ in module.imported.values() if name in self._modules]

    def _is_listed(self, error: ast.expr, module: Module, caught: set[str]) -> bool:
        """Return whether what is raised is a message of this list, or an error that is caught.

        Args:
            error: What is raised.
            module: Where it is raised.
            caught: The classes that are caught.
        """
        assigned = module.assigned.get((module.function_of(error), getattr(error, "id", "")), [])
        if assigned:
            return all(value is not None and self._is_listed(value, module, caught) for value in assigned)
        if isinstance(error, ast.Call):
            name = called_name(error)
            # ``type(error)(…)`` is an error that was caught, with more words.
            if self._position(error) is not None or name in self._makers or name == "type":
                return True
        else:
            name = getattr(error, "id", "")
        kind = getattr(builtins, name, None)
        names = {base.__name__ for base in kind.mro()} if isinstance(kind, type) else {name}
        return name not in self._errors and not names.isdisjoint(WITHOUT_MESSAGE | caught)

    def _passes_on(self, message: Message) -> bool:
        """Return whether a call adds nothing but values to a message of another place."""
        handlers = self._modules[message.module].of_type(ast.ExceptHandler)
        is_handled = any(handler.lineno <= message.line <= (handler.end_lineno or 0) for handler in handlers)
        return is_handled or (message.module, message.text[1:-1]) in PASSED_ON


def has_words(text: str) -> bool:
    """Return whether a template has words of its own, besides values."""
    return re.search("[A-Za-z]{3}", _VALUE.sub("", text)) is not None


def _kind(call: ast.Call) -> str:
    """Return what a call makes: a class, a function of pytest, or a method with what it belongs to."""
    name = called_name(call)
    if not isinstance(call.func, ast.Attribute):
        return name
    owner = getattr(call.func.value, "attr", getattr(call.func.value, "id", ""))
    if name == "append":
        return f"{owner}.append"
    return "" if name in PYTEST and owner != "pytest" else name


def _returned(module: Module, word: str) -> list[ast.expr]:
    """Return what functions return whose first line of documentation has a word."""
    documented = [node for node in module.of_type(ast.FunctionDef) if ast.get_docstring(node)]
    functions = [node for node in documented if word in str(ast.get_docstring(node)).partition("\n")[0]]
    return [value for function in functions for value in module.returned(function) if value is not None]


def _assigned_problems(module: Module) -> list[ast.expr]:
    """Return what is assigned to attributes that hold the problem that a summary shows."""
    assigned = [(target, node.value) for node in module.of_type(ast.Assign) for target in node.targets]
    return [value for target, value in assigned if isinstance(target, ast.Attribute) and target.attr == "problem"]


def _caught(module: Module) -> set[str]:
    """Return the names of the errors that a module handles or suppresses."""
    handlers: list[ast.expr] = [node.type for node in module.of_type(ast.ExceptHandler) if node.type is not None]
    handlers += [argument for call in module.calls.get("suppress", []) for argument in call.args]
    handlers += [node.cls for node in module.of_type(ast.MatchClass)]
    return {node.id for handler in handlers for node in ast.walk(handler) if isinstance(node, ast.Name)}


def _derived(bases: dict[str, list[str]], roots: set[str]) -> set[str]:
    """Return the classes that are derived from some root, and the roots that are among the classes."""
    derived = {name for name in bases if name in roots}
    while True:
        more = {name for name, parents in bases.items() if {*parents} & (derived | roots)} - derived
        if not more:
            return derived
        derived |= more


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)
