"""Templates: texts of the source with names in place of values, ``cannot read ⟨path⟩: ⟨reason⟩``.

Texts that are assembled from constants, local variables, conditional expressions and short helper functions are joined;
a text that depends on a condition gives one template for every case.
"""

from __future__ import annotations

import ast
import itertools
import math
from typing import TYPE_CHECKING

from docs.messages.modules import called_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from docs.messages.modules import Module

# Around names of values; no message has these characters.
OPEN, CLOSE = "⟨", "⟩"
_MAX_CASES = 4
_MAX_DEPTH = 12
# Methods that return a text in another form.
_FORMS = {
    "expanduser",
    "format",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rstrip",
    "split",
}
_FORMS |= {"strip", "upper"}
# Names that say more to programmers than to readers.
_NAMES = {"cls": "class", "cwd": "folder", "error": "reason", "self": "value", "strerror": "reason", "where": "option"}


class TemplateReader:
    """Reads the templates of texts."""

    def __init__(self, modules: dict[str, Module]) -> None:
        """Take the modules by name."""
        self._modules = modules

    def templates(self, text: ast.expr, module: Module) -> list[str]:
        """Return the templates of a text, one for every case; of a text that cannot be read, the name of its value."""
        return self._read(text, module, 0) or [_placeholder(text)]

    def _read(self, node: ast.expr | None, module: Module, depth: int) -> list[str] | None:
        """Return the templates of a text; ``None`` if it is a value and no text of the source."""
        templates: list[str] | None = None
        if depth > _MAX_DEPTH:
            node = None
        match node:
            case ast.Constant(value=str() | int() | float() as value):
                templates = [str(value)]
            case ast.JoinedStr():
                templates = self._joined(node.values, module, depth)
            case ast.FormattedValue(value=value):
                templates = None if node.conversion == ord("r") else self._read(value, module, depth)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                templates = self._joined([left, right], module, depth) if _is_text(node) else None
            case ast.IfExp():
                templates = self._alternatives([node.body, node.orelse], module, depth)
            case ast.BoolOp(op=ast.Or(), values=[value, instead]):
                templates = self._value_or(value, instead, module, depth)
            case ast.Name():
                templates = self._named(node, module, depth)
            case ast.Call():
                templates = self._called(node, module, depth)
        return templates

    def _value_or(self, value: ast.expr, instead: ast.expr, module: Module, depth: int) -> list[str] | None:
        """Return the templates of a text and of what replaces it where it is empty, if that is more than a word."""
        read = self._read(instead, module, depth + 1)
        if not read or " " not in read[0].strip():
            return None
        return [*(self._read(value, module, depth + 1) or [_placeholder(value)]), *read]

    def _joined(self, parts: Sequence[ast.expr], module: Module, depth: int) -> list[str]:
        """Return the templates of a text of several parts; values become their names."""
        cases = [self._read(part, module, depth + 1) or [_placeholder(part)] for part in parts]
        # Of too many cases, those of the last parts stay values.
        for index in reversed(range(len(cases))):
            if math.prod(map(len, cases)) > _MAX_CASES and len(cases[index]) > 1:
                cases[index] = [_summary(parts[index])]
        return list(dict.fromkeys(map("".join, itertools.product(*cases))))

    def _alternatives(self, nodes: Iterable[ast.expr | None], module: Module, depth: int) -> list[str] | None:
        """Return the templates of one of several texts; ``None`` if one of them is a value."""
        templates: list[str] = []
        for node in nodes:
            if isinstance(node, ast.Constant) and node.value is None:
                continue  # where there is nothing to say, no message is made
            read = self._read(node, module, depth + 1)
            if read is None:
                return None
            templates += read
        return list(dict.fromkeys(templates)) if 0 < len(templates) <= _MAX_CASES else None

    def _named(self, node: ast.Name, module: Module, depth: int) -> list[str] | None:
        """Return the templates of a variable of its function, a parameter that is given, or a constant."""
        function = module.function_of(node)
        if function is not None and (function, node.id) in module.assigned:
            return self._alternatives(module.assigned[function, node.id], module, depth)
        if function is not None and node.id in _parameters(function):
            return self._alternatives(_given(node.id, function, module), module, depth)
        name, origin = node.id, module
        if name in module.imported:
            source, name = module.imported[name]
            origin = self._modules.get(source, module)
        return self._read(origin.constants.get(name), origin, depth + 1)

    def _called(self, call: ast.Call, module: Module, depth: int) -> list[str] | None:
        """Return the templates of the texts that a function of the package returns."""
        match call.func:
            case ast.Attribute(value=value, attr=name) if name in _FORMS:
                texts = self._read(value, module, depth + 1)
                filled = _placeholder(call.args[0]) if name == "format" and call.args else "{}"
                return texts and [text.replace("{}", filled) for text in texts]
            case ast.Name(id=name) if name in module.imported:
                source, name = module.imported[name]
                if source == "escaping":  # the same text, for where it is shown
                    return self._read(call.args[0], module, depth + 1)
                if source == "units" and name != "did_you_mean":
                    return None
                origin = self._modules.get(source, module)
            case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name):
                origin = module
            case _:
                return None
        function = origin.functions.get(name)
        return None if function is None else self._alternatives(origin.returned(function), origin, depth)


