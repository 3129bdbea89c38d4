"""The keys of the files that freezebench writes as tables, read from the schemas in ``docs/reference``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

FOLDER = Path(__file__).parents[1] / "reference"
_WORDS = {
    "array": "list",
    "boolean": "true or false",
    "integer": "whole number",
    "null": "null",
    "number": "number",
    "object": "object",
    "string": "text",
}


def keys_table(file: str) -> str:
    """Return the table of the outermost keys of a file, by the name of its schema."""
    return _table(_read(file))


def sections(file: str) -> str:
    """Return a section for every object inside a file, in the order in which they are met."""
    schema = _read(file)
    found: dict[str, Schema] = {}
    _collect(schema, schema["$defs"], found)
    parts = []
    for name, definition in found.items():
        parts.append(f"### {name} {{ #{name.lower()} }}\n\n{definition['description']}\n\n{_table(definition)}")
    return "\n\n".join(parts)


def _read(file: str) -> Schema:
    schema: Schema = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    return schema


def _collect(schema: object, definitions: Schema, found: dict[str, Schema]) -> None:
    """Add the definitions that a schema refers to, each before those that it refers to itself."""
    if isinstance(schema, list):
        for item in schema:
            _collect(item, definitions, found)
    elif isinstance(schema, dict):
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if name and name not in found:
            found[name] = definitions[name]
            _collect(definitions[name], definitions, found)
        _collect([value for key, value in schema.items() if key != "$defs"], definitions, found)


def _table(schema: Schema) -> str:
    required = schema.get("required", ())
    lines = ["| key | content |", "| --- | --- |"]
    for name, item in schema["properties"].items():
        rarely = "" if name in required else " (may be missing)"
        cells = (f"`{name}`<br>{type_text(item)}{rarely}", item["description"].replace("|", "\\|"))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def type_text(schema: Schema) -> str:
    """Return the type of a value in words, with a link to the section of an object."""
    match schema:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            words = f"[{name}](#{name.lower()})"
        case {"const": value}:
            words = f"`{value}`"
        case {"enum": values}:
            words = _listed([f"`{'null' if value is None else value}`" for value in values], "or")
        case {"anyOf": kinds}:
            words = _listed([type_text(kind) for kind in kinds], "or")
        case {"prefixItems": kinds}:
            words = f"list of {_listed([type_text(kind) for kind in kinds], 'and')}"
        case {"items": kind}:
            words = f"list of {type_text(kind)}"
        case {"additionalProperties": kind}:
            words = f"object: {type_text(kind)} by name"
        case {"type": [*kinds]}:
            words = _listed([_WORDS[kind] for kind in kinds], "or")
        case {"type": kind}:
            words = _WORDS[kind]
        case _:
            words = "any value"
    return words


def _listed(words: list[str], last: str) -> str:
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else words[0]
