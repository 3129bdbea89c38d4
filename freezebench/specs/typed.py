"""Values from JSON, checked against the annotations of the dataclasses that take them.

A file may be damaged, or made to do harm, and its checksum be right all the same. So every value has the type that its
field states before anything computes with it, and the message of what is wrong names the field by its path:
``data.test_labels[3]: 'x' is no whole number``.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from math import isfinite, nan
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

from freezebench.errors import FreezebenchError, RecordError
from freezebench.escaping import has_surrogates
from freezebench.specs.fields import brief

T = TypeVar("T")

_LARGEST = 2**63  # no figure is larger, and a float cannot hold whole numbers of any size
_MAX_DEPTH = 20
# What modules import for type checkers only.
_NAMES = {"Json": object, "Mapping": Mapping}


def typed_fields(kind: type[T], value: object, where: str = "") -> T:
    """Return a dataclass from the JSON object of its fields.

    Args:
        kind: The dataclass.
        value: The object, as ``json.loads`` returns it.
        where: Path of the object, for messages; empty for the outermost.

    Raises:
        RecordError: If a field is missing, unknown, or has another type than the class states.
    """
    what = where or f"a {kind.__name__}"
    if not isinstance(value, dict):
        raise RecordError(f"{what}: {brief(value)} is no object")
    known = {field.name: field for field in fields(cast("Any", kind))}
    unknown = next((name for name in value if name not in known), None)
    if unknown is not None:
        raise RecordError(f"{what} has an unknown field {brief(unknown)}")
    needed = (field for field in known.values() if field.default is MISSING and field.default_factory is MISSING)
    missing = next((field.name for field in needed if field.name not in value), None)
    if missing is not None:
        raise RecordError(f"{what} has no field {missing!r}")
    hints = _hints(cast("Any", kind))
    try:
        return kind(**{name: _field(hints[name], item, name, where) for name, item in value.items()})
    except RecordError:
        raise
    except FreezebenchError as error:  # a class that checks its own values
        raise RecordError(f"{what}: {error}") from error


def _field(hint: Any, value: object, name: str, where: str) -> object:
    """Return the value of one field; names that begin with ``num`` or end with ``counts`` are those of counts."""
    path = f"{where}.{name}" if where else name
    checked = _typed(hint, value, path)
    counts = checked if isinstance(checked, tuple) else (checked,)
    is_count = name.startswith("num_") or name.endswith("_counts")
    if is_count and any(isinstance(count, int) and count < 0 for count in counts):
        raise RecordError(f"{path}: {brief(value)} is negative")
    return checked


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, localns=_NAMES)


def _typed(hint: Any, value: object, path: str) -> object:
    """Return a value as the type that an annotation states: lists as tuples, objects as dataclasses.

    Raises:
        RecordError: If it is of another type.
    """
    origin = get_origin(hint)
    if origin is not None:
        return _COMPOSED[origin](hint, value, path)
    if is_typeddict(hint):
        return _typed_dict(hint, value, path)
    if is_dataclass(hint):
        return _dataclass(hint, value, path)
    return _SCALARS[hint](value, path)


def _optional(hint: Any, value: object, path: str) -> object:
    others = [other for other in get_args(hint) if other is not type(None)]
    return None if value is None and len(others) < len(get_args(hint)) else _typed(others[0], value, path)


def _word(hint: Any, value: object, path: str) -> object:
    if not isinstance(value, str) or value not in get_args(hint):
        raise RecordError(f"{path}: {brief(value)} is none of {', '.join(map(str, get_args(hint)))}")
    return value


def _mapping(hint: Any, value: object, path: str) -> object:
    kind = get_args(hint)[1]
    return {_text(name, path): _typed(kind, item, f"{path}.{name}") for name, item in _object(value, path)}


def _dataclass(hint: Any, value: object, path: str) -> object:
    """Return a dataclass, by its own method where it has one, since that knows the schema of its object."""
    own = getattr(hint, "from_json", None)
    if own is None:
        return typed_fields(hint, value, path)
    try:
        return own(value)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from error


def _sequence(hint: Any, value: object, path: str) -> object:
    arguments, kind = get_args(hint), get_origin(hint)
    if not isinstance(value, list | tuple):
        raise RecordError(f"{path}: {brief(value)} is no list")
    is_fixed = kind is tuple and Ellipsis not in arguments
    if is_fixed and len(value) != len(arguments):
        raise RecordError(f"{path}: {len(value)} entries, where there are {len(arguments)}")
    item = arguments[0]
    # Predictions and losses make up most of a record: they are checked all at once.
    if not is_fixed and item in (int, float) and {type(entry) for entry in value} <= {item} and _is_bounded(value):
        return kind(value)
    return kind(_typed(item, entry, f"{path}[{index}]") for index, entry in enumerate(value))


def _is_bounded(numbers: Sequence[float]) -> bool:
    return not numbers or (min(numbers) > -_LARGEST and max(numbers) < _LARGEST)


def _typed_dict(hint: Any, value: object, path: str) -> dict[str, object]:
    hints = _hints(hint)
    items = dict(_object(value, path))
    missing = next((name for name in hint.__required_keys__ if name not in items), None)
    if missing is not None:
        raise RecordError(f"{path} has no field {missing!r}")
    unknown = next((name for name in items if name not in hints), None)
    if unknown is not None:
        raise RecordError(f"{path} has an unknown field {brief(unknown)}")
    return {name: _field(hints[name], item, name, path) for name, item in items.items()}


def _object(value: object, path: str) -> Sequence[tuple[str, object]]:
    if not isinstance(value, dict):
        raise RecordError(f"{path}: {brief(value)} is no object")
    return list(value.items())


def _text(value: object, path: str) -> str:
    if not isinstance(value, str) or has_surrogates(value):  # JSON can write them
        raise RecordError(f"{path}: {brief(value)} is no text")
    return value


def _truth(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise RecordError(f"{path}: {brief(value)} is neither true nor false")
    return value


def _whole(value: object, path: str) -> int:
    # In Python, True is a whole number; in JSON it is none.
    if not isinstance(value, int) or isinstance(value, bool) or not -_LARGEST < value < _LARGEST:
        raise RecordError(f"{path}: {brief(value)} is no whole number of a usual size")
    return value


def _number(value: object, path: str) -> float:
    if value is None:
        return nan  # how a figure that is not finite is written
    if isinstance(value, float) and isfinite(value):
        return value
    if isinstance(value, float) or not isinstance(value, int) or isinstance(value, bool) or abs(value) >= _LARGEST:
        raise RecordError(f"{path}: {brief(value)} is no finite number of a usual size")
    return value


def _json(value: object, path: str, depth: int = 0) -> object:
    """Return any value that JSON may have, of limited depth."""
    if depth > _MAX_DEPTH:
        raise RecordError(f"{path}: nested too deeply")
    if isinstance(value, dict):
        return {_text(name, path): _json(item, f"{path}.{name}", depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if value is None or isinstance(value, bool):
        return value
    return _text(value, path) if isinstance(value, str) else _number(value, path)


_COMPOSED = {
    Literal: _word,
    Union: _optional,
    types.UnionType: _optional,
    tuple: _sequence,
    list: _sequence,
    dict: _mapping,
    Mapping: _mapping,
}
_SCALARS = {str: _text, bool: _truth, int: _whole, float: _number, object: _json}
