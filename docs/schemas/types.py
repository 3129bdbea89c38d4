"""JSON Schema of values: made from the annotations of dataclasses, and described by their docstrings.

What is written to a file is ``records.files.plain`` of a value: fields by name, tuples as arrays, and ``null`` in place
of a number that is not finite.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints, is_typeddict

Schema: TypeAlias = dict[str, Any]

_SCALARS: dict[object, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    # A number that is not finite is written as null, since JSON has none.
    float: {"type": ["number", "null"]},
    object: {},
}
_ENTRY = re.compile(r"^(?P<name>\w+): (?P<text>.*)$")


class SchemaOfTypes:
    """Collects the schemas of classes.

    Attributes:
        definitions: The schema of every class that was met, by its name.
    """

    def __init__(self, names: Mapping[str, object], later: Mapping[str, Sequence[str]]) -> None:
        """Begin without any class.

        Args:
            names: What annotations name that their modules import for type checkers only.
            later: Fields that files of version 0.1 lack, by name of the class; all other fields are required.
        """
        self.definitions: dict[str, Schema] = {}
        self._names, self._later = names, later

    def properties(self, kind: type) -> dict[str, Schema]:
        """Return the schemas of the fields of a dataclass or typed dictionary, with their descriptions.

        Args:
            kind: The class.

        Raises:
            ValueError: If its docstring says nothing of a field.
        """
        # Names of a module win: some modules have types of the same name.
        local = {**self._names, **vars(sys.modules[kind.__module__])}
        hints = get_type_hints(kind, localns=local)
        names = [field.name for field in fields(kind)] if is_dataclass(kind) else list(hints)
        described = attributes(kind)
        missing = [name for name in names if name not in described]
        if missing:
            raise ValueError(f"the docstring of {kind.__name__} does not describe {', '.join(missing)}")
        return {name: self.of(hints[name]) | {"description": described[name]} for name in names}

    def of(self, hint: Any) -> Schema:
        """Return the schema of an annotation."""
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin in (Union, types.UnionType):
            return self._union(arguments)
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if origin is not None:
            return self._array(arguments)
        if is_dataclass(hint) or is_typeddict(hint):
            return self._reference(hint)
        return dict(_SCALARS[hint])

    def _union(self, arguments: Sequence[Any]) -> Schema:
        """Return the schema of a value of one of several types, mostly of a value that may be missing."""
        kinds = [self.of(argument) for argument in arguments if argument is not type(None)]
        may_be_null = type(None) in arguments
        if len(kinds) == 1 and "enum" in kinds[0]:
            return {"enum": [*kinds[0]["enum"], *([None] if may_be_null else [])]}
        if all(set(kind) == {"type"} for kind in kinds):
            names = [name for kind in kinds for name in _type_names(kind)]
            names += ["null"] if may_be_null else []
            return {"type": list(dict.fromkeys(names))}
        return {"anyOf": [*kinds, *([{"type": "null"}] if may_be_null else [])]}

    def _array(self, arguments: Sequence[Any]) -> Schema:
        if len(arguments) == 1 or arguments[-1] is Ellipsis:
            return {"type": "array", "items": self.of(arguments[0])}
        return {
            "type": "array",
            "prefixItems": [self.of(argument) for argument in arguments],
            "minItems": len(arguments),
            "maxItems": len(arguments),
        }

    def _reference(self, kind: type) -> Schema:
        known = self.definitions.get(kind.__name__)
        return self.add(kind.__name__, self.of_class(kind) if known is None else known)

    def add(self, name: str, schema: Schema) -> Schema:
        """Keep the schema of an object under a name, and return a reference to it."""
        self.definitions[name] = schema
        return {"$ref": f"#/$defs/{name}"}

    def of_class(self, kind: type) -> Schema:
        """Return the schema of a dataclass or typed dictionary."""
        properties = self.properties(kind)
        later = self._later.get(kind.__name__, ()) or getattr(kind, "__optional_keys__", ())
        unknown = [name for name in later if name not in properties]
        if unknown:
            raise ValueError(f"{kind.__name__} has no field {', '.join(unknown)}")
        return object_(first_line(kind), properties, later)


def text(description: str, *, may_be_null: bool = False) -> Schema:
    """Return the schema of a text."""
    return {"type": ["string", "null"] if may_be_null else "string", "description": description}


def number(description: str, *, may_be_null: bool = True) -> Schema:
    """Return the schema of a number."""
    return {"type": ["number", "null"] if may_be_null else "number", "description": description}


def whole(description: str, *, may_be_null: bool = False) -> Schema:
    """Return the schema of a whole number."""
    return {"type": ["integer", "null"] if may_be_null else "integer", "description": description}


def array(items: Schema, description: str) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, "description": description}


def object_(description: str, properties: Mapping[str, Schema], later: Sequence[str] = ()) -> Schema:
    """Return the schema of an object.

    Args:
        description: What it is.
        properties: The schemas of its keys.
        later: Keys that some files lack; all others are required.
    """
    return {
        "description": description,
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in later],
    }


def first_line(kind: type) -> str:
    """Return the first line of a class's docstring in Markdown."""
    return _markdown((inspect.getdoc(kind) or "").partition("\n")[0])


def attributes(kind: type) -> dict[str, str]:
    """Return what a class's docstring says of each attribute, in Markdown."""
    section = re.search(r"^Attributes:\n((?:    .*\n?|\n)+)", inspect.getdoc(kind) or "", re.MULTILINE)
    texts: dict[str, list[str]] = {}
    name = ""
    for line in inspect.cleandoc(section[1]).splitlines() if section else ():
        match = _ENTRY.match(line)
        if match:
            name = match["name"]
            texts[name] = [match["text"]]
        else:
            texts[name].append(line.strip())
    return {name: _markdown(" ".join(lines)) for name, lines in texts.items()}


def _markdown(text: str) -> str:
    return text.replace("``None``", "`null`").replace("``", "`")


def _type_names(schema: Schema) -> list[str]:
    names = schema["type"]
    return list(names) if isinstance(names, list) else [names]
