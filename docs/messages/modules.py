"""The modules of a package, parsed, with what their texts are put together from."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "freezebench"

Node = TypeVar("Node", bound=ast.AST)


class Module:
    """A module and the nodes of its syntax tree.

    Attributes:
        name: Its name without that of the package, such as ``data.read``.
        tree: Its syntax tree.
        parents: The node above every other one.
    """

    def __init__(self, name: str, source: str) -> None:
        """Parse the source of the module of a name."""
        self.name, self.tree = name, ast.parse(source)
        self.parents: dict[ast.AST, ast.AST] = {}
        self._nodes: dict[type[ast.AST], list[ast.AST]] = {}
        self._functions: dict[ast.AST, ast.FunctionDef | None] = {}
        self._add(self.tree, None)

    def _add(self, node: ast.AST, function: ast.FunctionDef | None) -> None:
        self._nodes.setdefault(type(node), []).append(node)
        self._functions[node] = function
        inner = node if isinstance(node, ast.FunctionDef) else function
        for child in ast.iter_child_nodes(node):
            self.parents[child] = node
            self._add(child, inner)

    def of_type(self, kind: type[Node]) -> list[Node]:
        """Return all nodes of a type."""
        return cast("list[Node]", self._nodes.get(kind, []))

    def function_of(self, node: ast.AST) -> ast.FunctionDef | None:
        """Return the innermost function that a node is in; ``None`` at the level of the module or of a class."""
        return self._functions[node]

    def returned(self, function: ast.FunctionDef) -> list[ast.expr | None]:
        """Return the values that a function returns."""
        return [node.value for node in self.of_type(ast.Return) if self._functions[node] is function]

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """Functions and methods by name."""
        return {node.name: node for node in self.of_type(ast.FunctionDef)}

    @cached_property
    def constants(self) -> dict[str, ast.expr]:
        """Values that are assigned at the level of the module."""
        return {
            node.targets[0].id: node.value
            for node in self.tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }

    @cached_property
    def imported(self) -> dict[str, tuple[str, str]]:
        """Module and name of what is imported from the package."""
        return {
            alias.asname or alias.name: (node.module.removeprefix(f"{PACKAGE}."), alias.name)
            for node in self.of_type(ast.ImportFrom)
            if node.module and node.module.startswith(f"{PACKAGE}.")
            for alias in node.names
        }

    @cached_property
    def calls(self) -> dict[str, list[ast.Call]]:
        """Every call by the name of the function or method."""
        calls: dict[str, list[ast.Call]] = {}
        for call in self.of_type(ast.Call):
            calls.setdefault(called_name(call), []).append(call)
        return calls

    @cached_property
    def assigned(self) -> dict[tuple[ast.FunctionDef | None, str], list[ast.expr | None]]:
        """Values that functions assign to their variables; ``None`` for what cannot be told."""
        values: dict[tuple[ast.FunctionDef | None, str], list[ast.expr | None]] = {}
        targets: list[tuple[ast.stmt, ast.expr, ast.expr | None]] = [
            *((node, target, node.value) for node in self.of_type(ast.Assign) for target in node.targets),
            *((node, node.target, None) for node in self.of_type(ast.AugAssign)),
            *((node, node.target, None) for node in self.of_type(ast.For)),
        ]
        for node, target, value in targets:
            for name, part in _parts(target, value):
                values.setdefault((self._functions[node], name), []).append(part)
        return values


def _parts(target: ast.expr, value: ast.expr | None) -> list[tuple[str, ast.expr | None]]:
    """Return names with the values that are assigned to them."""
    if isinstance(target, ast.Name):
        return [(target.id, value)]
    if not isinstance(target, ast.Tuple):
        return []
    # Of a tuple that a function returns, the parts are not told apart.
    is_pairwise = isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts)
    values = value.elts if is_pairwise and isinstance(value, ast.Tuple) else [None] * len(target.elts)
    return [pair for part, own in zip(target.elts, values, strict=True) for pair in _parts(part, own)]


def read_modules(folder: Path) -> dict[str, Module]:
    """Return the modules of a package by name."""
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        name = ".".join(path.relative_to(folder).with_suffix("").parts)
        modules[name] = Module(name, path.read_text(encoding="utf-8"))
    return modules


def called_name(call: ast.Call) -> str:
    """Return the name of a called function, method or class; of ``type(error)(…)``, ``type``."""
    function = call.func.func if isinstance(call.func, ast.Call) else call.func
    return getattr(function, "attr", getattr(function, "id", ""))