def _is_text(sum_: ast.BinOp) -> bool:
    """Return whether a sum is one of texts and not of numbers."""
    constants = [node.value for node in ast.walk(sum_) if isinstance(node, ast.Constant)]
    return any(isinstance(value, str) for value in constants)


def _parameters(function: ast.FunctionDef) -> list[str]:
    names = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def _given(parameter: str, function: ast.FunctionDef, module: Module) -> list[ast.expr | None]:
    """Return what the calls of a function in its own module give for a parameter; ``None`` for one without it."""
    position = _parameters(function).index(parameter)
    given: list[ast.expr | None] = []
    for call in module.calls.get(function.name, []):
        named = [keyword.value for keyword in call.keywords if keyword.arg == parameter]
        given.append(next(iter(named or call.args[position:]), None))
    return given


def _placeholder(node: ast.expr) -> str:
    return f"{OPEN}{_value_name(node)}{CLOSE}"


def _summary(node: ast.expr) -> str:
    """Return the placeholder of a text with too many cases: the name of the function that returns it, if one does."""
    value = node.value if isinstance(node, ast.FormattedValue) else node
    name = called_name(value) if isinstance(value, ast.Call) else ""
    return f"{OPEN}{_words(name)}{CLOSE}" if name else _placeholder(node)


def _value_name(node: ast.expr) -> str:
    """Return what a template calls a value: the name that the source gives it, in words."""
    name = "value"
    match node:
        # A path is divided, not a number.
        case ast.FormattedValue(value=value) | ast.Subscript(value=value) | ast.BinOp(op=ast.Div(), left=value):
            name = _value_name(value)
        case ast.Name(id=text):
            name = _words(text)
        case ast.Attribute(value=ast.Call(func=ast.Name(id="type")), attr="__name__"):
            name = "class"
        case ast.Attribute(value=ast.Name(id="self"), attr=text):
            name = _words(text)
        case ast.Attribute(value=ast.Name() | ast.Attribute() as value, attr="name"):
            name = _value_name(value)
        case ast.Attribute(attr=text):
            name = _words(text)
        case ast.Call():
            name = _call_name(node)
        case ast.IfExp(body=value) | ast.BoolOp(values=[value, *_]) | ast.GeneratorExp(elt=value):
            name = _value_name(value)
        case ast.BinOp() | ast.Compare():
            name = "number"
    return name


def _call_name(call: ast.Call) -> str:
    """Return what a template calls the value that a function returns: most only write their argument as text."""
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[value, *_]):
            return _value_name(value)
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str() as key), *_]):
            return _words(key)
        case ast.Call(func=ast.Name(id="len" | "sum")):
            return "number"
        case ast.Call(func=ast.Attribute(value=value, attr=name)):
            return _value_name(value) if name in _FORMS else _words(name)
        case ast.Call(args=[value, *_]):
            return _value_name(value)
    return _words(call.func.id) if isinstance(call.func, ast.Name) else "value"


def _words(name: str) -> str:
    """Return an identifier in words: ``_MAX_LABEL_CHARS`` is *max label chars*."""
    words = name.strip("_").lower().replace("_", " ")
    return _NAMES.get(words, words).removeprefix("num ").removesuffix(" s")
